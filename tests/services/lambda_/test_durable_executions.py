"""Durable executions through boto3: how they begin, how they end, and what can be done to them meanwhile."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from tests.inboxes import inbox
from tests.services.lambda_.calls import create, publish, refused
from tests.services.lambda_.durables import DAY_S, real_now, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.inboxes import Inbox
    from tests.services.lambda_.durables import Stage

WAIT = {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 60}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=True) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


def test_a_caller_who_waits_gets_the_result(on: Stage) -> None:
    function = on.create()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(on.client.invoke, FunctionName=function, Qualifier="$LATEST", Payload=b'{"a": 1}')
        turn = on.turn()
        assert turn.operations[0]["ExecutionDetails"] == {"InputPayload": '{"a": 1}'}
        turn.returns("SUCCEEDED", Result='{"b": 2}')
        answer = call.result()
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    assert answer["DurableExecutionArn"] == turn.arn
    assert json.loads(answer["Payload"].read()) == {"b": 2}


def test_a_caller_who_waits_gets_the_error(on: Stage) -> None:
    function = on.create()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(on.client.invoke, FunctionName=function, Qualifier="$LATEST")
        on.turn().returns("FAILED", Error={"ErrorMessage": "no", "ErrorType": "Sad", "StackTrace": ["here"]})
        answer = call.result()
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read()) == {"errorMessage": "no", "errorType": "Sad", "stackTrace": ["here"]}


def test_a_caller_who_does_not_wait_gets_the_arn(on: Stage) -> None:
    function = on.create()
    arn = on.begin(function, {"a": 1}, DurableExecutionName="first")
    assert arn.startswith(f"{on.functions}{function}:$LATEST/durable-execution/first/")
    assert on.execution(arn)["Status"] == "RUNNING"
    on.turn().returns("SUCCEEDED", Result='"done"')
    on.ended(arn)
    held = on.execution(arn)
    assert {name: held[name] for name in ("Status", "InputPayload", "Result", "Version", "DurableExecutionName")} == {
        "Status": "SUCCEEDED",
        "InputPayload": '{"a": 1}',
        "Result": '"done"',
        "Version": "$LATEST",
        "DurableExecutionName": "first",
    }
    assert held["FunctionArn"] == f"{on.functions}{function}:$LATEST"
    assert held["DurableConfig"] == {"ExecutionTimeout": 600, "RetentionPeriodInDays": 14}
    assert held["EndTimestamp"] == held["StartTimestamp"]
    assert "ExpectedExecutionTimeoutTimestamp" not in held


def test_without_execution_data_nothing_of_it_is_shown(on: Stage) -> None:
    arn = on.begin(on.create(), "secret")
    on.turn().returns("FAILED", Error={"ErrorMessage": "secret"})
    on.ended(arn)
    held = on.execution(arn, IncludeExecutionData=False)
    assert held["ExecutionDataIncluded"] is False
    assert not held.keys() & {"InputPayload", "Result", "Error"}
    assert "secret" not in json.dumps(on.history(arn, IncludeExecutionData=False), default=str)
    assert on.history(arn, IncludeExecutionData=False)[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}


def test_an_execution_stays_with_its_version(on: Stage) -> None:
    function = on.create()
    number = publish(on.client, function)
    on.client.create_alias(FunctionName=function, Name="live", FunctionVersion=number)
    arn = on.begin(function, Qualifier="live")
    turn = on.turn()
    assert f":{function}:{number}/durable-execution/" in arn
    assert (turn.function.version, turn.invocation.invoked_arn) == (number, f"{on.functions}{function}:{number}")
    on.client.update_alias(FunctionName=function, Name="live", FunctionVersion=publish(on.client, function, "other"))
    on.checkpoint(turn, WAIT)
    turn.suspends()
    on.pass_time(60)
    assert on.turn().function.version == number


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_the_version_has_to_be_named(on: Stage, kind: str) -> None:
    function = on.create()
    text = refused(
        on.client, "InvalidParameterValueException", on.client.invoke, FunctionName=function, InvocationType=kind
    )
    assert text == "You cannot invoke a durable function using an unqualified ARN."


def test_a_trial_begins_nothing(on: Stage) -> None:
    function = on.create()
    answer = on.client.invoke(FunctionName=function, Qualifier="$LATEST", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert on.client.list_durable_executions_by_function(FunctionName=function)["DurableExecutions"] == []


def test_nobody_waits_for_more_than_fifteen_minutes(on: Stage) -> None:
    function = on.create(timeout_s=901)
    text = refused(
        on.client, "InvalidParameterValueException", on.client.invoke, FunctionName=function, Qualifier="$LATEST"
    )
    assert text == (
        "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
    )
    assert on.client.list_durable_executions_by_function(FunctionName=function)["DurableExecutions"] == []
    on.begin(function)


def test_an_event_that_nobody_waits_for_is_smaller(on: Stage) -> None:
    function = on.create()
    members = {"FunctionName": function, "Qualifier": "$LATEST", "InvocationType": "Event"}
    most = limits.DURABLE_EVENT_BYTES
    assert on.client.invoke(Payload=b'"' + b"a" * (most - 2) + b'"', **members)["StatusCode"] == 202
    with pytest.raises(on.client.exceptions.ClientError) as caught:
        on.client.invoke(Payload=b'"' + b"a" * (most - 1) + b'"', **members)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    text = f"{most + 1} byte payload is too large for the Event invocation type (limit {most} bytes)"
    assert caught.value.response["Error"]["Message"] == text


def test_ordinary_functions_have_no_durable_executions(on: Stage) -> None:
    create(on.client, "plain")
    refused(
        on.client,
        "InvalidParameterValueException",
        on.client.invoke,
        FunctionName="plain",
        DurableExecutionName="name",
    )


def test_others_reach_a_durable_function_by_its_arn(on: Stage) -> None:
    function = on.create()
    arn = f"{on.functions}{function}:$LATEST"
    on.server.run(lambda: on.parts.targets.deliver(arn, b'"pushed"'))
    turn = on.turn()
    assert turn.operations[0]["ExecutionDetails"] == {"InputPayload": '"pushed"'}
    turn.returns("SUCCEEDED")
    with ThreadPoolExecutor() as pool:
        for answer, expected in ((("SUCCEEDED", {"Result": "7"}), b"7"), (("FAILED", {"Error": {}}), b"{}")):
            called = pool.submit(on.server.run, lambda: on.parts.targets.call(arn, b"1"))
            on.turn().returns(answer[0], **answer[1])
            if answer[0] == "SUCCEEDED":
                assert called.result() == expected
            else:
                with pytest.raises(AwsError, match="Unhandled"):
                    called.result()
    with pytest.raises(AwsError, match="unqualified ARN"):
        on.server.run(lambda: on.parts.targets.deliver(arn.removesuffix(":$LATEST"), b"1"))


def test_the_trace_of_a_caller_goes_with_every_invocation(on: Stage) -> None:
    root = "1-5759e988-bd862e3fe1be46a994272793"
    on.client.meta.events.register_first(
        "before-sign.lambda.Invoke",
        lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", f"Root={root};Sampled=1"),
    )
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, WAIT)
    turn.suspends()
    on.pass_time(60)
    for invocation in (turn.invocation, on.turn().invocation):
        assert (invocation.trace_id or "").startswith(f"Root={root};")
    assert on.execution(arn)["TraceHeader"]["XAmznTraceId"].startswith(f"Root={root};")


def test_a_tenant_has_executions_of_its_own(on: Stage) -> None:
    function = on.create(TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    refused(
        on.client,
        "InvalidParameterValueException",
        on.client.invoke,
        FunctionName=function,
        Qualifier="$LATEST",
        InvocationType="Event",
    )
    members = {"FunctionName": function, "Qualifier": "$LATEST", "DurableExecutionName": "once", "Payload": b"1"}
    arn = on.client.invoke(**members, InvocationType="Event", TenantId="blue")["DurableExecutionArn"]
    turn = on.turn()
    assert turn.invocation.tenant_id == "blue"
    turn.returns("SUCCEEDED", Result='"secret"')
    assert on.client.invoke(**members, TenantId="blue")["DurableExecutionArn"] == arn
    refused(on.client, "DurableExecutionAlreadyStartedException", on.client.invoke, **members, TenantId="red")


def test_a_durable_function_does_not_stream(on: Stage) -> None:
    function = on.create()
    stream = on.client.invoke_with_response_stream
    message = refused(on.client, "InvalidParameterValueException", stream, FunctionName=function, Qualifier="$LATEST")
    assert message == "You cannot invoke a durable function with a response stream."
    message = refused(on.client, "InvalidParameterValueException", stream, FunctionName=function)
    assert message == "You cannot invoke a durable function using an unqualified ARN."


def test_the_same_name_and_event_are_the_same_execution(on: Stage) -> None:
    function = on.create()
    arn = on.begin(function, {"a": 1}, DurableExecutionName="once")
    assert on.begin(function, {"a": 1}, DurableExecutionName="once") == arn
    with ThreadPoolExecutor() as pool:
        members = {"FunctionName": function, "Qualifier": "$LATEST", "DurableExecutionName": "once"}
        waiting = pool.submit(on.client.invoke, Payload=b'{"a": 1}', **members)
        on.turn().returns("SUCCEEDED", Result="7")
        assert json.loads(waiting.result()["Payload"].read()) == 7
    assert on.begin(function, {"a": 1}, DurableExecutionName="once") == arn
    assert on.kinds(arn).count("ExecutionStarted") == 1


def test_a_name_stands_for_one_event_and_one_version(on: Stage) -> None:
    function = on.create()
    number = publish(on.client, function)
    arn = on.begin(function, {"a": 1}, DurableExecutionName="once")
    for members in ({"Payload": b'{"a": 2}'}, {"Payload": b'{"a": 1}', "Qualifier": number}):
        text = refused(
            on.client,
            "DurableExecutionAlreadyStartedException",
            on.client.invoke,
            **{"FunctionName": function, "Qualifier": "$LATEST", "DurableExecutionName": "once"} | members,
        )
        assert text == f"Execution already started: {arn}"
    other = on.create()
    assert on.begin(other, {"a": 2}, DurableExecutionName="once") != arn


def test_a_suspended_execution_goes_on_when_its_wait_is_over(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    started = on.checkpoint(turn, WAIT)["w"]
    assert (started["Status"], started["WaitDetails"].keys()) == ("STARTED", {"ScheduledEndTimestamp"})
    turn.suspends()
    on.pass_time(59)
    assert on.kinds(arn) == ["ExecutionStarted", "WaitStarted", "InvocationCompleted"]
    on.pass_time(1)
    turn = on.turn()
    assert turn.event["UpdatedOperationIds"] == ["w"]
    assert [operation["Status"] for operation in turn.operations] == ["STARTED", "SUCCEEDED"]
    turn.returns("SUCCEEDED", Result="1")
    on.ended(arn)
    assert on.kinds(arn) == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_what_happens_during_an_invocation_is_not_lost(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, WAIT)
    on.pass_time(60)
    turn.suspends()
    turn = on.turn()
    assert turn.operations[1]["Status"] == "SUCCEEDED"
    turn.returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"


def test_what_a_checkpoint_has_told_needs_no_other_invocation(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, WAIT)
    on.pass_time(60)
    assert on.checkpoint(turn)["w"]["Status"] == "SUCCEEDED"
    on.checkpoint(turn, WAIT | {"Id": "v"})
    turn.suspends()
    on.pass_time(60)
    assert on.turn().event["UpdatedOperationIds"] == ["v"]
    assert on.kinds(arn).count("InvocationCompleted") == 1


def test_an_execution_that_takes_too_long_times_out(on: Stage) -> None:
    arn = on.begin(on.create(timeout_s=90))
    assert (on.execution(arn)["ExpectedExecutionTimeoutTimestamp"] - on.execution(arn)["StartTimestamp"]).seconds == 90
    turn = on.turn()
    on.checkpoint(turn, WAIT | {"WaitOptions": {"WaitSeconds": 3600}})
    turn.suspends()
    on.pass_time(90)
    held = on.ended(arn)
    assert (held["Status"], held["Error"]) == ("TIMED_OUT", {"ErrorMessage": "Execution timed out after 90 seconds."})
    assert on.history(arn)[-1]["ExecutionTimedOutDetails"] == {}
    refused(
        on.client,
        "InvalidParameterValueException",
        on.client.checkpoint_durable_execution,
        DurableExecutionArn=arn,
        CheckpointToken=turn.token,
    )


def test_an_execution_is_stopped(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    error = {"ErrorMessage": "enough", "ErrorType": "Operator"}
    stopped = on.client.stop_durable_execution(DurableExecutionArn=arn, Error=error)["StopTimestamp"]
    held = on.execution(arn)
    assert (held["Status"], held["Error"], held["EndTimestamp"]) == ("STOPPED", error, stopped)
    on.pass_time(5)
    assert on.client.stop_durable_execution(DurableExecutionArn=arn)["StopTimestamp"] == stopped
    turn.returns("SUCCEEDED", Result="1")
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn)
    assert on.execution(arn)["Status"] == "STOPPED"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "DONE"}, "Invalid Status in invocation output."),
        ({"status": None}, "Invalid Status in invocation output."),
        ({"status": "FAILED", "Error": {"ErrorMessage": 5}}, "Invalid Status in invocation output."),
        ({"status": "SUCCEEDED", "Error": {}}, "Cannot provide an Error for SUCCEEDED status."),
        ({"status": "FAILED", "Result": "1"}, "Cannot provide a Result for FAILED status."),
        (
            {"status": "SUCCEEDED", "Result": "a" * (limits.DURABLE_EVENT_BYTES + 1)},
            "Execution output payload size must be less than or equal to 1048576 bytes.",
        ),
        (
            {"status": "FAILED", "Error": {"ErrorMessage": "a" * limits.DURABLE_ERROR_BYTES}},
            "Error object size must be less than or equal to 1048576 bytes.",
        ),
    ],
    ids=["unknown", "none", "number", "error", "result", "large", "large error"],
)
def test_a_wrong_answer_is_the_end(on: Stage, answer: dict[str, Any], message: str) -> None:
    arn = on.begin(on.create(DeadLetterConfig={"TargetArn": f"arn:aws:sqs:us-east-1:{on.account}:wrong"}))
    on.turn().returns(**answer)
    held = on.ended(arn)
    error = {"ErrorMessage": message, "ErrorType": "InvalidParameterValueException"}
    assert (held["Status"], held["Error"]) == ("FAILED", error)
    assert on.history(arn)[-2]["InvocationCompletedDetails"]["Error"]["Payload"] == error


def test_an_answer_that_waits_for_nothing_is_tried_again_a_few_times(on: Stage) -> None:
    arn = on.begin(on.create())
    for _ in range(limits.DURABLE_INVOCATIONS_IDLE):
        on.turn().suspends()
        on.pass_time(limits.DURABLE_RETRY_MAX_S)
    assert on.ended(arn)["Error"]["ErrorMessage"] == "Cannot return PENDING status with no pending operations."


def test_a_function_that_fails_is_tried_again_with_growing_pauses(on: Stage) -> None:
    arn = on.begin(on.create())
    for attempt in range(1, limits.DURABLE_INVOCATIONS_FAILED):
        on.turn().raises(f"attempt {attempt}")
        on.pass_time(limits.DURABLE_RETRY_MIN_S * 2 ** (attempt - 1))
    on.turn().raises("the last one")
    held = on.ended(arn)
    error = {"ErrorMessage": "the last one", "ErrorType": "Broken", "StackTrace": ["line"]}
    assert (held["Status"], held["Error"]) == ("FAILED", error)
    assert on.kinds(arn).count("InvocationCompleted") == limits.DURABLE_INVOCATIONS_FAILED


def test_who_finds_no_room_comes_again(on: Stage) -> None:
    arn = on.begin(on.create())
    passing = ("TooManyRequestsException", "ServiceException", "ResourceNotReadyException", "InternalError")
    for pause, code in zip((1, 2, 4, 8), passing, strict=True):
        on.turn().answers(AwsError(code, "Not now."))
        on.pass_time(pause)
    on.turn().returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"
    assert on.kinds(arn).count("InvocationCompleted") == 1


def test_an_execution_outlives_a_bug_of_the_server(on: Stage) -> None:
    arn = on.begin(on.create())
    on.turn().answers(RuntimeError("a bug"))
    on.recovered(arn)
    on.pass_time(limits.DURABLE_RETRY_MIN_S)
    on.turn().returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"
    assert on.kinds(arn).count("InvocationCompleted") == 1


def test_an_execution_whose_version_is_gone_fails(on: Stage) -> None:
    function = on.create()
    number = publish(on.client, function)
    arn = on.begin(function, Qualifier=number)
    turn = on.turn()
    on.checkpoint(turn, WAIT)
    turn.suspends()
    on.client.delete_function(FunctionName=function, Qualifier=number)
    on.pass_time(60)
    held = on.ended(arn)
    assert (held["Status"], held["Error"]["ErrorType"]) == ("FAILED", "ResourceNotFoundException")


def test_executions_go_with_their_function(on: Stage) -> None:
    function = on.create()
    with ThreadPoolExecutor() as pool:
        members = {"FunctionName": function, "Qualifier": "$LATEST", "DurableExecutionName": "mine"}
        waiting = pool.submit(refused, on.client, "ResourceNotFoundException", on.client.invoke, **members)
        turn = on.turn()
        on.client.delete_function(FunctionName=function)
        assert waiting.result() == "Durable Execution does not exist"
    with pytest.raises(on.client.exceptions.ResourceNotFoundException):
        on.execution(turn.arn)
    with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        on.checkpoint(turn)
    turn.returns("SUCCEEDED")


def test_an_execution_is_kept_for_its_time_and_no_longer(on: Stage) -> None:
    function = on.create()
    on.client.update_function_configuration(FunctionName=function, DurableConfig={"RetentionPeriodInDays": 2})
    arn = on.begin(function, DurableExecutionName="again")
    on.turn().returns("SUCCEEDED")
    on.ended(arn)
    on.pass_time(2 * DAY_S - 1)
    assert on.execution(arn)["Status"] == "SUCCEEDED"
    on.pass_time(2)
    assert on.gone(arn)
    assert on.begin(function, DurableExecutionName="again") != arn


def test_an_execution_that_has_ended_is_deleted(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    refused(
        on.client,
        "ResourceConflictException",
        on.client.delete_durable_execution,
        DurableExecutionArn=arn,
    )
    turn.returns("SUCCEEDED")
    on.ended(arn)
    answer = on.client.delete_durable_execution(DurableExecutionArn=arn)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["DeletionRequestTimestamp"]
    assert on.gone(arn)


def test_executions_are_listed_by_their_starts(on: Stage) -> None:
    function = on.create()
    names = [f"e{number}" for number in range(5)]
    arns = []
    for name in names:
        arns.append(on.begin(function, DurableExecutionName=name))
        on.pass_time(10)
    on.client.stop_durable_execution(DurableExecutionArn=arns[1])
    on.begin(on.create())

    def listed(**members: Any) -> list[str]:
        pages = on.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName=function, PaginationConfig={"PageSize": 2}, **members
        )
        return [held["DurableExecutionName"] for page in pages for held in page["DurableExecutions"]]

    assert listed() == names[::-1]
    assert listed(ReverseOrder=True) == names
    assert listed(DurableExecutionName="e3") == ["e3"]
    assert listed(Statuses=["STOPPED"]) == ["e1"]
    assert listed(Statuses=["SUCCEEDED", "RUNNING"]) == ["e4", "e3", "e2", "e0"]
    assert listed(Qualifier="$LATEST", ReverseOrder=True) == names
    assert listed(Qualifier="7") == []
    third = on.execution(arns[2])["StartTimestamp"]
    assert listed(StartedAfter=third) == ["e4", "e3"]
    assert listed(StartedBefore=third) == ["e1", "e0"]


def test_executions_of_a_function_that_is_not_there_cannot_be_listed(on: Stage) -> None:
    refused(
        on.client,
        "ResourceNotFoundException",
        on.client.list_durable_executions_by_function,
        FunctionName="missing",
    )


def test_a_history_comes_in_pages_from_either_end(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, *(WAIT | {"Id": f"w{number}"} for number in range(4)))
    for members, expected in (({}, [1, 2, 3, 4, 5]), ({"ReverseOrder": True}, [5, 4, 3, 2, 1])):
        pages = on.client.get_paginator("get_durable_execution_history").paginate(
            DurableExecutionArn=arn, PaginationConfig={"PageSize": 2}, **members
        )
        assert [event["EventId"] for page in pages for event in page["Events"]] == expected


def test_a_page_of_a_history_is_of_a_size_that_can_be_read(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    payload = "a" * limits.DURABLE_PAYLOAD_BYTES
    for number in range(5):
        on.checkpoint(turn, {"Id": f"s{number}", "Type": "STEP", "Action": "SUCCEED", "Payload": payload})
    first = on.client.get_durable_execution_history(DurableExecutionArn=arn)
    assert len(first["Events"]) == limits.DURABLE_PAGE_BYTES // limits.DURABLE_PAYLOAD_BYTES
    rest = on.client.get_durable_execution_history(DurableExecutionArn=arn, Marker=first["NextMarker"])
    ids = [event["EventId"] for page in (first, rest) for event in page["Events"]]
    assert ids == list(range(1, 7))


@pytest.mark.parametrize("operation", ["get_durable_execution_history", "list_durable_executions_by_function"])
def test_a_marker_that_nobody_gave_is_refused(on: Stage, operation: str) -> None:
    function = on.create()
    named = {"DurableExecutionArn": on.begin(function)} if "history" in operation else {"FunctionName": function}
    refused(on.client, "InvalidParameterValueException", getattr(on.client, operation), Marker="nonsense", **named)


@pytest.mark.parametrize(
    "operation",
    [
        "get_durable_execution",
        "get_durable_execution_history",
        "stop_durable_execution",
        "pause_durable_execution",
        "resume_durable_execution",
        "delete_durable_execution",
    ],
)
def test_an_execution_that_is_not_there_is_not_found(on: Stage, operation: str) -> None:
    arn = on.begin(on.create())
    other = on.other().client
    missing = arn.rpartition("/")[0] + "/00000000-0000-4000-8000-000000000000"
    renamed = arn.replace("/durable-execution/", "/durable-execution/x")
    for client, named in ((on.client, missing), (on.client, renamed), (other, arn)):
        text = refused(client, "ResourceNotFoundException", getattr(client, operation), DurableExecutionArn=named)
        assert text == "Durable Execution does not exist"


def test_a_paused_execution_is_not_invoked_until_it_is_resumed(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.checkpoint(turn, WAIT)
    turn.suspends()
    on.client.pause_durable_execution(DurableExecutionArn=arn, Reason="maintenance")
    held = on.execution(arn)
    assert held["Status"] == "PAUSED"
    assert (held["PauseDetails"]["Reason"], held["PauseDetails"]["ExecutionTimeoutPaused"]) == ("maintenance", True)
    assert (held["ExpectedExecutionTimeoutTimestamp"] - held["StartTimestamp"]).days == 366
    on.pass_time(1000)
    assert on.kinds(arn)[-1] == "WaitSucceeded"
    on.client.resume_durable_execution(DurableExecutionArn=arn, Reason="over")
    turn = on.turn()
    assert turn.operations[1]["Status"] == "SUCCEEDED"
    held = on.execution(arn)
    assert held["Status"] == "RUNNING"
    assert (held["ExpectedExecutionTimeoutTimestamp"] - held["StartTimestamp"]).seconds == 1600
    turn.returns("SUCCEEDED")
    on.ended(arn)
    events = {event["EventType"]: event for event in on.history(arn)}
    assert events["ExecutionPaused"]["ExecutionPausedDetails"]["Reason"]["Payload"] == "maintenance"
    assert events["ExecutionResumed"]["ExecutionResumedDetails"]["Reason"]["Payload"] == "over"


def test_a_pause_takes_hold_at_the_next_checkpoint(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.client.pause_durable_execution(DurableExecutionArn=arn)
    assert on.execution(arn)["Status"] == "PAUSING"
    assert on.checkpoint(turn, {"Id": "s", "Type": "STEP", "Action": "START"}) == {}
    assert turn.token == ""
    assert on.execution(arn)["Status"] == "PAUSED"
    assert on.kinds(arn)[-1] == "StepStarted"
    turn.suspends()
    on.client.resume_durable_execution(DurableExecutionArn=arn)
    assert [operation["Id"] for operation in on.turn().operations][1:] == ["s"]


def test_a_pause_that_has_not_taken_hold_can_be_taken_back(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    on.client.pause_durable_execution(DurableExecutionArn=arn)
    on.client.resume_durable_execution(DurableExecutionArn=arn)
    assert on.checkpoint(turn, {"Id": "s", "Type": "STEP", "Action": "START"})["s"]["Status"] == "STARTED"
    turn.returns("SUCCEEDED")
    assert on.ended(arn)["Status"] == "SUCCEEDED"


def test_a_pause_may_leave_the_timeout_running(on: Stage) -> None:
    arn = on.begin(on.create(timeout_s=90))
    on.turn()
    on.client.pause_durable_execution(DurableExecutionArn=arn, ExecutionTimeoutPaused=False)
    on.pass_time(90)
    assert on.ended(arn)["Status"] == "TIMED_OUT"


def test_pausing_and_resuming_are_done_once(on: Stage) -> None:
    arn = on.begin(on.create())
    turn = on.turn()
    refused(on.client, "ResourceConflictException", on.client.resume_durable_execution, DurableExecutionArn=arn)
    for _ in range(2):
        on.client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="one")
    refused(on.client, "ResourceConflictException", on.client.pause_durable_execution, DurableExecutionArn=arn)
    for _ in range(2):
        on.client.resume_durable_execution(DurableExecutionArn=arn, ClientToken="two")
    turn.returns("SUCCEEDED")
    on.ended(arn)
    for operation in (on.client.pause_durable_execution, on.client.resume_durable_execution):
        refused(on.client, "ResourceConflictException", operation, DurableExecutionArn=arn)


def test_without_a_client_token_a_second_pause_is_a_conflict(on: Stage) -> None:
    def strip(params: dict[str, Any], **_: Any) -> None:
        params["body"] = b"{}"

    on.client.meta.events.register("before-call.lambda.PauseDurableExecution", strip)
    arn = on.begin(on.create())
    turn = on.turn()
    on.client.pause_durable_execution(DurableExecutionArn=arn)
    refused(on.client, "ResourceConflictException", on.client.pause_durable_execution, DurableExecutionArn=arn)
    turn.suspends()


def test_an_execution_goes_on_where_a_server_was_killed(tmp_path: Path) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        function = on.create()
        waiting, running = on.begin(function, "waiting"), on.begin(function, "running")
        turns = {turn.arn: turn for turn in (on.turn(), on.turn())}
        on.checkpoint(turns[waiting], WAIT)
        turns[waiting].suspends()
        on.checkpoint(turns[running], {"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": "1"})
        old = turns[running]
    with stage(tmp_path, clock, puppets=True) as on:
        turn = on.turn()
        assert turn.arn == running
        assert turn.operations[1]["StepDetails"]["Result"] == "1"
        with pytest.raises(on.client.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
            on.checkpoint(old)
        turn.returns("SUCCEEDED")
        on.pass_time(60)
        turn = on.turn()
        assert turn.arn == waiting
        turn.returns("SUCCEEDED")
        assert on.ended(waiting)["Status"] == on.ended(running)["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("refused", [False, True], ids=["broken off", "refused"])
def test_what_a_stopping_server_breaks_off_is_no_failure(tmp_path: Path, refused: bool) -> None:
    clock = real_now()
    with stage(tmp_path, clock, puppets=True) as on:
        arn = on.begin(on.create())
        turn = on.turn()
        on.parts.engine.closing = True
        if refused:
            turn.answers(AwsError("InvalidRuntimeException", "The runtime is gone."))
        else:
            turn.raises("The environment was stopped")
    with stage(tmp_path, clock, puppets=True) as on:
        on.turn().returns("SUCCEEDED")
        assert on.ended(arn)["Status"] == "SUCCEEDED"
        assert on.kinds(arn).count("InvocationCompleted") == 1


@pytest.fixture(scope="module")
def letters(shared: Stage) -> Inbox:
    """What goes to queues."""
    return inbox(shared.server)


def test_the_event_of_what_failed_goes_to_the_dead_letter_queue(on: Stage, letters: Inbox) -> None:
    queue = f"arn:aws:sqs:us-east-1:{on.account}:letters"
    function = on.create(timeout_s=60, DeadLetterConfig={"TargetArn": queue})
    endings: list[tuple[str, str | None]] = []
    for ending in ("FAILED", "STOPPED", "TIMED_OUT", "SUCCEEDED"):
        arn = on.begin(function, {"ending": ending})
        turn = on.turn()
        if ending == "FAILED":
            turn.returns("FAILED", Error={"ErrorMessage": "why", "ErrorType": "Broken"})
        elif ending == "STOPPED":
            on.client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "enough"})
            turn.suspends()
        elif ending == "TIMED_OUT":
            on.pass_time(61)
            turn.suspends()
        else:
            turn.returns("SUCCEEDED")
    for _ in range(3):
        message = letters.take(queue)
        told = message.attributes
        assert told["RequestID"].value
        assert told["ErrorCode"].value == "200"
        words = told.get("ErrorMessage")
        endings.append((message.json()["ending"], words and words.value))
    assert [ending for ending, _ in endings] == ["FAILED", "STOPPED", "TIMED_OUT"]
    assert [words for _, words in endings[:2]] == ["why", "enough"]
    assert letters.empty(queue)


def test_who_waits_for_an_end_needs_no_dead_letter(on: Stage, letters: Inbox) -> None:
    queue = f"arn:aws:sqs:us-east-1:{on.account}:others"
    function = on.create(DeadLetterConfig={"TargetArn": queue})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(on.client.invoke, FunctionName=function, Qualifier="$LATEST", Payload=b"1")
        on.turn().returns("FAILED", Error={"ErrorMessage": "why"})
        assert waiting.result()["FunctionError"] == "Unhandled"
    on.begin(function, 2)
    on.turn().returns("FAILED", Error={})
    assert letters.take(queue).json() == 2
