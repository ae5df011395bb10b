"""Which cells to have ready before anybody asks: those of the images that have been used lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.sandbox.api import Image, Sandbox
    from lambent.kernel.clock import Clock, Timer


class Foresight:
    """Tells the sandbox. An image that nobody has used for `idle_s` is not foreseen any more; a timer runs only while
    one is."""

    def __init__(self, sandbox: Sandbox, clock: Clock, idle_s: float) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._idle_s = idle_s
        self._used: dict[Image, float] = {}
        """In the order in which they were used last; seconds of the monotonic clock."""
        self._timer: Timer | None = None

    def used(self, image: Image) -> None:
        """A cell of `image` is wanted, or soon will be."""
        if self._used.pop(image, None) is None:
            self._sandbox.foresee(image, limits.CELLS_AHEAD)
        self._used[image] = self._clock.monotonic()
        if self._timer is None:
            self._timer = self._clock.call_later(self._idle_s, self._forget)

    def close(self) -> None:
        """Foresee nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._used.clear()

    def _forget(self) -> None:
        self._timer = None
        due = self._clock.monotonic() - self._idle_s
        while self._used:
            image = next(iter(self._used))
            if self._used[image] > due:
                self._timer = self._clock.call_later(self._used[image] - due, self._forget)
                return
            del self._used[image]
            self._sandbox.foresee(image, 0)
