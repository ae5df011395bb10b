"""Which external extensions an environment has: the files of `extensions/` in its layers, laid over one another.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-registration-api-a
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from pathlib import Path

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def discover(opt: Path) -> list[str]:
    """The names of the external extensions, by which they have to register: all files of `opt/extensions`, sorted, one
    more than there may be at most. Reads a folder, so it is not for the event loop."""
    names = sorted(name for name, mode in _entries(opt).items() if not stat.S_ISDIR(mode))
    return names[: limits.EXTENSIONS + 1]


def obstacle(opt: Path) -> tuple[str, str] | None:
    """The first extension of `opt` that keeps an environment from starting, with the error type: `PermissionDenied`
    where its file is not executable, `TooManyExtensions` where it is the eleventh. Reads a folder."""
    modes = _entries(opt)
    for number, name in enumerate(discover(opt)):
        if number >= limits.EXTENSIONS:
            return name, "TooManyExtensions"
        if not modes[name] & _EXECUTABLE:
            return name, "PermissionDenied"
    return None


def _entries(opt: Path) -> dict[str, int]:
    """The entries of the folder with their modes; none where there is no such folder. Links are not followed: they are
    the function's, and lead elsewhere from within an environment."""
    folder = opt / "extensions"
    if folder.is_symlink() or not folder.is_dir():
        return {}
    return {entry.name: entry.lstat().st_mode for entry in folder.iterdir()}
