"""The relay of one environment's events to the extensions that have subscribed to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.compute.telemetry import events, schemas, subscriptions
from lambent.compute.telemetry.delivery import Delivery
from lambent.kernel import limits
from lambent.kernel.clock import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.telemetry.subscriptions import Subscription
    from lambent.compute.telemetry.wires import Connect
    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor

_TOO_EARLY = "Some logs were dropped because they came before the subscription, and too many"


class Relay:
    """Open from the start of INIT, or of a restore, to its end: it remembers what is told, for extensions that
    subscribe later. All of it runs on the event loop."""

    def __init__(self, clock: Clock, supervisor: Supervisor) -> None:
        self.active = False
        """Whether anybody listens, or may yet: where not, nothing need be told."""
        self._clock = clock
        self._supervisor = supervisor
        self._memory: _Memory | None = None
        self._deliveries: dict[str, Delivery] = {}

    @property
    def heard(self) -> bool:
        """Whether an extension has subscribed."""
        return bool(self._deliveries)

    def open(self) -> None:
        """INIT or a restore begins: those who had subscribed before are gone, and others may come."""
        self.close()
        self.active = True
        self._memory = _Memory()

    def seal(self) -> None:
        """It is over: what comes before a subscription is not kept any longer."""
        self._memory = None
        self.active = self.heard

    def tell(self, now: float, record: events.Record) -> None:
        """Take an event of `now`, in seconds since the epoch."""
        if self._memory is not None:
            self._memory.add(now, record)
        encoded: dict[str, bytes | None] = {}
        for delivery in self._deliveries.values():
            schema = delivery.subscription.schema
            if schema.version not in encoded:
                encoded[schema.version] = schemas.encode(schema, now, record)
            _offer(delivery, record, encoded[schema.version])

    def subscribe(
        self,
        extension: str,
        subscription: Subscription,
        connect: Connect,
        dropped: Callable[[events.LogsDropped], None],
    ) -> bool:
        """Send `extension` what it has subscribed to, from the start of INIT on; `dropped` is told what it did not get.
        False where it has subscribed already. Raises Refusal where that was by the other API."""
        present = self._deliveries.get(extension)
        if present is not None:
            if present.subscription.api != subscription.api:
                message = f"{extension} has already subscribed to {present.subscription.api}"
                raise subscriptions.refusal(subscription.api, message)
            return False
        delivery = Delivery(extension, subscription, connect, self._clock, self._supervisor, dropped)
        if self._memory is not None:
            self._memory.replay(delivery)
        self._deliveries[extension] = delivery
        self.active = True
        return True

    async def flush(self) -> None:
        """Send what has come until now, and wait until it has arrived, at most TELEMETRY_FLUSH_S."""
        for delivery in self._deliveries.values():
            delivery.hurry()
        try:
            async with deadline(self._clock, limits.TELEMETRY_FLUSH_S):
                for delivery in list(self._deliveries.values()):
                    await delivery.flush()
        except TimeoutError:
            return  # a listener that is too slow does not hold the environment up

    def close(self) -> None:
        """Stop every delivery at once."""
        self.active = False
        self._memory = None
        deliveries, self._deliveries = self._deliveries, {}
        for delivery in deliveries.values():
            delivery.close()


class _Memory:
    """What has been told before a subscription; the first of it, as far as there is room."""

    def __init__(self) -> None:
        self._told: list[tuple[float, events.Record]] = []
        self._size = 0
        self._lost = 0
        self._lost_bytes = 0

    def add(self, now: float, record: events.Record) -> None:
        size = _size(record)
        if len(self._told) < limits.TELEMETRY_REPLAY_ITEMS and self._size + size <= limits.TELEMETRY_REPLAY_BYTES:
            self._told.append((now, record))
            self._size += size
        else:
            self._lost += 1
            self._lost_bytes += size

    def replay(self, delivery: Delivery) -> None:
        for now, record in self._told:
            _offer(delivery, record, schemas.encode(delivery.subscription.schema, now, record))
        if self._lost:
            delivery.lose(self._lost, self._lost_bytes, _TOO_EARLY)


def _offer(delivery: Delivery, record: events.Record, encoded: bytes | None) -> None:
    if encoded is not None and record.category in delivery.subscription.types:
        delivery.offer(encoded)


def _size(record: events.Record) -> int:
    """About how many bytes it will be."""
    return limits.TELEMETRY_RECORD_BYTES + (len(record.text) if isinstance(record, events.Line) else 0)
