"""So many bytes that may be in memory at a time: who comes first is served first."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Held:
    """What somebody has of an allowance."""

    def __init__(self, allowance: Allowance, size: int) -> None:
        self.size = size
        self._allowance = allowance

    def shrink(self, size: int) -> None:
        """Give back what is above `size` bytes."""
        spare = max(self.size - size, 0)
        self.size -= spare
        self._allowance.give(spare)


class Allowance:
    """Bytes for everybody. Who wants more than there is at all gets all of it, alone."""

    def __init__(self, size: int) -> None:
        self._most = self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[Held]:
        """Wait for `size` bytes, and have them until the end."""
        size = min(size, self._most)
        await self._take(size)
        held = Held(self, size)
        try:
            yield held
        finally:
            held.shrink(0)

    def give(self, size: int) -> None:
        """So many bytes are free again. Who has gone away is passed over, here: it may not know yet itself."""
        self._left += size
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._left):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._left -= wanted
                turn.set_result(None)

    async def _take(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self.give(0)
        try:
            await turn
        except asyncio.CancelledError:
            self.give(0 if turn.cancelled() else size)
            raise
