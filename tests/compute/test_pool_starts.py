"""Who is started when, and who waits for it: bursts, fairness between functions, failures, idling and room."""

from __future__ import annotations

import asyncio

import pytest

from lambent.compute.function import Outcome
from lambent.compute.streaming import Stream
from lambent.kernel.clock import settle
from tests.compute.stage import INIT_S, LINGERING_S, Stage, version


async def test_who_waits_longest_is_served_first_by_whichever_environment_is_free() -> None:
    stage = Stage(entrances=["ready", "slow", "slow"])
    calls = [stage.start(version(), 1.0) for _ in range(3)]
    await stage.clock.advance(60.0)
    assert [call.result() for call in calls] == ["answered"] * 3
    assert [call for call, _ in stage.ran] == ["1", "2", "3"]
    assert len({actor for _, actor in stage.ran}) == 1, "none waited for the start of its own"
    await stage.close()


async def test_what_was_ordered_is_not_started_once_a_quick_function_has_served_everybody() -> None:
    stage = Stage(limit=100, starts=1)
    calls = [stage.start(version(), 0.0) for _ in range(100)]
    await stage.clock.advance(30.0)
    assert [call.result() for call in calls] == ["answered"] * 100
    assert len(stage.made) < 10
    await stage.close()


async def test_a_burst_of_one_function_does_not_hold_up_another() -> None:
    stage = Stage(limit=200, starts=2)
    burst = [stage.start(version("f", str(number % 3)), 100.0) for number in range(100)]
    await settle()
    other = stage.start(version("g"), 0.0)
    await settle()
    await stage.clock.advance(3 * INIT_S)
    assert other.done()
    assert len(stage.made) < 100
    await stage.clock.advance(200.0)
    assert all(call.done() for call in burst)
    await stage.close()


async def test_a_slow_init_gives_its_place_to_the_next() -> None:
    stage = Stage(starts=1, entrances=["slow"])
    slow = stage.start(version("f"), 0.0)
    quick = stage.start(version("g"), 0.0)
    await stage.clock.advance(1.0)
    assert quick.done()
    assert not slow.done()
    await stage.clock.advance(10.0)
    assert slow.done()
    await stage.close()


async def test_at_most_so_many_starts_are_under_way() -> None:
    stage = Stage(limit=50, starts=3)
    for _ in range(50):
        stage.start(version(), 100.0)
    await settle()
    assert len(stage.made) == 3
    await stage.clock.advance(0.04)
    assert len(stage.made) == 3
    await stage.clock.advance(0.02)
    assert len(stage.made) == 6
    await stage.clock.advance(200.0)
    await stage.close()


@pytest.mark.parametrize("kind", ["on-demand", "provisioned"])
async def test_a_start_with_a_bug_is_told_once_and_leaves_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(starts=1, entrances=["bug"])
    if kind == "on-demand":
        assert await stage.start(version()) == "a bug"
    else:
        stage.provision(version(), 1)
    await stage.clock.advance(1.0)
    stage.check()
    assert "a bug" in caplog.text
    call = stage.start(version(), 0.0)
    await stage.clock.advance(5.0)
    assert call.result() == "answered"
    await stage.close()


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
async def test_a_caller_that_goes_as_its_stream_comes_leaves_no_stream_that_nobody_reads(cold: bool) -> None:
    stage = Stage()
    if not cold:
        warming = stage.start(version(), 0.0)
        await stage.clock.advance(1.0)
        assert warming.done()
    call = stage.start(version(), 100.0)
    await stage.clock.advance(1.0)
    stream = Stream(stage.clock, lambda _: None)
    [actor] = stage.busy
    assert actor.answer is not None
    actor.answer.set_result(Outcome(payload=b"", stream=stream))
    call.cancel()
    await settle()
    assert call.cancelled()
    assert stream.cancelled
    await stage.clock.advance(200.0)
    await stage.close()


async def test_a_start_that_fails_makes_place_at_once() -> None:
    stage = Stage(starts=1, entrances=["refused", "fails"])
    calls = [stage.start(version(), 0.0) for _ in range(3)]
    await settle()
    assert len(stage.made) == 3
    await stage.clock.advance(5.0)
    assert [call.result() for call in calls] == ["InvalidRuntimeException", "ServiceException", "answered"]
    await stage.close()


@pytest.mark.parametrize(
    ("entrance", "answer"),
    [
        ("refused", "InvalidRuntimeException"),
        ("lost", "ServiceException"),
        ("fails", "ServiceException"),
        ("dies", "ServiceException"),
        ("unsound", "answered"),
    ],
)
async def test_a_failing_start_is_the_answer_to_one_request(entrance: str, answer: str) -> None:
    stage = Stage(entrances=[entrance, "slow"])
    calls = [stage.start(version(), 1.0) for _ in range(2)]
    await stage.clock.advance(30.0)
    assert [call.result() for call in calls] == [answer, "answered"]
    await stage.close()


async def test_a_failing_start_harms_nobody_when_its_request_was_served_otherwise() -> None:
    stage = Stage(entrances=["ready", "dies"])
    first = stage.start(version(), 0.6)
    await stage.clock.advance(INIT_S + 0.4)
    second = stage.start(version(), 0.0)
    await stage.clock.advance(5.0)
    assert (first.result(), second.result()) == ("answered", "answered")
    assert stage.pool.size == 1
    await stage.close()


async def test_retiring_spares_those_who_wait_already_and_nobody_else() -> None:
    stage = Stage()
    early = stage.start(version())
    await settle()
    stage.pool.retire(version().arn)
    late = stage.start(version())
    await stage.clock.advance(10.0)
    assert (early.result(), late.result()) == ("answered", "answered")
    assert len({actor for _, actor in stage.ran}) == 2
    assert stage.pool.size == 1
    await stage.close()


async def test_a_version_is_retired_by_itself() -> None:
    stage = Stage()
    for number in ("1", "2"):
        stage.start(version("f", number))
    await stage.clock.advance(5.0)
    stage.pool.retire(version().arn, "1")
    await stage.clock.advance(1.0)
    assert [actor.function.version for actor in stage.living] == ["2"]
    await stage.close()


async def test_who_has_been_idle_longest_makes_room() -> None:
    stage = Stage(limit=8, capacity=2)
    for name in ("f", "g", "h"):
        call = stage.start(version(name), 0.0)
        await stage.clock.advance(1.0)
        assert call.done()
    assert [actor.function.name for actor in stage.living] == ["g", "h"]
    await stage.close()


async def test_idle_environments_go_after_their_time_and_then_no_timer_is_left() -> None:
    stage = Stage(idle_s=50.0)
    stage.start(version(), 0.0)
    await stage.clock.advance(INIT_S + 49.0)
    assert stage.pool.size == 1
    await stage.clock.advance(2.0)
    assert stage.pool.size == 0
    assert all(timer.callback is None for _, _, timer in stage.clock._timers)
    await stage.close()


async def test_many_idle_environments_are_looked_at_the_more_rarely() -> None:
    stage = Stage(limit=400, starts=400, idle_s=50.0)
    for number in range(300):
        stage.start(version(str(number)), 0.0)
        await stage.clock.advance(0.1)
    looks: list[float] = []
    stage.pool._idle._pressure = lambda: looks.append(stage.clock.monotonic()) or 0.0  # type: ignore[func-returns-value]
    await stage.clock.advance(35.0)
    assert 100 < stage.pool.size < 200, "half of them were due"
    assert len(looks) <= 100
    await stage.clock.advance(50.0)
    assert stage.pool.size == 0
    await stage.close()


async def test_memory_pressure_shortens_the_time() -> None:
    stage = Stage(idle_s=600.0)
    stage.start(version(), 0.0)
    await stage.clock.advance(50.0)
    assert stage.pool.size == 1
    stage.pressure = 0.9
    await stage.clock.advance(25.0)
    assert stage.pool.size == 0
    await stage.close()


async def test_an_environment_whose_credentials_end_soon_is_not_used_again() -> None:
    stage = Stage(lasting_s=70.0, idle_s=600.0)
    for _ in range(2):
        call = stage.start(version(), 0.0)
        await stage.clock.advance(5.0)
        assert call.done()
    assert len(stage.made) == 1
    await stage.clock.advance(5.0)
    assert stage.pool.size == 0, "and it is not kept either"
    await stage.close()


@pytest.mark.parametrize("abrupt", [False, True], ids=["in time", "at once"])
async def test_an_environment_that_proves_useless_is_replaced_for_its_taker(abrupt: bool) -> None:
    stage = Stage(lasting_s=70.0, idle_s=600.0, abrupt=abrupt)
    for _ in range(2):
        call = stage.start(version(), 0.0)
        await stage.clock.advance(10.1)
        assert call.result() == "answered"
        stage.check()
    assert len({actor for _, actor in stage.ran}) == 2
    await stage.close()


async def test_a_caller_who_is_gone_when_its_turn_comes_gives_it_to_the_next() -> None:
    stage = Stage(starts=1, entrances=["ready", "slow"])
    first, gone, last = (stage.start(version(), 1.0) for _ in range(3))
    await stage.clock.advance(INIT_S)
    (actor,) = stage.busy
    gone.cancel()
    actor.end(1, "answer")
    await settle()
    stage.check()
    assert (actor.call, stage.pool.running) == ("3", 1)
    await stage.clock.advance(10.0)
    assert (first.result(), last.result()) == ("answered", "answered")
    await stage.close()


async def test_a_thousand_who_give_up_take_their_starts_with_them() -> None:
    stage = Stage(limit=20_000, starts=1, entrances=["slow"])
    calls = [stage.start(version(), 0.0) for _ in range(1_000)]
    await settle()
    for call in reversed(calls[1:]):
        call.cancel()
    await settle()
    assert stage.pool.running == 1
    await stage.clock.advance(10.0)
    assert len(stage.made) == 1
    await asyncio.gather(*calls, return_exceptions=True)
    await stage.close()


async def test_a_replacement_that_needs_the_room_of_the_next_to_be_retired_gets_it() -> None:
    stage = Stage(limit=4, capacity=2, abrupt=True)
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(1.0)
    busy, idle = stage.start(version("f", "1"), 10.0), stage.start(version("f", "2"), 0.0)
    await stage.clock.advance(1.0)
    assert (busy.done(), idle.done(), stage.pool.size) == (False, True, 2)
    stage.pool.retire(version("f").arn)
    await stage.clock.advance(20.0)
    stage.check()
    assert busy.result() == "answered"
    await stage.close()


async def test_those_who_are_as_they_are_to_be_are_not_retired() -> None:
    stage = Stage()
    stage.start(version())
    await stage.clock.advance(5.0)
    stage.pool.retire(version().arn, keep=version().revision)
    await stage.clock.advance(1.0)
    assert len(stage.living) == 1
    stage.pool.retire(version().arn, keep="another")
    await stage.clock.advance(1.0)
    assert not stage.living
    await stage.close()


async def test_a_caller_right_behind_an_answer_waits_for_who_has_given_it() -> None:
    stage = Stage()
    stage.start(version(), 0.1, "settle")
    await stage.clock.advance(INIT_S + 0.1)
    assert stage.busy, "it has answered, and is not done yet"
    again = stage.start(version(), 0.1, "settle")
    await stage.clock.advance(1.0)
    assert again.result() == "answered"
    assert len(stage.made) == 1
    await stage.close()


async def test_who_lingers_after_an_answer_is_not_waited_for() -> None:
    stage = Stage()
    stage.start(version(), 0.1, "linger")
    await stage.clock.advance(INIT_S + 0.1)
    again = stage.start(version(), 0.0)
    await stage.clock.advance(INIT_S + 0.05)
    assert again.result() == "answered"
    assert len(stage.made) == 2
    await stage.close()


async def test_who_lingers_after_an_answer_is_not_waited_for_by_who_came_before_it_either() -> None:
    stage = Stage(starts=1)
    stage.start(version(), 0.1, "linger")
    await stage.clock.advance(INIT_S + 0.09)
    stage.start(version("g"), 0.0)  # whose start goes first
    waiting = stage.start(version(), 0.0)
    await stage.clock.advance(LINGERING_S)
    assert waiting.result() == "answered"
    assert [function.name for _, function, _ in stage.made] == ["f", "g", "f"]
    await stage.close()


async def test_only_so_many_wait_for_who_has_answered_as_have() -> None:
    stage = Stage()
    stage.start(version(), 0.1, "settle")
    await stage.clock.advance(INIT_S + 0.1)
    calls = [stage.start(version(), 5.0) for _ in range(3)]
    await stage.clock.advance(0.001)
    assert len(stage.made) == 3
    await stage.clock.advance(10.0)
    assert [call.result() for call in calls] == ["answered"] * 3
    await stage.close()


async def test_who_dies_after_an_answer_is_made_up_for() -> None:
    stage = Stage()
    stage.start(version(), 0.1, "settle")
    await stage.clock.advance(INIT_S + 0.1)
    again = stage.start(version(), 0.0)
    await settle()
    stage.busy[0].stop()
    await stage.clock.advance(1.0)
    assert again.result() == "answered"
    assert len(stage.made) == 2
    await stage.close()


async def test_who_calls_again_and_again_has_one_environment_that_takes_a_moment_each_time() -> None:
    stage = Stage()
    for _ in range(100):
        call = stage.start(version(), 0.001, "settle")
        while not call.done():
            await stage.clock.advance(0.001)
        assert call.result() == "answered"
    assert len(stage.made) == 1
    await stage.close()
