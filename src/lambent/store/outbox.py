"""The outbox worker: events that a transaction sent leave for their targets, at least once and in order per target.

Each target has a lane of its own, so one that fails holds up nobody else. An event is deleted after its target has
taken it; a crash between the two delivers it again. One that fails `OUTBOX_ATTEMPTS` times, with pauses of about 12
minutes in all, moves to the dead events, where it is kept with its error until somebody revives it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.kernel.clock import deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.kernel.clock import Clock
    from lambent.store.api import Store, Transaction

log = logging.getLogger(__name__)


class Event(msgspec.Struct, frozen=True):
    """An event on its way to the ARN `target`; `attempts` have failed so far."""

    id: int
    target: str
    event: bytes
    attempts: int


class DeadEvent(msgspec.Struct, frozen=True):
    """An event that was given up, and the last error of its target."""

    id: int
    target: str
    event: bytes
    attempts: int
    error: str


class Outbox:
    """Delivers through `deliver(target, event)`, which returns once the target has taken the event for good."""

    def __init__(self, store: Store, deliver: Callable[[str, bytes], Awaitable[None]], clock: Clock) -> None:
        self._store = store
        self._deliver = deliver
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.OUTBOX_CONCURRENCY)
        self._more: dict[str, bool] = {}
        """The targets that have a lane, and whether more was sent to them since the lane last looked."""

    async def run(self) -> None:
        """Deliver until cancelled, first what an earlier run left behind."""
        self._more.clear()
        async with asyncio.TaskGroup() as lanes:
            targets = await self._store.read(_targets)
            while True:
                for target in targets:
                    if target not in self._more:
                        lanes.create_task(self._drain(target), name=f"outbox {target}")
                    self._more[target] = True
                targets = await self._store.sent()

    async def dead(self, count: int = limits.OUTBOX_PAGE) -> list[DeadEvent]:
        """The oldest events that were given up, at most `count`."""
        return await self._store.read(lambda tx: _dead(tx, count))

    async def revive(self, event_id: int) -> bool:
        """Send a dead event again, behind what waits for its target; returns whether there was such an event."""
        return await self._store.write(lambda tx: _revive(tx, event_id))

    async def _drain(self, target: str) -> None:
        while self._more[target]:
            self._more[target] = False
            while (rest := await self._deliver_oldest(target)) is not None:
                if rest:
                    await self._clock.sleep(rest)
        del self._more[target]

    async def _deliver_oldest(self, target: str) -> float | None:
        """Try the oldest event for `target` once; the seconds to rest before the next try, None where none is left."""
        async with self._slots:
            event = await self._store.read(lambda tx: _oldest(tx, target))
            if event is None:
                return None
            error = await self._attempt(event)
            if error is None:
                await self._store.write(lambda tx: _delete(tx, event.id))
                return 0.0
            failed = event.attempts + 1
            if failed >= limits.OUTBOX_ATTEMPTS:
                await self._store.write(lambda tx: _bury(tx, event.id, failed, error))
                log.error("gave up event %d for %s after %d attempts: %s", event.id, target, failed, error)
                return 0.0
            await self._store.write(lambda tx: _failed(tx, event.id, failed))
            return pause(failed)

    async def _attempt(self, event: Event) -> str | None:
        """The error with which the target refused the event, or None."""
        try:
            async with deadline(self._clock, limits.OUTBOX_DELIVERY_S):
                await self._deliver(event.target, event.event)
        except Exception as error:  # a bug in one target must not lose its events, nor stop the others'
            log.warning("event %d for %s was not taken", event.id, event.target, exc_info=True)
            return f"{type(error).__name__}: {error}"
        return None


def pause(failed: int) -> float:
    """How many seconds to wait after `failed` attempts."""
    doublings = min(failed - 1, 32)
    return min(limits.OUTBOX_RETRY_MIN_S * 2.0**doublings, limits.OUTBOX_RETRY_MAX_S)


def _targets(tx: Transaction) -> set[str]:
    return {row[0] for row in tx.all("SELECT DISTINCT target FROM outbox")}


def _oldest(tx: Transaction, target: str) -> Event | None:
    row = tx.one(
        "SELECT id, target, event, attempts FROM outbox WHERE target = :target ORDER BY id LIMIT 1", target=target
    )
    return None if row is None else Event(*row)


def _delete(tx: Transaction, event_id: int) -> None:
    tx.run("DELETE FROM outbox WHERE id = :id", id=event_id)


def _failed(tx: Transaction, event_id: int, attempts: int) -> None:
    tx.run("UPDATE outbox SET attempts = :attempts WHERE id = :id", id=event_id, attempts=attempts)


def _bury(tx: Transaction, event_id: int, attempts: int, error: str) -> None:
    tx.run(
        "INSERT INTO dead_events (id, target, event, attempts, error)"
        " SELECT id, target, event, :attempts, :error FROM outbox WHERE id = :id",
        id=event_id,
        attempts=attempts,
        error=error,
    )
    _delete(tx, event_id)


def _dead(tx: Transaction, count: int) -> list[DeadEvent]:
    rows = tx.all("SELECT id, target, event, attempts, error FROM dead_events ORDER BY id LIMIT :count", count=count)
    return [DeadEvent(*row) for row in rows]


def _revive(tx: Transaction, event_id: int) -> bool:
    row = tx.one("SELECT target, event FROM dead_events WHERE id = :id", id=event_id)
    if row is None:
        return False
    tx.run("DELETE FROM dead_events WHERE id = :id", id=event_id)
    tx.send(*row)
    return True
