"""The channel to a guest: packets over one end of a socket pair that keeps their bounds (SOCK_SEQPACKET).

Bounds kept by the kernel are what makes it safe: whatever else is written to the guest's end arrives as packets of its
own, lacks the environment's secret, and is dropped without the stream getting out of step.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

SECRET_BYTES = 16
_HEAD = SECRET_BYTES + 5
_LEAD = struct.Struct(">IIH")
_CONTINUED = frozenset(b"frey")


class Listener(Protocol):
    """Who is told what the guest says."""

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        """A whole message: `Y` ready, `S` ready to be forked, `F` init failed, `R` result, `E` error, `B` answer too
        large."""

    def hung_up(self) -> None:
        """The guest's end is closed: by its death, or by the function itself."""


def secret(ids: Ids) -> bytes:
    """A new secret of an environment. Its first byte is in no UTF-8 text: what looks like the beginning of a secret is
    held back until more comes, and a line that ends so would not be seen while its function runs."""
    return b"\xff" + ids.bytes(SECRET_BYTES - 1)


def pair() -> tuple[socket.socket, socket.socket]:
    """The server's end and the guest's. The guest's end blocks, the server's never does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


class Channel:
    """The server's end. `limit` bounds the body of a message; a longer one arrives as `B`."""

    def __init__(self, ours: socket.socket, secret: bytes, listener: Listener, limit: int) -> None:
        self._socket = ours
        self._secret = secret
        self._listener = listener
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[bytes | memoryview] = deque()
        self._parts: list[bytes | memoryview] = []
        self._length = 0
        self._open = True
        self._loop.add_reader(ours.fileno(), self._readable)
        self._send(secret)

    def event(self, sequence: int, head: bytes, body: bytes) -> None:
        """Send one event; what the socket does not take at once follows as the guest reads. Hang up on a guest that has
        not read the one before: what it answers is made up, and what it leaves unread is not piled up."""
        if self._unsent:
            self._hang_up()
            return
        first = limits.CHANNEL_PACKET_BYTES - _LEAD.size - len(head)
        lead = _LEAD.pack(sequence, len(body), len(head)) + head
        if len(body) <= first:
            self._send(lead + body)
            return
        view = memoryview(body)
        self._send(lead + body[:first])
        for start in range(first, len(body), limits.CHANNEL_PACKET_BYTES):
            self._send(view[start : start + limits.CHANNEL_PACKET_BYTES])

    def drain(self) -> None:
        """Hear what has arrived already. A guest that floods the channel is not listened to for ever."""
        for _ in range(limits.CHANNEL_PACKETS_DRAINED):
            if not self._receive():
                return

    def close(self) -> None:
        """Stop listening and hang up; harmless when done before."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._unsent.clear()
            self._parts.clear()
            self._socket.close()

    def _hang_up(self) -> None:
        """The listener is told as soon as the reader finds the connection ended."""
        self._unsent.clear()
        self._loop.remove_writer(self._socket.fileno())
        self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, packet: bytes | memoryview) -> None:
        if self._unsent:
            self._unsent.append(packet)
        elif self._open and not self._take(packet):
            self._unsent.append(packet)
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        while self._unsent and self._take(self._unsent[0]):
            self._unsent.popleft()
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())

    def _take(self, packet: bytes | memoryview) -> bool:
        try:
            self._socket.send(packet)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True  # the guest is gone; its end tells the listener
        return True

    def _readable(self) -> None:
        for _ in range(limits.CHANNEL_PACKETS_PER_TURN):
            if not self._receive() or not self._parts:
                return

    def _receive(self) -> bool:
        """Take one packet; False where there is none."""
        if not self._open:
            return False
        try:
            packet = self._socket.recv(limits.CHANNEL_PACKET_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionResetError:  # said once where it left something unread, before what it has said itself
            return True
        except OSError:
            packet = b""
        if not packet and self._closed_there():
            self.close()
            self._listener.hung_up()
            return False
        if len(packet) >= _HEAD and packet.startswith(self._secret):
            self._packet(packet)
        return True

    def _closed_there(self) -> bool:
        """An empty packet, which the function can send, looks like the end of the connection."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    def _packet(self, packet: bytes) -> None:
        kind = packet[SECRET_BYTES]
        size = len(packet) - _HEAD
        if kind in _CONTINUED:
            self._length += max(size, limits.CHANNEL_PART_BYTES)  # a part costs more than its few bytes
            if self._length <= self._limit:
                # No copy: of 6 MB it costs as much as all else that is done with them here. Of few bytes a view does.
                large = size > limits.CHANNEL_PART_BYTES
                self._parts.append(memoryview(packet)[_HEAD:] if large else packet[_HEAD:])
            return
        self._length += size
        body = packet[_HEAD:]
        too_long = self._length > self._limit
        if self._parts:
            self._parts.append(body)
            body = b"" if too_long else b"".join(self._parts)
            self._parts.clear()
        self._length = 0
        sequence = int.from_bytes(packet[SECRET_BYTES + 1 : _HEAD], "big")
        self._listener.heard(b"B" if too_long else packet[SECRET_BYTES : SECRET_BYTES + 1], sequence, body)
