"""Removes what is left of the events of functions that were deleted, a bounded number at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.store import events

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts


class EventSweeper:
    """Works after each change, and at the start on what a crash left behind."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._changed = parts.directory.watch()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            while await self._store.read(events.deserted):
                await self._store.write(events.sweep)
            await self._changed.wait()
