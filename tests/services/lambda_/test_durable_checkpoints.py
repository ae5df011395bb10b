"""What functions checkpoint, and what they ask for to go on: through boto3, in the function's place."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.store import durable
from tests.services.lambda_.calls import create, publish
from tests.services.lambda_.durables import real_now, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Transaction
    from tests.services.lambda_.durables import Stage


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=True) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


def update(name: str, kind: str, action: str, **members: Any) -> dict[str, Any]:
    """One OperationUpdate."""
    return {"Id": name, "Type": kind, "Action": action, **members}


def test_a_token_is_good_for_one_checkpoint(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    first = turn.token
    on.checkpoint(turn, update("s", "STEP", "START"))
    assert turn.token != first
    turn.token = first
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn, update("t", "STEP", "START"))


def test_a_checkpoint_that_comes_again_is_answered_again_and_done_once(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    first = turn.token
    answers = []
    for _ in range(2):
        turn.token = first
        answers.append((on.checkpoint(turn, update("s", "STEP", "START"), ClientToken="one"), turn.token))
    assert answers[0] == answers[1]
    assert on.kinds(arn) == ["ExecutionStarted", "StepStarted"]
    on.checkpoint(turn, ClientToken="two")
    turn.token = first
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn, update("s", "STEP", "START"), ClientToken="one")


def test_without_a_client_token_nothing_is_taken_for_a_repetition(on: Stage) -> None:
    def strip(params: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        del body["ClientToken"]
        params["body"] = json.dumps(body).encode()

    on.client.meta.events.register("before-call.lambda.CheckpointDurableExecution", strip)
    arn = on.begin(on.create())
    turn = on.turn()
    first = turn.token
    on.checkpoint(turn, update("s", "STEP", "START"))
    turn.token = first
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn, update("t", "STEP", "START"))
    assert on.kinds(arn) == ["ExecutionStarted", "StepStarted"]


@pytest.mark.parametrize("token", ["bm9uc2Vuc2U=", "WzFd", "a", "W10="])
def test_a_token_that_nobody_gave_is_refused(on: Stage, token: str) -> None:
    on.begin(on.create())
    turn = on.turn()
    turn.token = token
    for call in (on.client.checkpoint_durable_execution, on.client.get_durable_execution_state):
        with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
            call(DurableExecutionArn=turn.arn, CheckpointToken=token)


def test_a_token_belongs_to_its_execution_and_its_account(on: Stage) -> None:
    function = on.create()
    on.begin(function)
    on.begin(function)
    one, two = on.turn(), on.turn()
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="not valid for the durable"):
        on.client.checkpoint_durable_execution(DurableExecutionArn=one.arn, CheckpointToken=two.token)
    stranger = on.other().client
    with pytest.raises(stranger.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        stranger.checkpoint_durable_execution(DurableExecutionArn=one.arn, CheckpointToken=one.token)


def test_an_invocation_that_is_over_cannot_checkpoint(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 1}))
    turn.suspends()
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn)


def test_a_step_is_tried_again_when_its_time_has_come(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    error = {"ErrorMessage": "not yet"}
    step = on.checkpoint(
        turn,
        update("s", "STEP", "START", Name="try", SubType="Step"),
        update("s", "STEP", "RETRY", Error=error, StepOptions={"NextAttemptDelaySeconds": 30}),
    )["s"]
    assert (step["Status"], step["StepDetails"]["Attempt"], step["StepDetails"]["Error"]) == ("PENDING", 1, error)
    assert (step["StepDetails"]["NextAttemptTimestamp"] - step["StartTimestamp"]).seconds == 30
    turn.suspends()
    on.pass_time(30)
    turn = on.turn()
    step = turn.operations[1]
    assert (step["Status"], step["StepDetails"]["Attempt"], step["Name"]) == ("READY", 1, "try")
    assert isinstance(step["StartTimestamp"], int)
    on.checkpoint(turn, update("s", "STEP", "START"), update("s", "STEP", "SUCCEED", Payload='"x"'))
    turn.returns("SUCCEEDED")
    on.ended(arn)
    told = [(event["EventType"], event.get("Name")) for event in on.history(arn) if event.get("Id") == "s"]
    assert told == [(kind, "try") for kind in ("StepStarted", "StepFailed", "StepStarted", "StepSucceeded")]
    failed, succeeded = (event for event in on.history(arn) if event["EventType"] in ("StepFailed", "StepSucceeded"))
    assert failed["StepFailedDetails"] == {
        "Error": {"Payload": error, "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 30},
    }
    assert succeeded["StepSucceededDetails"] == {
        "Result": {"Payload": '"x"', "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 2},
    }


def test_a_step_that_waits_for_a_condition_keeps_what_it_has_found(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    options = {"NextAttemptDelaySeconds": 5}
    on.checkpoint(turn, update("s", "STEP", "RETRY", Payload='"half"', StepOptions=options))
    turn.suspends()
    assert on.kinds(arn)[1] == "StepSucceeded"
    on.pass_time(5)
    assert on.turn().operations[1]["StepDetails"] == {"Attempt": 1, "Result": '"half"'}


def test_a_wait_is_cancelled(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 60}))
    assert on.checkpoint(turn, update("w", "WAIT", "CANCEL"))["w"]["Status"] == "CANCELLED"
    assert on.kinds(arn)[-1] == "WaitCancelled"


def test_an_execution_may_be_ended_by_a_checkpoint(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, update("result", "EXECUTION", "SUCCEED", Payload='"large"'))
    assert turn.token == ""
    assert on.execution(arn)["Result"] == '"large"'
    turn.returns("SUCCEEDED", Result="")
    held = on.execution(arn)
    assert (held["Status"], held["Result"]) == ("SUCCEEDED", '"large"')
    assert on.kinds(arn) == ["ExecutionStarted", "ExecutionSucceeded", "InvocationCompleted"]


def test_what_lies_in_a_complete_context_is_not_told_again(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    for name, options in (("closed", {}), ("kept", {"ContextOptions": {"ReplayChildren": True}})):
        on.checkpoint(
            turn,
            update(name, "CONTEXT", "START"),
            update(f"{name}-inner", "CONTEXT", "START", ParentId=name),
            update(f"{name}-step", "STEP", "SUCCEED", ParentId=f"{name}-inner", Payload="1"),
        )
        on.checkpoint(turn, update(name, "CONTEXT", "SUCCEED", Payload="2", **options))
        on.checkpoint(turn, update(f"{name}-late", "STEP", "SUCCEED", ParentId=f"{name}-inner"))
    on.checkpoint(turn, update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 1}))
    turn.suspends()
    on.pass_time(1)
    turn = on.turn()
    names = [operation["Id"] for operation in turn.operations[1:]]
    assert names == ["closed", "kept", "kept-inner", "kept-step", "kept-late", "w"]
    assert turn.operations[1]["ContextDetails"] == {"Result": "2"}


def test_a_large_state_comes_in_pages(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    payload = "a" * limits.DURABLE_PAYLOAD_BYTES
    for number in range(8):
        on.checkpoint(turn, update(f"s{number}", "STEP", "SUCCEED", Payload=payload))
    on.checkpoint(turn, update("w", "WAIT", "START", WaitOptions={"WaitSeconds": 1}))
    turn.suspends()
    on.pass_time(1)
    turn = on.turn()
    assert len(turn.invocation.payload) < limits.INVOKE_REQUEST_BYTES
    found = [operation["Id"] for operation in turn.operations]
    marker = turn.event["InitialExecutionState"]["NextMarker"]
    assert 1 < len(found) < 8
    while marker:
        page = on.client.get_durable_execution_state(
            DurableExecutionArn=turn.arn, CheckpointToken=turn.token, Marker=marker, MaxItems=2
        )
        assert 0 < len(page["Operations"]) <= 2
        found += [operation["Id"] for operation in page["Operations"]]
        marker = page.get("NextMarker")
    assert found[1:] == [*(f"s{number}" for number in range(8)), "w"]


def test_what_is_new_comes_in_pages(on: Stage) -> None:
    on.begin(on.create())
    turn = on.turn()
    answer = b"a" * limits.DURABLE_PAYLOAD_BYTES
    names = [f"c{number}" for number in range(8)]
    asked = on.checkpoint(turn, *(update(name, "CALLBACK", "START") for name in names))
    on.checkpoint(turn, update("seen", "STEP", "START"))
    for callback in asked.values():
        on.client.send_durable_execution_callback_success(
            CallbackId=callback["CallbackDetails"]["CallbackId"], Result=answer
        )
    named: dict[str, Any] = {"DurableExecutionArn": turn.arn}
    first = on.client.checkpoint_durable_execution(CheckpointToken=turn.token, **named)
    found, marker = first["NewExecutionState"]["Operations"], first["NewExecutionState"]["NextMarker"]
    assert 1 < len(found) < 8
    while marker:
        rest = on.client.get_durable_execution_state(CheckpointToken=first["CheckpointToken"], Marker=marker, **named)
        found, marker = found + rest["Operations"], rest.get("NextMarker")
    assert [held["Id"] for held in found] == names


def test_a_state_begins_with_what_is_too_large_for_the_event(on: Stage) -> None:
    function = on.create()
    arn = on.begin(function, "a" * (limits.DURABLE_EVENT_BYTES - 2))
    turn = on.turn()
    assert len(turn.operations) == 1
    first = on.client.get_durable_execution_state(DurableExecutionArn=arn, CheckpointToken=turn.token, MaxItems=1)
    assert len(first["Operations"][0]["ExecutionDetails"]["InputPayload"]) == limits.DURABLE_EVENT_BYTES
    assert "NextMarker" not in first


def test_a_checkpoint_does_not_read_what_the_execution_was_given(on: Stage) -> None:
    """It may be of six megabytes, and there may be three thousand checkpoints."""
    execution_id = on.begin(on.create()).rpartition("/")[2]

    def drafted(tx: Transaction) -> Draft:
        execution = durable.find(tx, execution_id)
        assert execution is not None
        draft = durable.draft(tx, execution, on.parts.now_ms())
        assert draft.operations == []
        assert draft.root.id == execution_id
        return draft

    draft = on.server.run(lambda: on.parts.store.read(drafted))
    assert [held.id for held in draft.operations] == [execution_id]


def test_what_is_not_accepted_leaves_nothing(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="EXECUTION checkpoint must be the"):
        on.checkpoint(turn, update("e", "EXECUTION", "SUCCEED"), update("s", "STEP", "START"))
    assert on.checkpoint(turn, update("s", "STEP", "START")).keys() == {"s"}
    assert on.kinds(arn) == ["ExecutionStarted", "StepStarted"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DURABLE_OPERATIONS", 3, "more than"),
        ("DURABLE_WRITTEN_BYTES", 10, "has written more than"),
    ],
    ids=["operations", "bytes"],
)
def test_an_execution_over_its_quota_has_failed(
    on: Stage, monkeypatch: pytest.MonkeyPatch, name: str, value: int, message: str
) -> None:
    monkeypatch.setattr(limits, name, value)
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, *(update(f"s{number}", "STEP", "SUCCEED", Payload="1234") for number in range(3)))
    assert turn.token == ""
    turn.suspends()
    held = on.execution(arn)
    assert held["Status"] == "FAILED"
    assert message in held["Error"]["ErrorMessage"]


def test_a_function_is_called_and_its_answer_is_told(on: Stage) -> None:
    create(on.client, "plain")
    number = publish(on.client, "plain")
    arn = on.begin(on.create())
    turn = on.turn()
    call = update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": "plain:1"}, Payload='{"a": 1}')
    assert on.checkpoint(turn, call)["c"]["Status"] == "STARTED"
    turn.suspends()
    turn = on.turn()
    assert turn.operations[1]["Status"] == "SUCCEEDED"
    assert json.loads(turn.operations[1]["ChainedInvokeDetails"]["Result"]) == {"a": 1}
    details = on.history(arn)[1]["ChainedInvokeStartedDetails"]
    assert details == {
        "FunctionName": "plain:1",
        "Input": {"Payload": '{"a": 1}', "Truncated": False},
        "ExecutedVersion": number,
    }


def test_a_function_is_called_for_a_tenant(on: Stage) -> None:
    create(on.client, "tenants", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    arn = on.begin(on.create())
    turn = on.turn()
    options = {"FunctionName": "tenants", "TenantId": "blue"}
    on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions=options))
    turn.suspends()
    on.turn().returns("SUCCEEDED")
    started, succeeded = on.history(arn)[1], on.history(arn)[3]
    assert started["ChainedInvokeStartedDetails"]["TenantId"] == "blue"
    assert succeeded["EventType"] == "ChainedInvokeSucceeded"


def test_a_function_that_is_called_and_fails_tells_why(on: Stage) -> None:
    create(on.client, "plain", "raises")
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": "plain"}))
    turn.suspends()
    turn = on.turn()
    call = turn.operations[1]
    assert (call["Status"], call["ChainedInvokeDetails"]["Error"]["ErrorMessage"]) == ("FAILED", "Handler fails")
    assert "ChainedInvokeFailed" in on.kinds(arn)


def test_a_durable_function_that_is_called_is_an_execution_of_its_own(on: Stage) -> None:
    child, parent = on.create(), on.create()
    arn = on.begin(parent)
    turn = on.turn()
    name = f"{on.functions}{child}:$LATEST"
    on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": name}))
    turn.suspends()
    inner = on.turn()
    assert inner.function.name == child
    assert inner.operations[0]["ExecutionDetails"] == {}
    assert on.history(arn)[1]["ChainedInvokeStartedDetails"]["DurableExecutionArn"] == inner.arn
    inner.returns("SUCCEEDED", Result='"from the child"')
    turn = on.turn()
    assert turn.operations[1]["ChainedInvokeDetails"] == {"Result": '"from the child"'}
    turn.returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("fail", "FAILED", {"ErrorMessage": "no"}),
        ("stop", "STOPPED", {"ErrorMessage": "halt"}),
        (
            "time",
            "TIMED_OUT",
            {"ErrorMessage": "CHAINED_INVOKE timed out after 30 seconds.", "ErrorType": "ChainedInvoke.Timeout"},
        ),
    ],
    ids=["failed", "stopped", "timed out"],
)
def test_how_a_called_execution_ends_is_told(on: Stage, end: str, status: str, error: dict[str, Any]) -> None:
    child, parent = on.create(timeout_s=30), on.create()
    arn = on.begin(parent)
    turn = on.turn()
    options = {"FunctionName": f"{child}:$LATEST"}
    on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions=options))
    turn.suspends()
    inner = on.turn()
    if end == "fail":
        inner.returns("FAILED", Error=error)
    elif end == "stop":
        on.client.stop_durable_execution(DurableExecutionArn=inner.arn, Error=error)
    else:
        on.pass_time(30)
    call = on.turn().operations[1]
    assert (call["Status"], call["ChainedInvokeDetails"]["Error"]) == (status, error)
    kinds = {"FAILED": "ChainedInvokeFailed", "STOPPED": "ChainedInvokeStopped", "TIMED_OUT": "ChainedInvokeTimedOut"}
    assert kinds[status] in on.kinds(arn)


def test_a_call_of_a_function_that_is_deleted_has_failed(on: Stage) -> None:
    child, parent = on.create(), on.create()
    on.begin(parent)
    turn = on.turn()
    options = {"FunctionName": f"{child}:$LATEST"}
    on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions=options))
    turn.suspends()
    inner = on.turn()
    on.client.delete_function(FunctionName=child)
    call = on.turn().operations[1]
    assert call["Status"] == "FAILED"
    assert call["ChainedInvokeDetails"]["Error"] == {
        "ErrorType": "ResourceNotFoundException",
        "ErrorMessage": f"Function not found: {on.functions}{child}",
    }
    inner.returns("SUCCEEDED")


def test_what_cannot_be_called_has_failed_at_once(on: Stage) -> None:
    durable = on.create()
    arn = on.begin(on.create())
    turn = on.turn()
    found = on.checkpoint(
        turn,
        update("gone", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": "gone"}, Payload="1"),
        update("bare", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": durable}),
        update("none", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": f"{durable}:9"}),
        update("who", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": durable, "TenantId": "t"}),
    )
    errors = {name: held["ChainedInvokeDetails"]["Error"] for name, held in found.items()}
    assert {held["Status"] for held in found.values()} == {"FAILED"}
    assert errors["gone"] == {
        "ErrorType": "ResourceNotFoundException",
        "ErrorMessage": f"Function not found: {on.functions}gone:$LATEST",
    }
    assert errors["bare"]["ErrorMessage"] == "You cannot invoke a durable function using an unqualified ARN."
    assert errors["none"]["ErrorType"] == "ResourceNotFoundException"
    assert on.history(arn)[1]["ChainedInvokeStartedDetails"] == {"FunctionName": "gone"}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("arn:aws:lambda:us-east-1:111111111111:function:f", "account"),
        ("eu-west-1:function:f", "region"),
    ],
    ids=["account", "region"],
)
def test_calls_stay_where_they_are(on: Stage, name: str, where: str) -> None:
    on.begin(on.create())
    turn = on.turn()
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match=f"function in another {where}"):
        on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": name}))


def test_a_call_is_made_again_where_a_server_was_killed(tmp_path: Path) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        child, parent = on.create(), on.create()
        on.begin(parent)
        turn = on.turn()
        options = {"FunctionName": f"{child}:$LATEST"}
        on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions=options))
        turn.suspends()
        on.turn()
    with stage(tmp_path, clock, puppets=True) as on:
        inner = on.turn()
        assert inner.function.name == child
        inner.returns("SUCCEEDED", Result="1")
        assert on.turn().operations[1]["Status"] == "SUCCEEDED"


def test_a_call_that_a_stopping_server_breaks_off_is_made_again(tmp_path: Path) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        create(on.client, "plain", "raises")
        arn = on.begin(on.create())
        turn = on.turn()
        on.parts.engine.closing = True
        on.checkpoint(turn, update("c", "CHAINED_INVOKE", "START", ChainedInvokeOptions={"FunctionName": "plain"}))
        turn.suspends()
    asyncio.run(clock.advance(10))
    with stage(tmp_path, clock, puppets=True) as on:
        assert on.turn().operations[1]["ChainedInvokeDetails"]["Error"]["ErrorMessage"] == "Handler fails"
        begun, failed = (
            event["EventTimestamp"]
            for event in on.history(arn)
            if event["EventType"] in ("ExecutionStarted", "ChainedInvokeFailed")
        )
        assert (failed - begun).seconds == 10
