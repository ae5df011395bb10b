"""Clocks and deadlines: the virtual clock agrees with the system's, only that tests decide when time passes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.clock import Alarm, Clock, SystemClock, VirtualClock, deadline, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Timer

DAY_S = 24 * 3600.0


async def test_virtual_time_passes_only_when_it_is_advanced() -> None:
    clock = VirtualClock(start=1000.0)
    assert (clock.time(), clock.monotonic()) == (1000.0, 0.0)
    await settle()
    assert clock.monotonic() == 0.0
    await clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1002.5, 2.5)


@given(delays=some.lists(some.floats(0.001, 1000), max_size=20))
def test_timers_fire_in_order_at_their_own_time(delays: list[float]) -> None:
    async def main() -> list[tuple[int, float]]:
        clock, fired = VirtualClock(), []
        for number, delay in enumerate(delays):
            clock.call_later(delay, lambda number=number: fired.append((number, clock.monotonic())))
        await clock.advance(1000)
        return fired

    expected = sorted(enumerate(delays), key=lambda pair: pair[1])
    assert asyncio.run(main()) == expected


async def test_a_cancelled_timer_does_not_fire() -> None:
    clock, fired = VirtualClock(), []
    timer = clock.call_later(1, lambda: fired.append("cancelled"))
    clock.call_later(1, lambda: fired.append("kept"))
    timer.cancel()
    await clock.advance(2)
    timer.cancel()
    assert fired == ["kept"]


async def test_a_timer_set_by_a_timer_fires_in_the_same_advance() -> None:
    clock, fired = VirtualClock(), []
    clock.call_later(1, lambda: clock.call_later(1, lambda: fired.append(clock.monotonic())))
    await clock.advance(1.9)
    assert fired == []
    await clock.advance(0.1)
    assert fired == [2.0]


async def test_days_of_sleep_pass_at_once() -> None:
    clock, began = VirtualClock(), time.monotonic()

    async def retry() -> list[float]:
        slept = []
        for _ in range(100):
            await clock.sleep(DAY_S)
            slept.append(clock.monotonic())
        return slept

    task = asyncio.create_task(retry())
    await clock.advance(100 * DAY_S)
    assert await task == [DAY_S * (day + 1) for day in range(100)]
    assert time.monotonic() - began < 60


async def test_a_cancelled_sleep_leaves_no_timer_that_acts() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(5))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.advance(10)


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock()], ids=["system", "virtual"])
@pytest.mark.parametrize("delay", [0.0, -1.0])
async def test_what_is_due_at_once_does_not_wait(clock: Clock, delay: float) -> None:
    called = asyncio.Event()
    clock.call_later(delay, called.set)
    async with asyncio.timeout(30):
        await called.wait()
        await clock.sleep(delay)


async def test_the_system_clock_tells_the_systems_time() -> None:
    clock, before = SystemClock(), time.time()
    assert before <= clock.time() <= time.time()
    started = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - started >= 0.009


async def test_a_system_timer_fires_and_can_be_cancelled() -> None:
    clock, fired, done = SystemClock(), [], asyncio.Event()
    clock.call_later(0.001, lambda: fired.append("cancelled")).cancel()
    clock.call_later(0.005, done.set)
    async with asyncio.timeout(30):
        await done.wait()
    assert fired == []


async def hang() -> None:
    await asyncio.Event().wait()


async def limited(clock: Clock, seconds: float | None) -> None:
    async with deadline(clock, seconds):
        await hang()


async def test_a_deadline_ends_what_takes_too_long() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(limited(clock, 3))
    await clock.advance(2.9)
    assert not task.done()
    await clock.advance(0.1)
    with pytest.raises(TimeoutError):
        await task


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock()], ids=["system", "virtual"])
async def test_a_deadline_that_has_passed_ends_the_body_at_its_first_wait(clock: Clock) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(TimeoutError):
            await limited(clock, 0)


async def test_a_deadline_on_the_systems_clock() -> None:
    with pytest.raises(TimeoutError):
        await limited(SystemClock(), 0.005)


async def test_a_body_that_ends_in_time_is_left_alone() -> None:
    clock = VirtualClock()
    async with deadline(clock, 3):
        await settle()
    await clock.advance(10)


async def test_no_deadline_waits_without_limit() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(limited(clock, None))
    await clock.advance(365 * DAY_S)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_passes_exceptions_on() -> None:
    with pytest.raises(LookupError):
        async with deadline(VirtualClock(), 3):
            raise LookupError


async def test_cancelling_is_not_taken_for_a_timeout() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(limited(clock, 3))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_inner_of_two_deadlines_ends_the_inner_body_only() -> None:
    clock, passed = VirtualClock(), []

    async def nested() -> None:
        async with deadline(clock, 10):
            try:
                await limited(clock, 1)
            except TimeoutError:
                passed.append(clock.monotonic())
            await hang()

    task = asyncio.create_task(nested())
    await clock.advance(9)
    assert passed == [1.0]
    assert not task.done()
    await clock.advance(1)
    with pytest.raises(TimeoutError):
        await task


class Round(NamedTuple):
    """Something that takes `seconds` and may take `limit`, then nothing for `pause`."""

    limit: float
    seconds: float
    pause: float


_TENTHS = some.integers(1, 100).map(lambda tenths: tenths / 10)


@given(rounds=some.lists(some.builds(Round, limit=_TENTHS, seconds=_TENTHS, pause=_TENTHS), max_size=20))
def test_an_alarm_rings_when_its_deadline_passes_and_only_then(rounds: list[Round]) -> None:
    async def main() -> None:
        clock = VirtualClock()
        alarm = Alarm(clock)
        for limit, seconds, pause in rounds:
            due, rung = clock.monotonic() + limit, list[float]()
            alarm.set(due, lambda rung=rung: rung.append(clock.monotonic()))
            await clock.advance(seconds)
            alarm.clear()
            await clock.advance(pause)
            if seconds != limit:
                assert bool(rung) == (seconds > limit)
            assert rung == pytest.approx([due][: len(rung)])

    asyncio.run(main())


async def test_a_deadline_set_anew_each_time_takes_one_timer_for_all() -> None:
    clock = CountingClock()
    alarm = Alarm(clock)
    for _ in range(100):
        alarm.set(clock.monotonic() + 3.0, lambda: None)
        await clock.advance(0.01)
        alarm.clear()
    assert clock.timers == 1


async def test_an_earlier_deadline_does_not_wait_for_the_timer_of_a_later_one() -> None:
    clock, rung = VirtualClock(), []
    alarm = Alarm(clock)
    alarm.set(10.0, lambda: rung.append("late"))
    alarm.set(1.0, lambda: rung.append("early"))
    await clock.advance(1.0)
    assert rung == ["early"]
    await clock.advance(60.0)
    assert rung == ["early"]


async def test_a_stopped_alarm_does_not_ring_and_can_be_set_again() -> None:
    clock, rung = VirtualClock(), []
    alarm = Alarm(clock)
    alarm.set(1.0, lambda: rung.append("first"))
    alarm.stop()
    alarm.set(2.0, lambda: rung.append("second"))
    await clock.advance(5.0)
    assert rung == ["second"]


class CountingClock(VirtualClock):
    """Counts the timers that are set."""

    timers = 0

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        self.timers += 1
        return super().call_later(delay, callback)
