"""What AWS's Python runtimes bring along: the SDK, offered to functions from the server's own installation.

Links, not copies, in a folder that stands last on `sys.path`: a function that brings its own finds its own first, and
one that asks for none pays nothing. A package is offered where its own metadata allows the function's Python.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OFFERED = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
_AT_LEAST = re.compile(r">=\s*3\.(\d+)")


def link(folder: Path, version: str) -> None:
    """Fill `folder` with links to the packages for Python `version` (`3.13`): all of them, or none."""
    folder.mkdir()
    distributions = [metadata.distribution(name) for name in _OFFERED]
    if not all(_suits(distribution, version) for distribution in distributions):
        return
    for distribution in distributions:
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            source = distribution.locate_file(top)
            (folder / top).symlink_to(str(source))


def _suits(distribution: metadata.Distribution, version: str) -> bool:
    needed = _AT_LEAST.search(str(distribution.metadata.json.get("requires_python", "")))
    return needed is None or int(needed[1]) <= int(version.partition(".")[2])
