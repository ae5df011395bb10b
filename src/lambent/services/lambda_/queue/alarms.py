"""When lines are to be looked at again: one timer for the one that is next, and none where there is none."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock, Timer
    from lambent.services.lambda_.queue.lines import Waiting


class Alarms:
    """`wake` is called with a line and the time (milliseconds since the epoch) when its rest is over, or its next event
    due."""

    def __init__(self, clock: Clock, wake: Callable[[Waiting, int], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._due: list[tuple[int, int, Waiting]] = []
        self._order = itertools.count()
        self._timer: Timer | None = None

    def arm(self, waiting: Waiting) -> None:
        """See to it that the line is looked at in time."""
        at_ms = waiting.rests_until_ms if waiting.resting else waiting.next_ms
        if at_ms is None or (waiting.alarm_ms is not None and waiting.alarm_ms <= at_ms):
            return
        waiting.alarm_ms = at_ms
        heapq.heappush(self._due, (at_ms, next(self._order), waiting))
        if self._due[0][2] is waiting:
            self._wind()

    def _wind(self) -> None:
        """Set the timer. The clock on the wall may be set, and the machine may sleep: so never for too long."""
        if self._timer is not None:
            self._timer.cancel()
        rest_s = (self._due[0][0] - self._now_ms()) / 1000
        self._timer = self._clock.call_later(min(max(rest_s, 0), limits.ASYNC_REST_S), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now_ms = self._now_ms()
        while self._due and self._due[0][0] <= now_ms:
            at_ms, _, waiting = heapq.heappop(self._due)
            if waiting.alarm_ms == at_ms:
                waiting.alarm_ms = None
                self._wake(waiting, now_ms)
        if self._due and self._timer is None:
            self._wind()

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)
