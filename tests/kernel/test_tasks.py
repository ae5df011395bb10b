"""The supervisor: no task is lost, none fails in silence, all end when it stops."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor


class Flaky:
    """Work that fails each time it runs, after `lasting` seconds, until it has run `runs` times."""

    def __init__(self, clock: VirtualClock, runs: int, lasting: float = 0.0) -> None:
        self._clock = clock
        self._runs = runs
        self._lasting = lasting
        self.started: list[float] = []

    async def work(self) -> None:
        self.started.append(self._clock.monotonic())
        await self._clock.sleep(self._lasting)
        if len(self.started) < self._runs:
            raise LookupError(f"run {len(self.started)}")

    @property
    def pauses(self) -> list[float]:
        ends = [start + self._lasting for start in self.started]
        return [round(start - end, 6) for end, start in zip(ends, self.started[1:], strict=False)]


async def test_a_task_runs_and_its_result_can_be_awaited() -> None:
    supervisor = Supervisor(VirtualClock())

    async def work() -> str:
        return "done"

    task = supervisor.start("work", work())
    assert task.get_name() == "work"
    assert await task == "done"
    await supervisor.stop()


async def test_a_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor(VirtualClock())

    async def work() -> None:
        raise LookupError("the reason")

    await asyncio.wait([supervisor.start("fragile", work())])
    await settle()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "fragile" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the reason"


async def test_kept_work_that_fails_starts_again_after_growing_pauses(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    flaky, supervisor = Flaky(clock, runs=13), Supervisor(clock)
    task = supervisor.keep("flaky", flaky.work)
    await clock.advance(600)
    assert task.done()
    assert flaky.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        f"run {n}" for n in range(1, 13)
    ]


async def test_work_that_ran_well_for_long_starts_again_soon() -> None:
    clock = VirtualClock()
    flaky, supervisor = Flaky(clock, runs=4, lasting=limits.RESTART_PAUSE_MAX_S + 1), Supervisor(clock)
    supervisor.keep("flaky", flaky.work)
    await clock.advance(600)
    assert flaky.pauses == [limits.RESTART_PAUSE_MIN_S] * 3
    await supervisor.stop()


async def test_work_that_fails_slowly_but_within_the_longest_pause_is_held_back() -> None:
    clock = VirtualClock()
    flaky, supervisor = Flaky(clock, runs=12, lasting=1.0), Supervisor(clock)
    supervisor.keep("flaky", flaky.work)
    await clock.advance(600)
    assert flaky.pauses[-2:] == [limits.RESTART_PAUSE_MAX_S] * 2
    await supervisor.stop()


async def test_kept_work_that_returns_is_not_started_again() -> None:
    clock = VirtualClock()
    flaky, supervisor = Flaky(clock, runs=1), Supervisor(clock)
    await supervisor.keep("flaky", flaky.work)
    await clock.advance(600)
    assert len(flaky.started) == 1


async def test_stop_ends_every_task_and_lets_it_clean_up() -> None:
    supervisor, cleaned = Supervisor(VirtualClock()), []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    tasks = [supervisor.start("one", work("one")), supervisor.keep("two", lambda: work("two"))]
    await settle()
    await supervisor.stop()
    assert sorted(cleaned) == ["one", "two"]
    assert all(task.cancelled() for task in tasks)


async def test_a_stopped_supervisor_starts_nothing() -> None:
    supervisor, ran = Supervisor(VirtualClock()), []
    await supervisor.stop()

    async def work() -> None:
        ran.append("work")

    with pytest.raises(RuntimeError, match="late was not started"):
        supervisor.start("late", work())
    with pytest.raises(RuntimeError, match="late was not started"):
        supervisor.keep("late", work)
    await settle()
    assert ran == []


async def test_a_task_that_will_not_stop_is_named_and_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    supervisor, release = Supervisor(VirtualClock()), asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = supervisor.start("stubborn", stubborn())
    await settle()
    await supervisor.stop(patience=0.01)
    assert "stubborn did not stop" in caplog.text
    release.set()
    await task


async def test_stopping_twice_is_harmless() -> None:
    supervisor = Supervisor(VirtualClock())
    await supervisor.stop()
    await supervisor.stop()
