"""Packets to a process of ours, over a socket that keeps their bounds (SOCK_SEQPACKET): none is lost, and none waited
for. What the socket does not take at once, for the other side has not read what came before, follows as it reads."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Sequence


class Letters:
    """Those that go out by one socket, which stays the caller's and does not block."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[bytes, list[int]]] = deque()

    def send(self, packet: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a packet, with copies of descriptors. Raises OSError where the other side is gone, or has left
        CELL_PACKETS_UNSENT unread beyond what the kernel holds."""
        if not self._unsent and self._taken(packet, descriptors):
            return
        if len(self._unsent) >= limits.CELL_PACKETS_UNSENT:
            raise OSError("a cell or a zygote does not read what it is told")
        self._unsent.append((packet, _copies(descriptors)))
        if len(self._unsent) == 1:
            self._loop.add_writer(self._control.fileno(), self._writable)

    def close(self) -> None:
        """Send no more; harmless twice. Before the socket is closed."""
        if self._unsent:
            self._loop.remove_writer(self._control.fileno())
            self._drop(len(self._unsent))

    def _taken(self, packet: bytes, descriptors: Sequence[int]) -> bool:
        """Raises OSError."""
        try:
            if descriptors:
                socket.send_fds(self._control, [packet], descriptors)
            else:
                self._control.send(packet)
        except BlockingIOError:
            return False
        return True

    def _writable(self) -> None:
        try:
            while self._unsent and self._taken(*self._unsent[0]):
                self._drop(1)
        except OSError:  # the other side is gone, which is told by its end
            self._drop(len(self._unsent))
        if not self._unsent:
            self._loop.remove_writer(self._control.fileno())

    def _drop(self, count: int) -> None:
        for _ in range(count):
            _, descriptors = self._unsent.popleft()
            for each in descriptors:
                os.close(each)


def _copies(descriptors: Sequence[int]) -> list[int]:
    copies = []
    with ExitStack() as undo:
        for each in descriptors:
            copies.append(os.dup(each))
            undo.callback(os.close, copies[-1])
        undo.pop_all()
    return copies
