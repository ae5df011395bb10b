"""A connection that the server serves itself, as long as a front cannot: it goes to a front when that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.wire.connection import Connection
from lambent.wire.fronts.screen import is_hot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from lambent.wire.job import Job
    from lambent.wire.owner import Owner


class Received(Connection):
    """`read` is what was read of it before it came here. `lend` has a front serve the descriptor it is given, and says
    whether one does."""

    __slots__ = ("_hot", "_lend", "_read_before", "_refused")

    def __init__(self, owner: Owner, read: bytes, lend: Callable[[int], bool]) -> None:
        super().__init__(owner)
        self._lend = lend
        self._read_before = read
        self._refused = bool(read)
        self._hot = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        read, self._read_before = self._read_before, b""
        if read and not transport.is_closing():
            self.data_received(read)

    async def _answer(self, job: Job) -> None:
        await super()._answer(job)
        # The first request of a connection that comes from a front is the one that the front could not answer.
        self._hot = is_hot(job.request) and not self._refused
        self._refused = False

    async def _work(self) -> None:
        await super()._work()
        if self._hot:
            self._loop.call_soon(self._give)  # behind the sending of the answer

    @property
    def _at_rest(self) -> bool:
        """Whether nothing is under way: no request, not a part of one, and no answer that is not sent."""
        began = self._in_head or self._held or self._job is not None or self._task is not None
        return not (began or self._last or self._lost or self._transport.get_write_buffer_size())

    def _give(self) -> None:
        """Give the connection to a front, where nothing of it is under way here."""
        if self._at_rest and self._lend(self._transport.get_extra_info("socket").fileno()):
            self._transport.abort()
