"""The idle on-demand environments of all functions: who has been idle too long, and who makes room for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.group import Group
    from lambent.compute.keepalive import KeepAlive
    from lambent.compute.pooled import Pooled
    from lambent.kernel.clock import Clock, Timer


class Idle:
    """Dismisses environments that have been idle for too long or cannot be used any more.

    It looks every few seconds, and only while there are any; memory `pressure` (0 to 1) is asked for then. `dismiss`
    stops an environment and takes it out of here by `discard`.
    """

    def __init__(
        self,
        clock: Clock,
        keep_alive: KeepAlive,
        pressure: Callable[[], float],
        usable: Callable[[Group, Pooled], bool],
        dismiss: Callable[[Group, Pooled], None],
    ) -> None:
        self._clock = clock
        self._keep_alive = keep_alive
        self._pressure = pressure
        self._usable = usable
        self._dismiss = dismiss
        self.environments: dict[Pooled, Group] = {}
        """The one that has been idle longest first."""
        self._sweep: Timer | None = None

    def add(self, group: Group, environment: Pooled) -> None:
        """`environment` has come to rest."""
        environment.idle_since = self._clock.monotonic()
        group.idle[environment] = None
        self.environments[environment] = group
        if self._sweep is None:
            patience = self._keep_alive.patience_s(group.rhythm, 0.0)
            self._sweep = self._clock.call_later(min(patience, limits.KEEP_ALIVE_SWEEP_S), self._look)

    def discard(self, environment: Pooled) -> None:
        """`environment` is idle no longer; harmless where it was not."""
        group = self.environments.pop(environment, None)
        if group is not None:
            group.idle.pop(environment, None)

    def make_room(self) -> None:
        """Dismiss the environment that has been idle longest, whosever it is, if there is one."""
        for environment, group in self.environments.items():
            self._dismiss(group, environment)
            return

    def close(self) -> None:
        """Look no more."""
        if self._sweep is not None:
            self._sweep.cancel()

    def _look(self) -> None:
        """Dismiss what is due, and come again when the next is, but not at every instant."""
        self._sweep = None
        now = self._clock.monotonic()
        pressure = self._pressure()
        due = [self._look_at(group, now, pressure) for group in dict.fromkeys(self.environments.values())]
        if self.environments:
            # A look goes through all that are idle: however many these are, it is a small part of the server's time.
            pause = max(min(due) - now, limits.IDLE_SWEEP_S, limits.IDLE_SWEEP_EACH_S * len(self.environments))
            self._sweep = self._clock.call_later(min(pause, limits.KEEP_ALIVE_SWEEP_S), self._look)

    def _look_at(self, group: Group, now: float, pressure: float) -> float:
        """Dismiss what is due in `group`; when the next is, in seconds of the monotonic clock."""
        patience = self._keep_alive.patience_s(group.rhythm, pressure)
        while (oldest := next(iter(group.idle), None)) is not None:
            if oldest.idle_since > now - patience and self._usable(group, oldest):
                return oldest.idle_since + patience
            self._dismiss(group, oldest)
        return float("inf")
