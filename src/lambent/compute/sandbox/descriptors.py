"""What the cells of the levels with walls do with bare descriptors."""

from __future__ import annotations

import os
import socket
from array import array
from typing import TYPE_CHECKING, Final, TypeAlias

from lambent.kernel import limits

if TYPE_CHECKING:
    from contextlib import ExitStack

Socket: TypeAlias = socket.socket
"""Its name in a class that has a method of this name."""
_STATUS_BYTES: Final = 4 * limits.KIB
_SIZE: Final = array("i").itemsize
# Plain numbers: arithmetic with members of an enumeration is many times as dear.
_LEVEL: Final = int(socket.SOL_SOCKET)
_RIGHTS: Final = int(socket.SCM_RIGHTS)
_CLOSED: Final = int(socket.MSG_CMSG_CLOEXEC)
_LOST: Final = int(socket.MSG_CTRUNC)


def internet(descriptor: int) -> socket.socket:
    """A socket that came from a cell, non-blocking."""
    made = socket.socket(fileno=descriptor)
    made.setblocking(False)
    return made


def received(source: socket.socket, most: int) -> tuple[bytes, list[int], bool]:
    """A packet, up to `most` descriptors that came with it, and whether some were lost. `socket.recv_fds` would leave
    them open in every program that the server starts. Raises BlockingIOError and ConnectionResetError."""
    packet, told, flags, _ = source.recvmsg(limits.CELL_PACKET_BYTES, socket.CMSG_LEN(most * _SIZE), _CLOSED)
    descriptors = array("i")
    for level, kind, data in told:
        if level == _LEVEL and kind == _RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % _SIZE])
    return packet, descriptors.tolist(), bool(flags & _LOST)


def pipe(undo: ExitStack) -> tuple[int, int]:
    """A pipe whose read end, the server's, does not block; `undo` closes both."""
    reading, writing = os.pipe()
    undo.callback(os.close, reading)
    undo.callback(os.close, writing)
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


class Ends:
    """The server's ends of what belongs to a cell, or a branch of one: each is closed with it unless somebody has taken
    it. See `api.Cell`."""

    def __init__(self) -> None:
        self._untaken: dict[str, Socket | int] = {}
        self._closed = False
        self._channel: Socket
        self._output: int
        self._frames: int
        self._runtime_api: Socket

    @property
    def channel(self) -> Socket:
        self._take("channel")
        return self._channel

    @property
    def output(self) -> int:
        self._take("output")
        return self._output

    @property
    def frames(self) -> int:
        self._take("frames")
        return self._frames

    @property
    def runtime_api(self) -> Socket:
        self._take("runtime_api")
        return self._runtime_api

    def _take(self, name: str) -> None:
        """Raises ProcessLookupError where that end is closed, and its number may be something else's."""
        if self._closed and name in self._untaken:
            raise ProcessLookupError("the cell is gone")
        self._untaken.pop(name, None)

    def _hold(self, channel: Socket, output: int, frames: int) -> None:
        self._channel, self._output, self._frames = channel, output, frames
        self._untaken |= {"channel": channel, "output": output, "frames": frames}

    def _hold_runtime_api(self, listener: Socket) -> None:
        self._runtime_api = self._untaken["runtime_api"] = listener

    def _close_untaken(self) -> None:
        self._closed = True
        for each in self._untaken.values():
            os.close(each) if isinstance(each, int) else each.close()
