"""The users of a server's cells: a block of numbers that no other server of the machine has at the same time.

What the kernel counts by user (processes, pending signals, inotify's watches, message queues) it counts whosever server
a process belongs to: with one block for all, a bomb in a cell of one would be felt in a cell of another. Who holds a
block has locked the byte of its number in a file, and the kernel lets go of that however the server ends. Servers that
see different files, in containers say, are kept apart by chance alone: the search begins anywhere.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

log = logging.getLogger(__name__)

_CLAIMS: Final = Path("/run/lambent/users")
_NAMESPACE: Final = (Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))
_LOCK: Final = struct.Struct("hhqqi4x")
"""`struct flock` of Linux with 64 bits: kind, from where, start, length, process, which is none here."""
_TAKEN: Final = {errno.EAGAIN, errno.EACCES}


class Users(NamedTuple):
    """A block of CELLS users, and of groups with the same numbers."""

    first: int
    claim: int | None
    """The descriptor that keeps others out."""

    def close(self) -> None:
        """Let others have them."""
        if self.claim is not None:
            os.close(self.claim)


def claim(ids: Ids, claims: Path = _CLAIMS, namespace: tuple[Path, Path] = _NAMESPACE) -> Users:
    """A block that is nobody's, until `close` or the end of this process. Raises OSError where there is none.

    `claims` is the file with the locks; where it cannot be had, for /run may be read-only, the block is one at random.
    `namespace` are the tables of users and of groups that there are in this user namespace.
    """
    blocks = _blocks(namespace)
    start = int.from_bytes(ids.bytes(4), "big") % len(blocks)
    descriptor = _opened(claims)
    if descriptor is None:
        return Users(blocks[start], None)
    for first in (*blocks[start:], *blocks[:start]):
        if _locked(descriptor, first):
            return Users(first, descriptor)
    os.close(descriptor)
    raise OSError(f"other servers have all users that environments may have: see {claims}")


def _blocks(namespace: tuple[Path, Path]) -> list[int]:
    """The first user of each block that is whole in this user namespace. Raises OSError where none is."""
    tables = [_extents(table) for table in namespace]
    every = range(limits.CELL_USERS_FROM, _end(limits.CELL_USERS_FROM, limits.CELL_USER_BLOCKS), limits.CELLS)
    found = [
        first
        for first in every
        if all(any(first >= low and _end(first) <= high for low, high in table) for table in tables)
    ]
    if not found:
        raise OSError(f"this user namespace has no users and groups from {limits.CELL_USERS_FROM} on")
    return found


def _end(first: int, blocks: int = 1) -> int:
    return first + blocks * limits.CELLS


def _extents(table: Path) -> list[tuple[int, int]]:
    """The first numbers, and those after the last: https://man7.org/linux/man-pages/man7/user_namespaces.7.html"""
    rows = [tuple(map(int, line.split())) for line in table.read_text().splitlines()]
    return [(first, first + count) for first, _, count in rows]


def _opened(claims: Path) -> int | None:
    try:
        claims.parent.mkdir(mode=0o755, exist_ok=True)
        return os.open(claims, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("another server may by chance have the same users for its environments: %s", error)
        return None


def _locked(descriptor: int, byte: int) -> bool:
    """Whether the byte is this descriptor's from here on, and no other's of whatever process."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True
