"""How long a connection waits for its client: one timer that looks now and then whether anything has changed.

What is waited for is a kind and a number that changes as the client delivers. The owner of a `Patience` is asked at
each look, so nothing on the way of a request ever asks for the time or sets a timer.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING, Literal

from lambent.kernel import limits

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from lambent.kernel.clock import Clock, Timer

Kind = Literal["idle", "head", "body", "write", "linger"]
Wait = tuple[Kind, int]

_LIMITS: dict[Kind, float] = {
    "idle": limits.HTTP_KEEP_ALIVE_S,
    "head": limits.HTTP_HEAD_S,
    "body": limits.HTTP_REQUEST_IDLE_S,
    "write": limits.HTTP_REQUEST_IDLE_S,
    "linger": limits.HTTP_LINGER_S,
}

_BYTES_ACKED = struct.Struct("120x Q")
"""Where `struct tcp_info` of linux/tcp.h has what the other end has acknowledged, since Linux 4.1."""


def reading(transport: asyncio.WriteTransport) -> Wait | None:
    """The wait for a client to read what is written to it; None where all is on its way.

    Linux knows how much has arrived, so nobody needs to count what is written; elsewhere what is left has to do.
    """
    unsent = transport.get_write_buffer_size()
    if not unsent:
        return None
    if not sys.platform.startswith("linux"):
        return "write", unsent
    found: socket.socket = transport.get_extra_info("socket")
    (arrived,) = _BYTES_ACKED.unpack(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size))
    return "write", arrived // limits.HTTP_TRICKLE_BYTES


class Patience:
    """Calls `give_up` with the kind of wait that has lasted too long; `stop` ends it."""

    __slots__ = ("_clock", "_give_up", "_since", "_timer", "_wait", "_waiting_for")

    def __init__(self, clock: Clock, waiting_for: Callable[[], Wait | None], give_up: Callable[[Kind], None]) -> None:
        """`waiting_for` answers None where the client owes nothing."""
        self._clock = clock
        self._waiting_for = waiting_for
        self._give_up = give_up
        self._wait: Wait | None = None
        self._since = 0.0
        self._timer: Timer | None = clock.call_later(limits.HTTP_TICK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._clock.monotonic()
        wait = self._waiting_for()
        self._timer = self._clock.call_later(limits.HTTP_TICK_S, self._look)
        if wait is None or wait != self._wait:
            self._wait = wait
            self._since = now
        elif now - self._since >= _LIMITS[wait[0]]:
            self._give_up(wait[0])
