"""The `lambent` command, one module per subcommand. A Python that is too old ends here, in one line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the line that says so
    sys.exit(f"lambent: Python 3.11 or newer is needed; this is {sys.version.split()[0]} ({sys.executable})")
