"""The outbox worker: events that a transaction sent leave for their targets, at least once.

Each target has a lane of its own, so one that fails holds up nobody else. Where the target asks for order, its events
leave one by one; where it does not, several at a time. An event is deleted after its target has taken it; a crash
between the two delivers it again. One that no attempt will ever bring there goes to the dead events at once
(`store/dead.py`), and one that fails `OUTBOX_ATTEMPTS` times, with pauses of about 12 minutes in all, after that.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.kernel.errors import AwsError
from lambent.kernel.targets import FINAL, Attribute, Envelope, Refused, Sender
from lambent.store import dead

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambent.kernel.clock import Clock
    from lambent.store.api import Store, Transaction

log = logging.getLogger(__name__)

_envelopes = msgspec.json.Decoder(Envelope)
_EMPTY = Envelope()


class Road(Protocol):
    """Where events leave by: `kernel.targets.Targets`."""

    def ordered(self, arn: str) -> bool:
        """Whether events for `arn` must come one after another."""

    async def deliver(
        self, arn: str, event: bytes, trace: str, sender: Sender | None, attributes: Mapping[str, Attribute]
    ) -> None:
        """Return once the target has taken the event for good."""


class Event(msgspec.Struct, frozen=True):
    """An event on its way to the ARN `target`; `attempts` have failed so far."""

    id: int
    target: str
    event: bytes
    attempts: int
    envelope: Envelope


class Refusal(msgspec.Struct, frozen=True):
    """Why a target has not taken an event, and whether it never will."""

    error: str
    final: bool


class Outbox:
    """Delivers what `tx.send` has put there, over `road`."""

    def __init__(self, store: Store, road: Road, clock: Clock) -> None:
        self._store = store
        self._road = road
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.OUTBOX_CONCURRENCY)
        self._spare = limits.OUTBOX_ABREAST
        """How many deliveries more there may be beside one for each slot."""
        self._unswept = limits.DEAD_EVENTS_SWEPT
        """How many events have died since the dead were last counted."""
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

    async def _drain(self, target: str) -> None:
        while self._more[target]:
            self._more[target] = False
            while (rest := await self._deliver_oldest(target)) is not None:
                if rest:
                    await self._clock.sleep(rest)
        del self._more[target]

    async def _deliver_oldest(self, target: str) -> float | None:
        """Try the oldest events for `target` once; the seconds to rest before the next try, None where none is left."""
        async with self._slots:
            with self._abreast(target) as width:
                events = await self._store.read(lambda tx: _oldest(tx, target, width))
                if not events:
                    return None
                refusals = await asyncio.gather(*map(self._attempt, events))
            return await self._settle(list(zip(events, refusals, strict=True)))

    @contextmanager
    def _abreast(self, target: str) -> Iterator[int]:
        """How many events may leave for `target` together: half of what is spare, so that there is some for others. A
        slow target keeps nobody from leaving one by one."""
        extra = 0 if self._road.ordered(target) else (self._spare + 1) // 2
        self._spare -= extra
        try:
            yield 1 + extra
        finally:
            self._spare += extra

    async def _attempt(self, event: Event) -> Refusal | None:
        """Why the target has refused the event; None where it has taken it."""
        sealed = event.envelope
        try:
            async with deadline(self._clock, limits.OUTBOX_DELIVERY_S):
                await self._road.deliver(event.target, event.event, sealed.trace, sealed.sender, sealed.attributes)
        except Refused as error:  # which is told once for all of them, where they are given up
            return Refusal(str(error), final=True)
        except AwsError as error:
            log.warning("event %d for %s was not taken: %s", event.id, event.target, error)
            return Refusal(str(error), error.code in FINAL)
        except Exception as error:  # a bug in one target must not lose its events, nor stop the others'
            log.warning("event %d for %s was not taken", event.id, event.target, exc_info=True)
            return Refusal(f"{type(error).__name__}: {error}", final=False)
        return None

    async def _settle(self, attempts: list[tuple[Event, Refusal | None]]) -> float:
        """Store what came of `attempts` at events for one target; returns the seconds to rest."""
        taken = [event for event, refusal in attempts if refusal is None]
        given_up = [
            (event, refusal) for event, refusal in attempts if refusal is not None and _hopeless(event, refusal)
        ]
        left = [event for event, refusal in attempts if refusal is not None and not _hopeless(event, refusal)]
        now_ms = int(self._clock.time() * 1000)
        sweep = self._sweeps(len(given_up))

        def work(tx: Transaction) -> None:
            for event in taken:
                _delete(tx, event.id)
            for event in left:
                _failed(tx, event.id, event.attempts + 1)
            for event, refusal in given_up:
                dead.bury(tx, event.id, event.attempts + 1, refusal.error, now_ms)
                _delete(tx, event.id)
            if sweep:
                dead.sweep(tx)

        await self._store.write(work)
        if given_up:
            event, refusal = given_up[-1]
            log.error("gave up %d events for %s, kept as dead events: %s", len(given_up), event.target, refusal.error)
        return min((pause(event.attempts + 1) for event in left), default=0.0)

    def _sweeps(self, died: int) -> bool:
        """Whether the dead are to be counted, now that `died` come to them."""
        self._unswept += died
        due = died > 0 and self._unswept >= limits.DEAD_EVENTS_SWEPT
        if due:
            self._unswept = 0
        return due


def pause(failed: int) -> float:
    """How many seconds to wait after `failed` attempts."""
    doublings = min(failed - 1, 32)
    return min(limits.OUTBOX_RETRY_MIN_S * 2.0**doublings, limits.OUTBOX_RETRY_MAX_S)


def _hopeless(event: Event, refusal: Refusal) -> bool:
    return refusal.final or event.attempts + 1 >= limits.OUTBOX_ATTEMPTS


def _targets(tx: Transaction) -> set[str]:
    return {row[0] for row in tx.all("SELECT DISTINCT target FROM outbox")}


def _oldest(tx: Transaction, target: str, count: int) -> list[Event]:
    rows = tx.all(
        "SELECT id, target, event, attempts, envelope FROM outbox WHERE target = :target ORDER BY id LIMIT :count",
        target=target,
        count=count,
    )
    return [_event(*row) for row in rows]


def _event(event_id: int, target: str, event: bytes, attempts: int, envelope: str | None) -> Event:
    return Event(event_id, target, event, attempts, _EMPTY if envelope is None else _envelopes.decode(envelope))


def _delete(tx: Transaction, event_id: int) -> None:
    tx.run("DELETE FROM outbox WHERE id = :id", id=event_id)


def _failed(tx: Transaction, event_id: int, attempts: int) -> None:
    tx.run("UPDATE outbox SET attempts = :attempts WHERE id = :id", id=event_id, attempts=attempts)
