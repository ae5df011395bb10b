"""Callbacks: durable executions that wait for an answer from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lambent.kernel import limits
from lambent.services.lambda_.rules import durable_ids
from tests.services.lambda_.durables import real_now, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.lambda_.durables import Stage

OVER = "The callback is either timed out or already completed"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=True) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


def wait(on: Stage, **options: int) -> tuple[str, str]:
    """An execution that waits for a callback; its ARN, and the callback's id."""
    arn = on.begin(on.create())
    turn = on.turn()
    callback = on.checkpoint(turn, {"Id": "c", "Type": "CALLBACK", "Action": "START", "CallbackOptions": options})["c"]
    turn.suspends()
    return arn, callback["CallbackDetails"]["CallbackId"]


def answered(on: Stage) -> tuple[str, dict[str, Any]]:
    """The callback as the function is told of it."""
    callback = on.turn().operations[1]
    return callback["Status"], {
        name: value for name, value in callback["CallbackDetails"].items() if name != "CallbackId"
    }


def test_an_answer_is_told(on: Stage) -> None:
    arn, name = wait(on, TimeoutSeconds=60, HeartbeatTimeoutSeconds=20)
    on.client.send_durable_execution_callback_success(CallbackId=name, Result=b'{"ok": true}')
    assert answered(on) == ("SUCCEEDED", {"Result": '{"ok": true}'})
    started, _, succeeded = on.history(arn)[1:]
    assert started["CallbackStartedDetails"] == {"CallbackId": name, "Timeout": 60, "HeartbeatTimeout": 20}
    assert succeeded["CallbackSucceededDetails"] == {"Result": {"Payload": '{"ok": true}', "Truncated": False}}


def test_an_answer_may_be_empty(on: Stage) -> None:
    _, name = wait(on)
    on.client.send_durable_execution_callback_success(CallbackId=name)
    assert answered(on) == ("SUCCEEDED", {})


@pytest.mark.parametrize("error", [{"ErrorMessage": "no", "ErrorType": "T", "ErrorData": "d", "StackTrace": ["l"]}, {}])
def test_a_failure_is_told(on: Stage, error: dict[str, Any]) -> None:
    arn, name = wait(on)
    on.client.send_durable_execution_callback_failure(CallbackId=name, Error=error)
    assert answered(on) == ("FAILED", {"Error": error})
    assert on.history(arn)[-1]["CallbackFailedDetails"]["Error"] == {"Payload": error, "Truncated": False}


def test_a_failure_that_is_too_large_is_refused_and_is_no_answer(on: Stage) -> None:
    _, name = wait(on)
    error = {"ErrorMessage": "a" * (limits.DURABLE_ERROR_BYTES - len('{"ErrorMessage":""}'))}
    too_large = {"ErrorMessage": error["ErrorMessage"] + "a"}
    with pytest.raises(
        on.client.exceptions.InvalidParameterValueException,
        match="Error object size must be less than or equal to 1048576 bytes",
    ):
        on.client.send_durable_execution_callback_failure(CallbackId=name, Error=too_large)
    on.client.send_durable_execution_callback_failure(CallbackId=name, Error=error)
    assert answered(on) == ("FAILED", {"Error": error})


@pytest.mark.parametrize(
    ("options", "after", "error"),
    [
        ({"TimeoutSeconds": 60}, 60, {"ErrorMessage": "Callback timed out", "ErrorType": "Callback.Timeout"}),
        (
            {"TimeoutSeconds": 60, "HeartbeatTimeoutSeconds": 20},
            20,
            {"ErrorMessage": "Callback timed out on heartbeat", "ErrorType": "Callback.Heartbeat"},
        ),
        (
            {"TimeoutSeconds": 20, "HeartbeatTimeoutSeconds": 60},
            20,
            {"ErrorMessage": "Callback timed out", "ErrorType": "Callback.Timeout"},
        ),
    ],
    ids=["timeout", "heartbeat", "timeout first"],
)
def test_nobody_waits_for_ever(on: Stage, options: dict[str, int], after: int, error: dict[str, str]) -> None:
    arn, name = wait(on, **options)
    on.pass_time(after - 1)
    assert on.kinds(arn)[-1] == "InvocationCompleted"
    on.pass_time(1)
    assert answered(on) == ("TIMED_OUT", {"Error": error})
    told = on.history(arn)[-1]["CallbackTimedOutDetails"]["Error"]["Payload"]
    assert told == {"ErrorType": error["ErrorType"]}
    with pytest.raises(on.client.exceptions.CallbackTimeoutException, match=OVER):
        on.client.send_durable_execution_callback_success(CallbackId=name)


def test_a_heartbeat_asks_for_patience(on: Stage) -> None:
    arn, name = wait(on, TimeoutSeconds=60, HeartbeatTimeoutSeconds=20)
    for _ in range(3):
        on.pass_time(19)
        on.client.send_durable_execution_callback_heartbeat(CallbackId=name)
    assert on.kinds(arn)[-1] == "InvocationCompleted"
    on.pass_time(3)
    assert answered(on)[1]["Error"]["ErrorType"] == "Callback.Timeout"


def test_a_heartbeat_without_a_timeout_does_no_harm(on: Stage) -> None:
    _, name = wait(on)
    on.client.send_durable_execution_callback_heartbeat(CallbackId=name)
    on.client.send_durable_execution_callback_success(CallbackId=name, Result=b"1")
    assert answered(on) == ("SUCCEEDED", {"Result": "1"})


def test_an_answer_during_the_invocation_is_told_by_the_next_checkpoint(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    callback = on.checkpoint(turn, {"Id": "c", "Type": "CALLBACK", "Action": "START"})["c"]
    name = callback["CallbackDetails"]["CallbackId"]
    on.client.send_durable_execution_callback_success(CallbackId=name, Result=b"1")
    assert on.checkpoint(turn)["c"]["CallbackDetails"]["Result"] == "1"


@pytest.mark.parametrize("how", ["answered", "failed", "stopped", "stranger", "forged"])
def test_what_nobody_waits_for_is_refused(on: Stage, how: str) -> None:
    arn, name = wait(on)
    client = on.client
    if how == "answered":
        client.send_durable_execution_callback_success(CallbackId=name)
    elif how == "failed":
        client.send_durable_execution_callback_failure(CallbackId=name, Error={})
    elif how == "stopped":
        client.stop_durable_execution(DurableExecutionArn=arn)
    elif how == "stranger":
        client = on.other().client
    else:
        known = durable_ids.callback(name)
        assert known is not None
        name = durable_ids.written(msgspec.structs.replace(known, secret="guessed"))
    for call in (
        client.send_durable_execution_callback_success,
        client.send_durable_execution_callback_failure,
        client.send_durable_execution_callback_heartbeat,
    ):
        with pytest.raises(client.exceptions.CallbackTimeoutException, match=OVER):
            call(CallbackId=name)


@pytest.mark.parametrize("name", ["bm9uc2Vuc2U=", "WzEsMl0=", "abc"])
def test_an_id_that_nobody_gave_is_refused(on: Stage, name: str) -> None:
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid callback id"):
        on.client.send_durable_execution_callback_heartbeat(CallbackId=name)
