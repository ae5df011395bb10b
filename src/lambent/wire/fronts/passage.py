"""The passage between the server and a front: connections as descriptors, each with what was read of it already.

Packets over a socket pair that keeps their bounds (SOCK_SEQPACKET). The first packet of a connection has its descriptor
and the number of bytes that were read; those that do not fit into it follow.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import sys
from collections import deque
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH_BYTES = 4
_ROOM = socket.CMSG_LEN(struct.calcsize("i"))
"""For one descriptor. `socket.recv_fds` would leave it open in every program that the server starts."""
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}
"""There is no room for one more descriptor, in a process or on the way."""


class Passage:
    """One end; takes `ours` over. `arrived` is told each connection that comes, with what was read of it; `dropped`
    that one could not be sent or received for want of descriptors, which ends it."""

    def __init__(
        self, ours: socket.socket, arrived: Callable[[socket.socket, bytes], None], dropped: Callable[[], None]
    ) -> None:
        self._socket = ours
        self._arrived = arrived
        self._dropped = dropped
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[bytes, int | None]] = deque()
        self._coming: socket.socket | None = None
        self._pieces: list[bytes] = []
        self._missing = 0
        self._open = True
        self._flushed: asyncio.Future[None] | None = None
        ours.setblocking(False)
        self._loop.add_reader(ours.fileno(), self._readable)

    @property
    def blocked(self) -> bool:
        """Whether the other end does not keep up, or is gone."""
        return bool(self._unsent) or not self._open

    def hand(self, descriptor: int, read: bytes) -> None:
        """Hand over the connection of `descriptor`, of which `read` was read. The caller closes its own descriptor."""
        first = limits.FRONT_PACKET_BYTES - _LENGTH_BYTES
        self._send(len(read).to_bytes(_LENGTH_BYTES, "big") + read[:first], descriptor)
        for start in range(first, len(read), limits.FRONT_PACKET_BYTES):
            self._send(read[start : start + limits.FRONT_PACKET_BYTES], None)

    async def flush(self) -> None:
        """Return once all has been handed over, or nobody takes it any more."""
        if self.blocked and self._open:
            self._flushed = self._loop.create_future()
            await self._flushed

    def drain(self) -> None:
        """Take what the other end has handed over before it went."""
        while self._open and self._read():
            pass

    def close(self) -> None:
        """Let go of the socket, and of what is still to be handed over. Harmless twice."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        for _, descriptor in self._unsent:
            if descriptor is not None:
                os.close(descriptor)
        self._unsent.clear()
        if self._coming is not None:
            self._coming.close()
        self._socket.close()
        self._settle()

    def _send(self, packet: bytes, descriptor: int | None) -> None:
        if self._unsent or not self._taken(packet, descriptor):
            if not self._unsent:
                self._loop.add_writer(self._socket.fileno(), self._writable)
            self._put_off(packet, descriptor)

    def _put_off(self, packet: bytes, descriptor: int | None) -> None:
        try:
            self._unsent.append((packet, None if descriptor is None else os.dup(descriptor)))
        except OSError:
            self._dropped()

    def _writable(self) -> None:
        while self._unsent and self._taken(*self._unsent[0]):
            _, descriptor = self._unsent.popleft()
            if descriptor is not None:
                os.close(descriptor)
        if not self._unsent and self._open:
            self._loop.remove_writer(self._socket.fileno())
            self._settle()

    def _settle(self) -> None:
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    def _taken(self, packet: bytes, descriptor: int | None) -> bool:
        try:
            if descriptor is None:
                self._socket.send(packet)
            else:
                socket.send_fds(self._socket, [packet], [descriptor])
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as failure:
            if failure.errno in _FULL:
                if descriptor is None:
                    return False  # once more: what follows must not be taken for the rest of this connection
                self._dropped()
            # Otherwise the other process is gone, which its link tells; clients are told by their connections' end.
        return True

    def _readable(self) -> None:
        for _ in range(limits.FRONT_PACKETS_PER_TURN):
            if not self._read():
                return

    def _read(self) -> bool:
        """Take a packet; False where there is none for now, or will be none."""
        try:
            packet, told, flags, _ = self._socket.recvmsg(limits.FRONT_PACKET_BYTES, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionResetError:  # said once where it left something unread, before what it has handed over
            return True
        except OSError:
            packet, told, flags = b"", [], 0
        if not packet:
            self.close()
        elif flags & socket.MSG_CTRUNC:
            self._dropped()  # and what follows of it belongs to no connection
        else:
            self._packet(packet, told)
        return bool(packet)

    def _packet(self, packet: bytes, told: list[tuple[int, int, bytes]]) -> None:
        for _, _, descriptor in told:
            self._coming = socket.socket(fileno=int.from_bytes(descriptor, sys.byteorder))
            self._missing = int.from_bytes(packet[:_LENGTH_BYTES], "big")
            packet = packet[_LENGTH_BYTES:]
        if self._coming is None:
            return
        self._pieces.append(packet)
        self._missing -= len(packet)
        if self._missing <= 0:
            connection, self._coming = self._coming, None
            read = b"".join(self._pieces)
            self._pieces.clear()
            self._arrived(connection, read)
