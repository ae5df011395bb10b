"""The data folder: made private, flushed to the disk, and locked so that one server at a time owns it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from typing import TYPE_CHECKING

from lambent.store.errors import FolderInUse, FolderUnusable

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = 0o077


def prepare(folder: Path) -> None:
    """Create `folder`, readable by its owner only, and what is missing above it. Raises FolderUnusable."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
        for each in reversed(missing):
            each.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            sync(each.parent)
    except OSError as error:
        raise _unusable(folder, error) from error


def close(folder: Path, database: str) -> None:
    """Keep others out of a data folder that was made by hand, or say that they can look into it.

    A folder that holds other things than ours, or is another user's, stays as it is: somebody may need it open.
    Raises FolderUnusable.
    """
    try:
        found = folder.stat()
        if not found.st_mode & _OTHERS:
            return
        ours = (folder / database).exists() or not any(folder.iterdir())
        if ours and found.st_uid == os.geteuid():
            folder.chmod(found.st_mode & _PRIVATE_FOLDER)
        else:
            log.warning("other users can look into the data folder %s; `chmod 700` keeps them out", folder)
    except OSError as error:
        raise _unusable(folder, error) from error


def touch(path: Path) -> None:
    """Create the file `path`, readable by its owner only, where it is missing. Raises FolderUnusable."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE))
    except OSError as error:
        raise _unusable(path, error) from error


def sync(folder: Path) -> None:
    """Make the names in `folder` durable: a new file survives a power cut only once its folder is flushed."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FolderLock:
    """The right to a data folder, held until `release` or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises FolderInUse, FolderUnusable."""
        path = folder / "lock"
        touch(path)
        self._file = path.open("r+b", buffering=0)
        try:
            # flock belongs to the open file, so it also keeps a second store of the same process out.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.truncate()
            self._file.write(str(os.getpid()).encode())
        except OSError as error:
            holder = self._file.read(20)
            self._file.close()
            if error.errno == errno.EWOULDBLOCK:
                raise FolderInUse(str(folder), int(holder) if holder.isdigit() else None) from None
            raise _unusable(path, error) from error

    def release(self) -> None:
        """Let another server have the folder; harmless when it has it already."""
        self._file.close()


def _unusable(path: Path, error: OSError) -> FolderUnusable:
    return FolderUnusable(f"cannot use {path} for data: {error.strerror}")
