"""Dead events: those that the outbox gave up, kept with their errors until an operator sends or forgets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.kernel.targets import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.store.api import Store, Transaction


class DeadEvent(msgspec.Struct, frozen=True):
    """An event that was given up, and the last error of its target. Its content is asked for by its id."""

    id: int
    target: str
    size: int
    """Of its content, in bytes."""
    attempts: int
    error: str
    died_ms: int
    """Milliseconds since the epoch; 0 for those that died before this was kept."""


class DeadEvents:
    """The dead events of a store, for an operator."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, after: int = 0, count: int = limits.OUTBOX_PAGE) -> list[DeadEvent]:
        """The oldest that came after the one called `after`, at most `count`."""
        return await self._store.read(lambda tx: _page(tx, after, count))

    async def content(self, event_id: int) -> bytes | None:
        """What would have been delivered; None where there is no such event."""
        return await self._store.read(lambda tx: _content(tx, event_id))

    async def revive(self, event_id: int) -> bool:
        """Send it again, behind what waits for its target; returns whether there was such an event."""
        return await self._store.write(lambda tx: _revive(tx, event_id))

    async def revive_all(self) -> int:
        """Send again all that are dead now; returns how many."""
        return await self._each(_revive)

    async def forget(self, event_id: int) -> bool:
        """Remove it; returns whether there was such an event."""
        return await self._store.write(lambda tx: _forget(tx, event_id))

    async def forget_all(self) -> int:
        """Remove all that are dead now; returns how many."""
        return await self._each(_forget)

    async def _each(self, change: Callable[[Transaction, int], bool]) -> int:
        """Change all that are dead now, a page in a transaction. Those that die again meanwhile have higher ids."""
        last, done = await self._store.read(_last), 0

        def work(tx: Transaction) -> int:
            events = [event.id for event in _page(tx, 0, limits.OUTBOX_PAGE) if event.id <= last]
            return sum(change(tx, event_id) for event_id in events)

        while changed := await self._store.write(work):
            done += changed
        return done


def bury(tx: Transaction, event_id: int, attempts: int, error: str, now_ms: int) -> None:
    """Keep an event of the outbox among the dead; the outbox deletes it."""
    tx.run(
        "INSERT INTO dead_events (id, target, event, envelope, attempts, error, died_ms)"
        " SELECT id, target, event, envelope, :attempts, :error, :now_ms FROM outbox WHERE id = :id",
        id=event_id,
        attempts=attempts,
        error=error,
        now_ms=now_ms,
    )


def sweep(tx: Transaction) -> int:
    """Forget the oldest beyond as many, and as many bytes, as are kept; returns how many."""
    return tx.run(
        "DELETE FROM dead_events WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS place,"
        " SUM(LENGTH(event)) OVER (ORDER BY id DESC) AS size FROM dead_events) AS counted"
        " WHERE place > :most OR size > :bytes)",
        most=limits.DEAD_EVENTS,
        bytes=limits.DEAD_EVENTS_BYTES,
    )


def _page(tx: Transaction, after: int, count: int) -> list[DeadEvent]:
    rows = tx.all(
        "SELECT id, target, LENGTH(event), attempts, error, died_ms FROM dead_events"
        " WHERE id > :after ORDER BY id LIMIT :count",
        after=after,
        count=count,
    )
    return [DeadEvent(*row) for row in rows]


def _last(tx: Transaction) -> int:
    row = tx.one("SELECT MAX(id) FROM dead_events")
    return 0 if row is None or row[0] is None else int(row[0])


def _content(tx: Transaction, event_id: int) -> bytes | None:
    row = tx.one("SELECT event FROM dead_events WHERE id = :id", id=event_id)
    return None if row is None else bytes(row[0])


def _revive(tx: Transaction, event_id: int) -> bool:
    row = tx.one("SELECT target, event, envelope FROM dead_events WHERE id = :id", id=event_id)
    if row is None:
        return False
    target, event, envelope = row
    sealed = Envelope() if envelope is None else msgspec.json.decode(envelope, type=Envelope)
    tx.send(target, event, sealed.trace, sealed.sender, sealed.attributes)
    return _forget(tx, event_id)


def _forget(tx: Transaction, event_id: int) -> bool:
    return tx.run("DELETE FROM dead_events WHERE id = :id", id=event_id) > 0
