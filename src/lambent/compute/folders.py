"""Removing what functions have left: folders that may not be written to, and things that resist."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it. Blocks. What resists is logged and stays."""
    with suppress(OSError):  # what it says shows below
        if path.is_dir() and not path.is_symlink():
            for _, _, _, folder in os.fwalk(path):
                os.fchmod(folder, 0o700)
            shutil.rmtree(path, ignore_errors=True)  # others may remove parts of it at the same time
        else:
            path.unlink()
    if os.path.lexists(path):
        log.warning("%s could not be removed", path)
