"""The memory that request bodies may take together; above it, a caller is asked to come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.body import WholeBody
from lambent.wire.checked import gather

if TYPE_CHECKING:
    from lambent.kernel.body import Body


class Busy(Exception):
    """The bodies of other requests take all there is."""


class Budget:
    """So many bytes of bodies at a time, for all connections."""

    def __init__(self, size: int) -> None:
        self.left = size


class Hold:
    """What one request takes of a budget, until it is released."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    async def read(self, body: Body, limit: int) -> bytes:
        """All of `body`, counted as it comes and not as it is announced. Raises Busy besides what `Body.read` does."""
        if isinstance(body, WholeBody):
            return await body.read(limit)  # bounded, and held by its connection already
        return await gather(body, limit, self._take)

    def release(self) -> None:
        """The request is answered."""
        self._budget.left += self._size
        self._size = 0

    def _take(self, count: int) -> None:
        if count > self._budget.left:
            raise Busy
        self._budget.left -= count
        self._size += count
