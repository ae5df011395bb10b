"""The background loop of the service: what is deleted or has expired is cleared away in small steps."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.logs.rules.retention import oldest
from lambent.services.logs.store import chunks, groups

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.store.api import Store


class Sweeper:
    """Deletes expired chunks every LOG_SWEEP_S, and at once what deleted groups and streams leave behind.

    Each step is a transaction of its own, so that writers of other services never wait for a large log group.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Sweep soon: something was deleted."""
        self._due.set()

    async def run(self) -> None:
        """Sweep until cancelled; the first time at once, for what an earlier run of the server left."""
        while True:
            self._due.clear()
            timer = self._clock.call_later(limits.LOG_SWEEP_S, self._due.set)
            try:
                await self.sweep()
                await self._due.wait()
            finally:
                timer.cancel()

    async def sweep(self) -> None:
        """Clear away all that is deleted or has expired now."""
        while await self._store.write(chunks.clear):
            pass
        now_ms = int(self._clock.time() * 1000)
        for group_id, days in await self._store.read(groups.keeping):
            while await self._store.write(partial(chunks.expire, group_id=group_id, oldest=oldest(now_ms, days))):
                pass
