"""Calls made in a task's stead, on a copy of its socket: what was looked at is what is used, whatever changes then."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_OPENAT2 = 437
_HOW = struct.Struct("=QQQ")
_IN_ROOT = 0x10
_FAMILY_BYTES = 2


def connect(task: int, theirs: socket.socket, packed: bytes) -> int:
    """Connect a task's socket to an address of its own namespaces; returns the number of the error, or 0."""
    named = packed[_FAMILY_BYTES : _FAMILY_BYTES + 1] not in {b"", b"\0"}
    if theirs.family != socket.AF_UNIX or not named:
        return _connect(theirs, packed)
    path = os.fsdecode(packed[_FAMILY_BYTES:].split(b"\0")[0])
    try:
        place = _find(task, path)
    except OSError as failure:
        return failure.errno or errno.EIO
    try:
        return _connect(theirs, packed[:_FAMILY_BYTES] + f"/proc/self/fd/{place}".encode() + b"\0")
    finally:
        os.close(place)


def _connect(theirs: socket.socket, packed: bytes) -> int:
    return 0 if _libc.connect(theirs.fileno(), packed, len(packed)) == 0 else ctypes.get_errno()


def _find(task: int, path: str) -> int:
    """A descriptor of what a task sees at `path`, found as if its root were this process's: no link leads out of it."""
    whole = Path(f"/proc/{task}/cwd").readlink() / path
    root = os.open(f"/proc/{task}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _HOW.pack(os.O_PATH | os.O_CLOEXEC, 0, _IN_ROOT)
        found = int(_libc.syscall(_OPENAT2, root, os.fsencode(str(whole)), how, len(how)))
    finally:
        os.close(root)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found
