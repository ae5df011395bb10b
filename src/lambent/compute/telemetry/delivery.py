"""The delivery of one subscription's events: gathered, sent in order, and dropped by count where nobody takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from lambent.compute.telemetry import events, schemas
from lambent.compute.telemetry.wires import Refused, wire
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.telemetry.subscriptions import Subscription
    from lambent.compute.telemetry.wires import Connect
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.tasks import Supervisor

_BATCHES_HELD = 2
"""So many batches may wait behind the one on its way."""
_TOO_SLOW = "Some logs were dropped because the downstream consumer is slower than the logs production rate"


class Delivery:
    """Sends events to one extension.

    A listener that does not answer holds up its own events only: there is no limit of time for an answer, since the
    environment may be frozen meanwhile, but one of memory. What is beyond it is dropped, and so is a batch that is
    refused or cannot be delivered in TELEMETRY_ATTEMPTS; the next batch begins with the count of it, which `dropped` is
    told as well once it has arrived.
    """

    def __init__(
        self,
        extension: str,
        subscription: Subscription,
        connect: Connect,
        clock: Clock,
        supervisor: Supervisor,
        dropped: Callable[[events.LogsDropped], None],
    ) -> None:
        self.subscription = subscription
        self._clock = clock
        self._dropped = dropped
        self._wire = wire(subscription.destination, connect)
        self._most_items = subscription.buffering.max_items
        self._most_bytes = subscription.buffering.max_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._lost = _Lost()
        self._due = asyncio.Event()
        self._timer: Timer | None = None
        self._offered = 0
        self._settled = 0
        self._progress = asyncio.Event()
        self._task = supervisor.start(f"telemetry of {extension}", self._run())

    def offer(self, event: bytes) -> None:
        """Take an event to be sent."""
        waiting = self._waiting
        if waiting and (
            len(waiting) >= _BATCHES_HELD * self._most_items
            or self._waiting_bytes + len(event) > _BATCHES_HELD * self._most_bytes
        ):
            self.lose(1, len(event), _TOO_SLOW)
            return
        waiting.append(event)
        self._waiting_bytes += len(event)
        self._offered += 1
        if self._full():
            self._due.set()
        elif self._timer is None:
            self._timer = self._clock.call_later(self.subscription.buffering.timeout_ms / 1000, self._due.set)

    def lose(self, records: int, size: int, reason: str) -> None:
        """Count events that the extension will not get."""
        self._lost.add(records, size, reason)

    def hurry(self) -> None:
        """Send what has come, however little it is."""
        if self._waiting:
            self._due.set()

    async def flush(self) -> None:
        """Send what has come until now, and wait until it has arrived or was dropped."""
        goal = self._offered
        while self._settled < goal:
            self.hurry()
            self._progress.clear()
            await self._progress.wait()

    def close(self) -> None:
        """Stop. What waits is not sent any more; what was dropped is told."""
        self._task.cancel()
        self._stop_timer()
        self._wire.close()
        if self._lost.records:
            self._dropped(self._lost.record())

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            lost, batch = self._take()
            await self._deliver(lost, batch)

    def _take(self) -> tuple[_Lost, list[bytes]]:
        """The next batch, and what its first event counts as lost."""
        self._stop_timer()
        batch: list[bytes] = []
        size = 0
        while self._waiting and len(batch) < self._most_items and size < self._most_bytes:
            size += len(self._waiting[0])
            batch.append(self._waiting.popleft())
        self._waiting_bytes -= size
        if not self._full():
            self._due.clear()
            if self._waiting:
                self._timer = self._clock.call_later(self.subscription.buffering.timeout_ms / 1000, self._due.set)
        lost, self._lost = self._lost, _Lost()
        return lost, batch

    async def _deliver(self, lost: _Lost, batch: list[bytes]) -> None:
        told = self._told(lost)
        try:
            await self._send([*told, *batch])
        except (OSError, Refused) as error:
            self._lost.merge(lost)
            self.lose(len(batch), sum(map(len, batch)), f"could not send events: {error}")
        else:
            if told:
                self._dropped(lost.record())
            elif lost.records:
                self._lost.merge(lost)
        self._settled += len(batch)
        self._progress.set()

    def _told(self, lost: _Lost) -> list[bytes]:
        """The event that counts what was lost, for subscribers that take such."""
        if not lost.records or "platform" not in self.subscription.types:
            return []
        event = schemas.encode(self.subscription.schema, self._clock.time(), lost.record())
        return [] if event is None else [event]

    async def _send(self, batch: list[bytes]) -> None:
        pause = limits.TELEMETRY_RETRY_S
        for left in reversed(range(limits.TELEMETRY_ATTEMPTS)):
            try:
                await self._wire.send(batch)
            except OSError:
                self._wire.close()
                if not left:
                    raise
            else:
                return
            await self._clock.sleep(pause)
            pause *= 2

    def _full(self) -> bool:
        return len(self._waiting) >= self._most_items or self._waiting_bytes >= self._most_bytes

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Lost:
    """A count of events that were dropped, and why the last of them was."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.reason = ""

    def add(self, records: int, size: int, reason: str) -> None:
        self.records += records
        self.bytes += size
        self.reason = reason

    def merge(self, other: _Lost) -> None:
        if other.records:
            self.add(other.records, other.bytes, self.reason or other.reason)

    def record(self) -> events.LogsDropped:
        return events.LogsDropped(dropped_bytes=self.bytes, dropped_records=self.records, reason=self.reason)
