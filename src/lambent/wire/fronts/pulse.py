"""The pulse of a front: whether it still answers, asked now and then while it has clients.

A front that hangs, stopped or in a loop, tells nobody, and its clients would wait for as long as they can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock, Timer


class Pulse:
    """Calls `ask` every FRONT_PULSE_S while `wanted` says so, and `lost` where FRONT_PULSES have not been answered.

    It counts askings and not seconds. Where it is this process that has stood still, however long, one asking has
    fallen due meanwhile, and what came in the meantime is read before the next.
    """

    def __init__(
        self, clock: Clock, wanted: Callable[[], bool], ask: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._wanted = wanted
        self._ask = ask
        self._lost = lost
        self._unanswered = 0
        self._timer: Timer | None = None

    @property
    def doubtful(self) -> bool:
        """Whether an answer is overdue."""
        return self._unanswered > 1

    def watch(self) -> None:
        """Begin to ask; harmless where that has been begun."""
        if self._timer is None:
            self._timer = self._clock.call_later(limits.FRONT_PULSE_S, self._look)

    def answered(self) -> None:
        """There was an answer."""
        self._unanswered = 0

    def stop(self) -> None:
        """Ask no more; harmless twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._unanswered == limits.FRONT_PULSES:
            self._lost()
        elif self._unanswered or self._wanted():
            self._unanswered += 1
            self._ask()
            self.watch()
