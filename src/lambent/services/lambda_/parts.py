"""What Lambda is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambent.services.lambda_.access.denials import Denials
from lambent.services.lambda_.capacity import Capacity
from lambent.services.lambda_.capacity_providers import CapacityProviders
from lambent.services.lambda_.directory import Directory
from lambent.services.lambda_.durable.executions import Executions
from lambent.services.lambda_.queue.events import Queue
from lambent.services.lambda_.urls.addresses import Addresses

if TYPE_CHECKING:
    from lambent.kernel.authority import Roles
    from lambent.kernel.clock import Clock
    from lambent.kernel.doors import Doors
    from lambent.kernel.ids import Ids
    from lambent.kernel.links import Links
    from lambent.kernel.objects import Objects
    from lambent.kernel.settings import Settings
    from lambent.kernel.sources import Sources
    from lambent.kernel.targets import Targets
    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.engine import Engine
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Store
    from lambent.store.blobs import Blobs


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The equipment of every operation of Lambda."""

    store: Store
    blobs: Blobs
    engine: Engine
    links: Links
    objects: Objects
    roles: Roles
    settings: Settings
    targets: Targets
    doors: Doors
    sources: Sources
    clock: Clock
    ids: Ids
    supervisor: Supervisor
    capacity: Capacity = field(init=False)
    denials: Denials = field(init=False)
    urls: Addresses = field(init=False)
    capacity_providers: CapacityProviders = field(init=False)
    directory: Directory = field(init=False)
    executions: Executions = field(init=False)
    queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        capacity = Capacity(self.store, self.engine)
        directory = Directory(self.store, self.blobs, self.supervisor, self._changed)
        object.__setattr__(self, "capacity", capacity)
        object.__setattr__(self, "denials", Denials(self.store))
        object.__setattr__(self, "urls", Addresses(self.store))
        object.__setattr__(self, "capacity_providers", CapacityProviders(self.store, self.supervisor))
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "executions", Executions(self.store, self.supervisor, self.clock))
        object.__setattr__(self, "queue", Queue(self.store, self.clock, self.supervisor))

    async def _changed(self, key: FunctionKey) -> None:
        self.urls.forget(key)
        await self.capacity.tell(key)
        await self.denials.tell(key)
        self.queue.changed(key)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return int(self.clock.time() * 1_000_000)

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.clock.time() * 1000)
