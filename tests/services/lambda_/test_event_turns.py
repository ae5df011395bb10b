"""Events that have to wait: functions that take no more, turns between functions, and what memory holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from tests.services.lambda_.queues import Stage, answer, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, VirtualClock()) as made:
        yield made


@pytest.fixture
def sink(on: Stage) -> str:
    """A function that records go to."""
    return on.create("sink")


def test_a_throttled_function_rests_twice_as_long_each_time(on: Stage) -> None:
    on.create("f")
    on.send("f")
    on.run().is_refused()
    rest_s = limits.ASYNC_PAUSE_MIN_S
    for _ in range(12):
        on.pass_time(rest_s - 0.5)
        on.quiet()
        on.pass_time(0.5)
        on.run().is_refused()
        rest_s = min(2 * rest_s, limits.ASYNC_PAUSE_MAX_S)
    assert rest_s == limits.ASYNC_PAUSE_MAX_S
    on.pass_time(rest_s)
    on.run().returns()
    assert on.count() == 0


def test_a_throttled_event_is_given_up_when_it_is_too_old(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(DestinationConfig={"OnFailure": {"Destination": sink}})
    on.send("f", "old")
    tries = 0
    while True:
        run = on.run()
        if run.function.name == "sink":
            break
        run.is_refused()
        tries += 1
        on.pass_time(limits.ASYNC_PAUSE_MAX_S)
    assert run.event["requestContext"]["condition"] == "EventAgeExceeded"
    assert run.event["requestContext"]["approximateInvokeCount"] == 0
    run.returns()
    assert tries * limits.ASYNC_PAUSE_MAX_S >= limits.ASYNC_AGE_S - limits.ASYNC_PAUSE_MAX_S


def test_a_young_event_is_not_given_up_because_its_function_rests(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": sink}})
    on.send("f", "first")
    for rest_s in (1, 2, 4, 8, 16):
        on.run().is_refused()
        on.pass_time(rest_s)
    on.run().is_refused()
    on.send("f", "second")
    on.pass_time(30)
    runs = {run.function.name: run for run in (on.run(), on.run())}
    assert runs["f"].event == "second"
    context = runs["sink"].event["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 0)
    answer([*runs.values()])
    on.quiet()


def test_refusals_are_no_retries(on: Stage) -> None:
    on.create("f")
    on.configure(MaximumRetryAttempts=0)
    on.send("f")
    on.run().is_refused()
    on.pass_time(1)
    on.run().answers(AwsError("ServiceException", "No room."))
    on.pass_time(2)
    on.run().returns()
    assert on.count() == 0


def test_a_function_that_may_not_run_gives_its_events_up_at_once(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(DestinationConfig={"OnFailure": {"Destination": sink}})
    on.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    on.send("f")
    on.run().is_refused()
    context = on.told()["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("ZeroReservedConcurrency", 0)


def test_what_does_not_fit_waits_in_the_store(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ASYNC_LINE_HELD": 3, "ASYNC_PAGE": 4, "ASYNC_HELD": 8}.items():
        monkeypatch.setattr(limits, name, value)
    on.create("f")
    on.parts.queue._window._limit = on.parts.queue._window._most = 2
    for number in range(30):
        on.send("f", number)
    seen = []
    for _ in range(30):
        run = on.run()
        seen.append(run.event)
        assert on.parts.queue._held <= 8
        run.returns()
    assert sorted(seen) == list(range(30))
    assert on.count() == 0


def test_functions_take_turns(on: Stage) -> None:
    on.parts.queue._window._limit = on.parts.queue._window._most = 1
    on.create("many")
    on.create("one")
    for number in range(20):
        on.send("many", number)
    on.send("one")
    names = []
    for _ in range(4):
        run = on.run()
        names.append(run.function.name)
        run.returns()
    assert names.count("one") == 1


def test_functions_that_run_for_long_hold_up_nobody(on: Stage) -> None:
    on.parts.queue._window._limit = on.parts.queue._window._most = 2
    on.create("long")
    on.create("short")
    for number in range(5):
        on.send("long", number)
    assert [on.run().function.name for _ in range(2)] == ["long", "long"]
    on.send("short", 1)
    run = on.run()
    assert run.function.name == "short"
    on.send("short", 2)
    on.quiet()
    run.returns()
    assert on.run().event == 2
    on.quiet()


def test_a_function_that_is_throttled_holds_up_nobody(on: Stage) -> None:
    on.create("busy")
    on.create("free")
    on.send("busy")
    on.run().is_refused()
    for _ in range(5):
        on.send("busy")
    on.send("free", "now")
    assert on.run().event == "now"
    on.quiet()


def test_room_that_is_found_is_used_at_once(on: Stage) -> None:
    on.create("f")
    on.send("f", 1)
    first = on.run()
    on.send("f", 2)
    on.run().is_refused()
    on.quiet()
    first.returns()
    second = on.run()
    assert second.event == 2
    second.returns()


def test_who_is_crowded_out_is_the_next(on: Stage) -> None:
    on.create("many")
    on.create("one")
    for number in range(3):
        on.send("many", number)
    held = [on.run() for _ in range(3)]
    on.send("many", "waits")
    on.run().is_refused("ConcurrentInvocationLimitExceeded")
    on.send("one")
    held[0].returns()
    names = {on.run().function.name}
    held[1].returns()
    names |= {on.run().function.name}
    assert names == {"many", "one"}
    on.quiet()


def test_a_change_of_the_function_ends_its_rest(on: Stage) -> None:
    on.create("f")
    on.send("f")
    on.run().is_refused()
    on.quiet()
    on.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    on.run().returns()
    assert on.count() == 0


def test_no_queue_is_left_behind_in_memory(on: Stage) -> None:
    on.create("f")
    for number in range(5):
        on.send("f", json.dumps(number))
    answer([on.run() for _ in range(5)])
    on.quiet()
    events = on.parts.queue
    assert (events._lines, events._by_key, events._held, events._held_bytes) == ({}, {}, 0, 0)
    assert events._alarms._timer is None


def test_a_line_that_is_forgotten_takes_no_other_with_it(on: Stage) -> None:
    on.create("f")
    on.send("f", 1)
    first = on.run()
    on.send("f", 2)
    on.run().is_refused()
    first.returns()
    on.run().returns()  # its rest is over before its time: an alarm is left of it
    on.quiet()
    on.send("f", 3)
    on.send("f", 4)
    runs = [on.run(), on.run()]
    on.pass_time(limits.ASYNC_PAUSE_MIN_S)
    on.send("f", 5)
    runs.append(on.run())
    assert sorted(run.event for run in runs) == [3, 4, 5]
    on.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    on.quiet()  # what runs is known to run
    answer(runs)
    on.quiet()
    assert (on.parts.queue._lines, on.count()) == ({}, 0)


def test_the_line_of_an_alias_that_is_deleted_goes_with_its_last_event(on: Stage) -> None:
    on.create("f")
    on.client.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")
    for number in range(2):
        on.send("f", number, Qualifier="live")
    runs = [on.run(), on.run()]
    on.client.delete_alias(FunctionName="f", Name="live")
    runs[0].returns()
    assert on.count("lambda_event_line") == 1
    runs[1].returns()
    assert on.count("lambda_event_line") == 0
    on.send("f")
    on.run().returns()
    assert on.count("lambda_event_line") == 1


def test_an_event_waits_for_memory(on: Stage) -> None:
    on.create("f")
    on.send("f")
    run = on.run()
    assert run.invocation.patient
    run.answers(AwsError("ServiceException", "No room."))
    on.quiet()
    on.pass_time(limits.ASYNC_PAUSE_MIN_S)
    on.run().returns()
    assert on.count() == 0


def test_an_event_that_meets_a_bug_holds_up_nobody_behind_it(on: Stage) -> None:
    on.create("f")
    on.send("f", "unlucky")
    on.run().answers(RuntimeError("a bug"))
    on.send("f", "next")
    run = on.run()
    assert run.event == "next"
    run.returns()
    on.pass_time(limits.ASYNC_RETRY_FIRST_S - 1)
    on.quiet()
    on.pass_time(1)
    again = on.run()
    assert again.event == "unlucky"
    again.returns()
    assert on.count() == 0
