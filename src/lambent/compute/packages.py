"""What AWS's Python runtimes bring along: the SDK and the library of SnapStart's hooks, from the server's installation.

Shown, not copied, in a folder that stands last on `sys.path`: a function that brings its own finds its own first, and
one that asks for none pays nothing. A package is offered where its own metadata allows the function's Python.
"""

from __future__ import annotations

import itertools
import re
from importlib import metadata
from pathlib import Path

from lambent.kernel import limits

_OFFERED = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "snapshot-restore-py", "urllib3")
_SDK = (b"boto3", b"botocore")
_AT_LEAST = re.compile(r">=\s*3\.(\d+)")


def offered(version: str) -> tuple[Path, ...]:
    """The files and folders of the packages for Python `version` (`3.13`): all of them, or none."""
    distributions = [metadata.distribution(name) for name in _OFFERED]
    if not all(_suits(distribution, version) for distribution in distributions):
        return ()
    return tuple(
        Path(str(distribution.locate_file(top)))
        for distribution in distributions
        for top in sorted({file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"})
    )


def _suits(distribution: metadata.Distribution, version: str) -> bool:
    needed = _AT_LEAST.search(str(distribution.metadata.json.get("requires_python", "")))
    return needed is None or int(needed[1]) <= int(version.partition(".")[2])


def sdk_wanted(task: Path, opt: Path | None) -> bool:
    """Whether a function looks as if it used the runtime's own SDK: it names it, and brings none. A guess, which
    decides how fast a cold start is and nothing else."""
    places = [task, *(opt / part for part in ("python",) if opt is not None)]
    if any((place / name.decode()).exists() for place in places for name in _SDK):
        return False
    sources = itertools.islice(task.glob("*.py"), limits.SOURCES_SEARCHED)
    return any(_names_sdk(source) for source in sources)


def _names_sdk(source: Path) -> bool:
    with source.open("rb") as file:
        text = file.read(limits.SOURCE_SEARCHED_BYTES)
    return any(name in text for name in _SDK)
