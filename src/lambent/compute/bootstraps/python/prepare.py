"""Run once by an interpreter that was found: says what it is, and compiles the runtime client for it.

Arguments: the version it must be (`3.13`), a folder to write to, and the sources.
"""

# mypy: ignore-errors

import json
import os
import platform
import py_compile
import sys

_SHOWN = "/var/runtime/"


def main(wanted, folder, *sources):
    """Print the version and implementation as JSON; compile the sources where both are what was wanted."""
    version = "%d.%d" % sys.version_info[:2]
    if version == wanted and sys.implementation.name == "cpython":
        for source in sources:
            name = source.rpartition("/")[2]
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            target = folder + "/" + name + "c"
            py_compile.compile(source, target, dfile=_SHOWN + name, doraise=True, optimize=0, invalidation_mode=mode)
    answer = {
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "prefix": os.path.realpath(sys.base_prefix),
        "executable": os.path.realpath(sys.executable),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
