"""What Lambda is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from lambent.services.lambda_.access.denials import Denials
from lambent.services.lambda_.capacity import Capacity
from lambent.services.lambda_.capacity_providers import CapacityProviders
from lambent.services.lambda_.directory import Directory
from lambent.services.lambda_.durable.executions import Executions
from lambent.services.lambda_.queue.events import Queue
from lambent.services.lambda_.urls.addresses import Addresses

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.squad import Bounds
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
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Store
    from lambent.store.blobs import Blobs


class Provisioned(Protocol):
    """How far the engine is with environments that are wanted ready."""

    @property
    def requested(self) -> int:
        """How many are wanted."""

    @property
    def available(self) -> int:
        """How many of them are initialised and free."""

    @property
    def allocated(self) -> int:
        """How many of them are initialised."""

    @property
    def status(self) -> Literal["IN_PROGRESS", "READY", "FAILED"]:
        """AWS's word for it."""

    @property
    def reason(self) -> str | None:
        """Why it failed."""


class Engine(Protocol):
    """What Lambda asks of `compute.engine.Engine`."""

    @property
    def closing(self) -> bool:
        """Whether the server stops: what fails from then on says nothing about a function."""

    def invoke(self, function: FunctionVersion, invocation: Invocation) -> Awaitable[Outcome]:
        """Run `function` once. Raises AwsError where it takes no more."""

    async def prepare(self, code_sha256: str) -> None:
        """Unpack the zip with that sha256 (hex). Raises AwsError for one that AWS would refuse."""

    async def prune(self) -> None:
        """Remove the unpacked code of zips whose blobs are gone."""

    async def refusal(self, runtime: str) -> str | None:
        """Why this machine cannot run functions of `runtime`; None where it can."""

    async def snapshot(self, function: FunctionVersion) -> None:
        """Initialise `function` and keep what its environments start from. Raises AwsError where it does not
        initialise; the code is then one of AWS's StateReasonCodes, as `FunctionError.InitTimeout`."""

    def field(self, function: FunctionVersion, bounds: Bounds) -> None:
        """Have environments of `function`, which is on managed instances, within `bounds` from now on."""

    def withdraw(self, function: FunctionVersion) -> None:
        """Have none of that version any more."""

    async def complete(self, function: FunctionVersion) -> bool:
        """Wait until as many of them are there as are wanted at least; False where none are wanted any more. Raises
        AwsError with one of AWS's StateReasonCodes for a code."""

    def retire(self, function_arn: str, version: str | None = None, keep: str | None = None) -> None:
        """Let no invocation that comes from now on meet an environment of `function_arn` (unqualified), or of that
        version of it, as it was; those of the revision `keep` stay."""

    def reserve(self, function_arn: str, executions: int | None) -> None:
        """Give `function_arn` (unqualified) that many executions of its own, and no more; None where it has none."""

    def provision(self, function: FunctionVersion, count: int) -> None:
        """Have `count` environments of `function` initialised at any time from now on."""

    def deprovision(self, function: FunctionVersion) -> None:
        """Have none ready any more."""

    def provisioned(self, function: FunctionVersion) -> Provisioned | None:
        """How far it is; None where nothing is wanted."""


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
