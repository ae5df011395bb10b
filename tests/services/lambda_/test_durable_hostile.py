"""Durable executions against what comes at the wrong time, twice, or all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from tests.services.lambda_.durables import WatchedDriver, real_now, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.lambda_.durables import Stage

CALLBACK = {"Id": "c", "Type": "CALLBACK", "Action": "START"}
OPTIONS = {"TimeoutSeconds": 100, "HeartbeatTimeoutSeconds": 40}
INVALID = "InvalidParameterValueException"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=True) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


def step(name: str) -> dict[str, Any]:
    return {"Id": name, "Type": "STEP", "Action": "SUCCEED", "Payload": name}


def test_of_checkpoints_at_once_with_one_token_one_is_accepted(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()

    def attempt(name: str) -> str | None:
        try:
            answer = on.client.checkpoint_durable_execution(
                DurableExecutionArn=arn, CheckpointToken=turn.token, Updates=[step(name)]
            )
        except on.client.exceptions.InvalidParameterValueException as refusal:
            assert refusal.response["Error"]["Message"] == "Invalid checkpoint token"
            return None
        token: str = answer["CheckpointToken"]
        return token

    with ThreadPoolExecutor(8) as threads:
        tokens = [token for token in threads.map(attempt, "abcdefgh") if token is not None]
    assert len(tokens) == 1
    turn.token = tokens[0]
    assert on.kinds(arn).count("StepSucceeded") == 1
    turn.returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"


def test_an_execution_times_out_while_its_function_runs(on: Stage) -> None:
    arn = on.begin(on.create(timeout_s=60))
    turn = on.turn()
    on.checkpoint(turn, step("a"))
    on.pass_time(60)
    assert on.ended(arn)["Status"] == "TIMED_OUT"
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn, step("b"))
    turn.returns("SUCCEEDED", Result='"too late"')
    held = on.execution(arn)
    assert (held["Status"], "Result" in held) == ("TIMED_OUT", False)
    assert on.kinds(arn)[-2:] == ["ExecutionTimedOut", "InvocationCompleted"]


def test_a_callback_is_answered_while_its_execution_is_stopped(on: Stage) -> None:
    """Whichever comes first, the other finds it done, and the execution is stopped."""
    arns = [on.begin(on.create()) for _ in range(4)]
    names = []
    for _ in arns:
        turn = on.turn()
        names.append((turn.arn, on.checkpoint(turn, CALLBACK)["c"]["CallbackDetails"]["CallbackId"]))
        turn.suspends()

    def answer(name: str) -> bool:
        try:
            on.client.send_durable_execution_callback_success(CallbackId=name, Result=b"1")
        except on.client.exceptions.CallbackTimeoutException:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        stops = [threads.submit(on.client.stop_durable_execution, DurableExecutionArn=arn) for arn, _ in names]
        answers = [threads.submit(answer, name) for _, name in names]
        for stop in stops:
            stop.result()
    for (arn, _), answered in zip(names, answers, strict=True):
        assert on.execution(arn)["Status"] == "STOPPED"
        kinds = on.kinds(arn)
        assert kinds.count("CallbackSucceeded") == int(answered.result())
        assert kinds.count("ExecutionStopped") == 1


@pytest.mark.parametrize(("beats", "after", "kind"), [(0, 40, "Callback.Heartbeat"), (2, 100, "Callback.Timeout")])
def test_a_callback_times_out_after_a_restart(tmp_path: Path, beats: int, after: int, kind: str) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        arn = on.begin(on.create())
        turn = on.turn()
        name = on.checkpoint(turn, CALLBACK | {"CallbackOptions": OPTIONS})["c"]["CallbackDetails"]["CallbackId"]
        turn.suspends()
        for _ in range(beats):
            on.pass_time(39)
            on.client.send_durable_execution_callback_heartbeat(CallbackId=name)
    with stage(tmp_path, clock, puppets=True) as on:
        on.pass_time(after - 39 * beats - 1)
        assert on.kinds(arn)[-1] == "InvocationCompleted"
        on.pass_time(1)
        turn = on.turn()
        assert turn.operations[1]["Status"] == "TIMED_OUT"
        assert turn.operations[1]["CallbackDetails"]["Error"]["ErrorType"] == kind
        with pytest.raises(on.client.exceptions.CallbackTimeoutException):
            on.client.send_durable_execution_callback_heartbeat(CallbackId=name)
        turn.returns("SUCCEEDED")


def test_a_call_and_its_caller_are_due_at_once(tmp_path: Path) -> None:
    """The server was away when the time of both was up: what the call's end changes of its caller is not lost."""
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        called = on.functions + on.create(timeout_s=60) + ":$LATEST"
        caller = on.begin(on.create(timeout_s=100))
        turn = on.turn()
        options = {"FunctionName": called}
        on.checkpoint(turn, {"Id": "f", "Type": "CHAINED_INVOKE", "Action": "START", "ChainedInvokeOptions": options})
        turn.suspends()
        child = on.turn()
        on.checkpoint(child, CALLBACK)
        child.suspends()
    with stage(tmp_path, VirtualClock(clock.time() + 200), puppets=True) as on:
        assert [on.ended(arn)["Status"] for arn in (child.arn, caller)] == ["TIMED_OUT"] * 2
        assert on.kinds(caller)[-2:] == ["ChainedInvokeTimedOut", "ExecutionTimedOut"]


def test_a_step_that_is_tried_again_for_ever_reaches_a_limit(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes next to nothing each time, and two events."""
    monkeypatch.setattr(limits, "DURABLE_WRITTEN_BYTES", 10_000)
    arn = on.begin(on.create())
    turn = on.turn()
    again = {"Id": "s", "Type": "STEP", "Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 1}}
    for _ in range(200):
        on.checkpoint(turn, again)
        if not turn.token:
            break
        on.pass_time(1)
        on.checkpoint(turn, {"Id": "s", "Type": "STEP", "Action": "START"})
    assert on.execution(arn)["Status"] == "FAILED"


def test_a_hundred_executions_at_once_are_all_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of them have an event in memory than there is room for, and each comes to its turn."""
    monkeypatch.setattr(limits, "DURABLE_EVENTS_BYTES", 5 * 100_000)
    monkeypatch.setattr(limits, "DURABLE_PAGE_BYTES", 100_000)
    most = _watched(monkeypatch)
    with stage(tmp_path, real_now(), puppets=True) as on:
        function = on.create()
        arns = {on.begin(function, "x" * 90_000) for _ in range(100)}
        seen = set()
        for _ in arns:
            turn = on.turn()
            seen.add(turn.arn)
            turn.returns("SUCCEEDED")
        assert seen == arns
        assert {on.ended(arn)["Status"] for arn in arns} == {"SUCCEEDED"}
    assert 1 < max(most) <= 5


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many invocations have had their events at once."""
    run, at_once, most = WatchedDriver._run, 0, list[int]()

    async def watched(self: WatchedDriver, *arguments: Any) -> None:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        try:
            await run(self, *arguments)
        finally:
            at_once -= 1

    monkeypatch.setattr(WatchedDriver, "_run", watched)
    return most
