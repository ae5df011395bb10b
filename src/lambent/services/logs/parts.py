"""What CloudWatch Logs is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.services.logs.facts import LogFacts
    from lambent.services.logs.workers import Sweeper
    from lambent.store.api import Store


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The equipment of every operation of CloudWatch Logs."""

    store: Store
    clock: Clock
    facts: LogFacts
    sweeper: Sweeper

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.clock.time() * 1000)
