"""How an attempt of any kind is told: by the name of its error."""

# ruff: noqa: PTH123 what is probed are the system's own calls

import ctypes
import errno
import os

LIBC = ctypes.CDLL(None, use_errno=True)
AARCH64 = os.uname().machine == "aarch64"
MEBIBYTE = 1 << 20
READ_LIMIT = 1 << 16


def outcome(attempt):
    """The name of the error that `attempt` ends with, or `done`."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"


def call(number, *arguments):
    """The name of the error of a raw system call, or `done`."""
    ctypes.set_errno(0)
    arguments = [value if isinstance(value, (bytes, ctypes.Array)) else ctypes.c_long(value) for value in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"


def read(paths):
    """What the first bytes of files are, or why not."""
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                found[path] = file.read(READ_LIMIT).decode("latin-1")
        except OSError as error:
            found[path] = errno.errorcode[error.errno]
    return found
