"""The sweeper of durable executions: removes those whose function is deleted, or whose time is over, bit by bit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lambent.services.lambda_.durable import ending
from lambent.services.lambda_.store import durable_remains

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.store.api import Transaction


class Sweeper:
    """Works after each change that leaves something, and at the start on what a crash has left. Nobody waits for it:
    what is left is seen by nobody, and its names are free."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        left = self._parts.executions.left
        while True:
            left.clear()
            while await self._parts.store.read(durable_remains.any_left):
                await self._parts.store.write(partial(sweep, now_ms=self._parts.now_ms()))
                self._parts.executions.changed.set()
            await left.wait()


def sweep(tx: Transaction, now_ms: int) -> None:
    """Remove as much as others may wait for. Whatever has called an execution that did not end goes on."""
    going = durable_remains.touched(tx)
    for execution in going:
        ending.dissolve(tx, execution, now_ms)
    durable_remains.remove(tx, going)
