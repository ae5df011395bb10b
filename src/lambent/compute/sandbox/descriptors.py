"""What the cells of the levels with walls do with bare descriptors."""

from __future__ import annotations

import os
import socket
from typing import Final

from lambent.kernel import limits

_STATUS_BYTES: Final = 4 * limits.KIB


def internet(descriptor: int) -> socket.socket:
    """A socket that came from a cell, non-blocking."""
    made = socket.socket(fileno=descriptor)
    made.setblocking(False)
    return made


def pipe() -> tuple[int, int]:
    """A pipe whose read end, the server's, does not block."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing


def high_water(status: int) -> int:
    """The peak resident size in bytes from an open /proc/PID/status; 0 once the process has ended."""
    try:
        text = os.pread(status, _STATUS_BYTES, 0)
    except ProcessLookupError:
        return 0
    _, found, rest = text.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * limits.KIB if found else 0
