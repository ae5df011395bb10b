"""Time as a part that is handed in, so tests run days of retries in milliseconds and never sleep."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Forget the call; harmless when it has happened."""


class Clock(Protocol):
    """What the program knows of time. Seconds everywhere, as floats."""

    def time(self) -> float:
        """Seconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` on the event loop after `delay` seconds."""

    async def sleep(self, delay: float) -> None:
        """Return after `delay` seconds."""


class SystemClock:
    """The machine's own time."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        await asyncio.sleep(delay)


class Alarm:
    """A deadline that is set and cleared far more often than it passes. Its timer is left running meanwhile and set
    anew only where it would ring too late, so that the usual round costs no timer at all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: Timer | None = None
        self._rings = 0.0
        self._due = 0.0
        self._callback: Callable[[], object] | None = None

    def set(self, due: float, callback: Callable[[], object]) -> None:
        """Call `callback` at `due`, a time of the monotonic clock, in place of what was to be called before."""
        self._due = due
        self._callback = callback
        if self._timer is None or self._rings > due:
            self._start()

    def clear(self) -> None:
        """Call nothing; harmless where nothing is set."""
        self._callback = None

    def stop(self) -> None:
        """Call nothing, and leave no timer behind."""
        self._callback = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._due
        self._timer = self._clock.call_later(self._due - self._clock.monotonic(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._callback is None:
            return
        if self._clock.monotonic() < self._due:
            self._start()
            return
        callback, self._callback = self._callback, None
        callback()


class _VirtualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A clock that stands still until a test moves it with `advance`. What is due at once happens at once."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []

    def time(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        if delay <= 0:
            return asyncio.get_running_loop().call_soon(callback)
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + delay, next(self._order), timer))
        return timer

    async def sleep(self, delay: float) -> None:
        woken = asyncio.Event()
        timer = self.call_later(delay, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Move time on by `seconds`, firing what falls due in order and letting every woken task run."""
        end = self._elapsed + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end:
            self._elapsed, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                timer.callback()
                await settle()
        self._elapsed = end
        await settle()


async def settle(rounds: int = 50) -> None:
    """Let every task that is ready run, without the passing of time."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def deadline(clock: Clock, seconds: float | None) -> AbstractAsyncContextManager[None]:
    """Raise TimeoutError in the body once `seconds` have passed on `clock`; None waits without limit."""
    return _Deadline(clock, seconds)


class _Deadline:
    """No generator: the loop would keep a list of those, which costs more than all the rest."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._scope = asyncio.timeout(None)
        self._timer: Timer | None = None

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        if self._seconds is not None:
            self._timer = self._clock.call_later(self._seconds, lambda: self._scope.reschedule(0))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._scope.__aexit__(kind, error, trace)
