"""Durable functions with the official SDK for Python, unmodified: days pass on a clock that the test moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.lambda_.calls import create
from tests.services.lambda_.durables import DAY_S, real_now, stage, with_sdk
from tests.support import ROLE, RUNTIME, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.lambda_.durables import Stage

WORKFLOWS = Path(__file__).parent / "workflows"
HOUR_S = 3600


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=False) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


def deploy(on: Stage, workflow: str, timeout_s: int = 90 * DAY_S) -> str:
    """A durable function of that module; returns its name."""
    code = {"ZipFile": with_sdk((WORKFLOWS / f"{workflow}.py").read_text())}
    return on.create(timeout_s=timeout_s, Code=code, Timeout=60)


def result(on: Stage, arn: str) -> Any:
    """What the execution returns."""
    held = on.ended(arn)
    assert held["Status"] == "SUCCEEDED", held
    return json.loads(held["Result"])


def test_a_function_without_operations(on: Stage) -> None:
    answer = on.client.invoke(
        FunctionName=deploy(on, "greeting", timeout_s=60), Qualifier="$LATEST", Payload=b'{"name": "you"}'
    )
    assert json.loads(answer["Payload"].read()) == "Hello, you!"


def test_steps_retries_and_waits_of_days(on: Stage) -> None:
    arn = on.begin(deploy(on, "booking"), {"room": 12})
    for step, pause_s in (("time to think", 3 * DAY_S), ("charge", HOUR_S), ("charge", HOUR_S), ("until", 30 * DAY_S)):
        on.suspended(arn, step)
        on.pass_time(pause_s)
    assert result(on, arn) == {"room": "room 12", "paid": {"attempt": 3}, "key": 7}
    held = on.execution(arn)
    assert (held["EndTimestamp"] - held["StartTimestamp"]).days == 33
    names = [event["Name"] for event in on.history(arn) if event["EventType"] == "StepFailed"]
    assert names == ["charge", "charge"]


def test_callbacks_from_outside(on: Stage) -> None:
    arn = on.begin(deploy(on, "approval"))
    on.client.send_durable_execution_callback_success(CallbackId=on.callback(arn, 1), Result=b"yes")
    on.client.send_durable_execution_callback_success(CallbackId=on.callback(arn, 2), Result=b"go on")
    assert result(on, arn) == {"first": "yes", "second": "go on"}


def test_a_callback_that_nobody_answers(on: Stage) -> None:
    arn = on.begin(deploy(on, "approval"))
    on.suspended(arn, "first")
    on.pass_time(2 * DAY_S)
    held = on.ended(arn)
    assert (held["Status"], held["Error"]["ErrorMessage"]) == ("FAILED", "Callback timed out")


def test_parallel_branches_and_a_map(on: Stage) -> None:
    arn = on.begin(deploy(on, "fanout"), {"items": 10})
    for hours in (1, 2, 5):
        on.suspended(arn, f"{hours} hours")
        on.pass_time(hours * HOUR_S)
    assert result(on, arn) == {"hours": [1, 2, 5], "squares": [number**2 for number in range(10)]}


def test_child_contexts_and_results_that_are_too_large_for_one(on: Stage) -> None:
    arn = on.begin(deploy(on, "nested"))
    on.suspended(arn, None)
    on.pass_time(HOUR_S)
    assert result(on, arn) == {"word": "deep", "size": 400_000}


def test_calls_of_other_functions(on: Stage) -> None:
    create(on.client, "plain")
    child = deploy(on, "greeting")
    event = {"plain": "plain", "durable": f"{child}:$LATEST", "missing": "missing"}
    arn = on.begin(deploy(on, "calling"), event)
    assert result(on, arn) == {
        "echoed": {"value": 1},
        "greeting": "Hello, child!",
        "missing": "ResourceNotFoundException",
    }


def test_polling(on: Stage) -> None:
    arn = on.begin(deploy(on, "polling"))
    for _ in range(2):
        on.suspended(arn, "enough")
        on.pass_time(HOUR_S)
    assert result(on, arn) == 3


def test_what_fails_for_good(on: Stage) -> None:
    answer = on.client.invoke(FunctionName=deploy(on, "failing", timeout_s=60), Qualifier="$LATEST")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorMessage"] == "there is no way on"


def test_a_server_that_is_started_anew_in_the_middle_of_a_wait(tmp_path: Path) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=False) as on:
        arn = on.begin(deploy(on, "booking"), {"room": 1})
        on.suspended(arn, "time to think")
    with stage(tmp_path, clock, puppets=False) as on:
        on.pass_time(3 * DAY_S)
        on.suspended(arn, "charge")
    with stage(tmp_path, clock, puppets=False) as on:
        for step, pause_s in (("charge", HOUR_S), ("charge", HOUR_S), ("until", 30 * DAY_S)):
            on.suspended(arn, step)
            on.pass_time(pause_s)
        assert result(on, arn)["key"] == 7
        kinds = on.kinds(arn)
        assert (kinds.count("InvocationCompleted"), kinds.count("StepSucceeded")) == (5, 3)


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle_of_a_step_and_of_a_callback(tmp_path: Path) -> None:
    members = {"FunctionName": "stubborn", "Qualifier": "$LATEST", "DurableExecutionName": "once", "Payload": b"{}"}
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        code = {"ZipFile": with_sdk((WORKFLOWS / "stubborn.py").read_text())}
        config = {"ExecutionTimeout": 600}
        client.create_function(
            FunctionName="stubborn", Runtime=RUNTIME, Role=ROLE, Handler="index.handler", Code=code, Timeout=60,
            DurableConfig=config,
        )  # fmt: skip
        arn = client.invoke(InvocationType="Event", **members)["DurableExecutionArn"]
        first = _event(client, arn, "StepSucceeded")["StepSucceededDetails"]["Result"]["Payload"]
        server.kill()
    with server_process(tmp_path) as server:
        callback_id = _event(server.client("lambda"), arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
        server.kill()
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"now")
        answer = client.invoke(**members)
        assert answer["DurableExecutionArn"] == arn
        assert json.loads(answer["Payload"].read()) == {"first": json.loads(first), "answer": "now"}


def _event(client: Any, arn: str, kind: str) -> dict[str, Any]:
    """The first event of that kind, once there is one; what runs is a server of its own."""
    for _ in range(100_000):
        for event in client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]:
            if event["EventType"] == kind:
                found: dict[str, Any] = event
                return found
    raise AssertionError(f"no {kind}")
