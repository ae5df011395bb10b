"""What Lambda is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambent.services.lambda_.directory import Directory

if TYPE_CHECKING:
    from lambent.compute.engine import Engine
    from lambent.kernel.authority import Roles
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.links import Links
    from lambent.kernel.settings import Settings
    from lambent.kernel.targets import Targets
    from lambent.kernel.tasks import Supervisor
    from lambent.store.api import Store
    from lambent.store.blobs import Blobs


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The equipment of every operation of Lambda."""

    store: Store
    blobs: Blobs
    engine: Engine
    links: Links
    roles: Roles
    settings: Settings
    targets: Targets
    clock: Clock
    ids: Ids
    supervisor: Supervisor
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", Directory(self.store, self.blobs, self.supervisor))

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.clock.time() * 1000)
