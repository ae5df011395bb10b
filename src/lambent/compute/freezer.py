"""Freezing environments between invocations, as AWS does, without making the next invocation pay for it.

An environment that is used again within moments is never frozen; all others are, by one timer for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock, Timer


class Freezable(Protocol):
    """An environment that rests."""

    def freeze(self) -> None:
        """Stop its clock."""

    def thaw(self) -> None:
        """Let it go on."""


class Freezer:
    """Knows who rests since when, and who is frozen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resting: dict[Freezable, float] = {}
        """In the order in which they came to rest; seconds of the monotonic clock."""
        self._frozen: set[Freezable] = set()
        self._timer: Timer | None = None

    def rest(self, environment: Freezable) -> None:
        """It has nothing to do from now on."""
        self._resting[environment] = self._clock.monotonic()
        if self._timer is None:
            self._timer = self._clock.call_later(limits.FREEZE_AFTER_S, self._freeze_due)

    def wake(self, environment: Freezable) -> None:
        """It has something to do, or ends. Harmless when it did not rest."""
        self._resting.pop(environment, None)
        if environment in self._frozen:
            self._frozen.discard(environment)
            environment.thaw()

    def close(self) -> None:
        """Freeze nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._resting.clear()

    def _freeze_due(self) -> None:
        self._timer = None
        due = self._clock.monotonic() - limits.FREEZE_AFTER_S
        while self._resting:
            environment = next(iter(self._resting))
            if self._resting[environment] > due:
                wait = max(self._resting[environment] - due, limits.FREEZE_TICK_S)
                self._timer = self._clock.call_later(wait, self._freeze_due)
                return
            del self._resting[environment]
            self._frozen.add(environment)
            environment.freeze()
