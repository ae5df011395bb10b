"""Asynchronous invocation: what is accepted is run, again where it fails, and given up in AWS's time."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from tests.services.lambda_.calls import publish, refused
from tests.services.lambda_.queues import Stage, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_S = 3600


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, VirtualClock()) as made:
        yield made


@pytest.fixture
def sink(on: Stage) -> str:
    """A function that records go to."""
    return on.create("sink")


def test_an_event_is_accepted_and_run(on: Stage) -> None:
    on.create("f")
    answer = on.client.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert not {"ExecutedVersion", "FunctionError", "LogResult"} & answer.keys()
    run = on.run()
    assert run.invocation.payload == b'{"a": 1}'
    assert run.invocation.request_id == answer["ResponseMetadata"]["RequestId"]
    assert on.count() == 1
    run.returns()
    assert on.count() == 0
    on.quiet()


def test_invoke_async_queues_an_event(on: Stage) -> None:
    on.create("f")
    assert on.client.invoke_async(FunctionName="f", InvokeArgs=b'{"a": 1}')["Status"] == 202
    run = on.run()
    assert run.event == {"a": 1}
    run.returns()


def test_an_event_brings_all_that_came_with_it(on: Stage) -> None:
    arn = on.create("f")
    context = base64.b64encode(b'{"custom": {}}').decode()
    on.send("f", ClientContext=context, Qualifier="$LATEST")
    invocation = on.run().invocation
    assert invocation.client_context == b'{"custom": {}}'
    assert invocation.invoked_arn == f"{arn}:$LATEST"
    on.create("t", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    on.send("t", TenantId="blue")
    assert on.run().invocation.tenant_id == "blue"


def test_an_event_without_a_payload_is_an_empty_object(on: Stage) -> None:
    on.create("f")
    on.client.invoke(FunctionName="f", InvocationType="Event")
    assert on.run().event == {}


def test_events_that_cannot_be_are_refused_at_once(on: Stage) -> None:
    on.create("f")
    event = {"FunctionName": "f", "InvocationType": "Event"}
    for members in ({"FunctionName": "missing"}, {"Qualifier": "1"}, {"Qualifier": "live"}):
        refused(on.client, "ResourceNotFoundException", on.client.invoke, **event | members)
    refused(on.client, "InvalidRequestContentException", on.client.invoke, **event, Payload=b"{x")
    refused(on.client, "InvalidParameterValueException", on.client.invoke, **event, TenantId="blue")
    most = limits.EVENT_INVOKE_BYTES
    on.client.invoke(**event, Payload=b'"' + b"a" * (most - 2) + b'"')
    text = refused(
        on.client,
        "RequestEntityTooLargeException",
        on.client.invoke,
        **event,
        Payload=b'"' + b"a" * (most - 1) + b'"',
    )
    assert text == f"{most + 1} byte payload is too large for the Event invocation type (limit {most} bytes)"
    assert on.count() == 1


def test_a_dry_run_queues_nothing(on: Stage) -> None:
    on.create("f")
    assert on.client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert on.count() == 0


def test_a_function_that_fails_is_run_twice_again(on: Stage, sink: str) -> None:
    arn = on.create("f")
    on.configure(DestinationConfig={"OnFailure": {"Destination": sink}})
    request_id = on.send("f", {"a": 1})
    for rest_s in (limits.ASYNC_RETRY_FIRST_S, limits.ASYNC_RETRY_LATER_S):
        run = on.run()
        assert run.invocation.request_id == request_id
        run.raises()
        on.pass_time(rest_s - 1)
        on.quiet()
        on.pass_time(1)
    on.run().raises("third")
    record = on.told()
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{arn}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["responsePayload"]["errorMessage"] == "third"
    on.pass_time(7 * HOUR_S)
    on.quiet()
    assert on.count() == 0


@pytest.mark.parametrize("retries", [0, 1])
def test_how_often_is_configured(on: Stage, sink: str, retries: int) -> None:
    on.create("f")
    on.configure(MaximumRetryAttempts=retries, DestinationConfig={"OnFailure": {"Destination": sink}})
    on.send("f")
    on.run().raises()
    if retries:
        on.pass_time(limits.ASYNC_RETRY_FIRST_S)
        on.run().raises()
    assert on.told()["requestContext"]["approximateInvokeCount"] == retries + 1


def test_a_retry_that_would_come_too_late_is_none(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": sink}})
    on.send("f", {"message": "m"})
    run = on.run()
    on.pass_time(1)
    run.raises()
    context = on.told()["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_a_success_is_told(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(DestinationConfig={"OnSuccess": {"Destination": sink}, "OnFailure": {"Destination": sink}})
    on.send("f", {"a": 1})
    on.run().returns({"b": 2})
    record = on.told()
    assert record["requestContext"]["condition"] == "Success"
    assert (record["requestPayload"], record["responsePayload"]) == ({"a": 1}, {"b": 2})


def test_what_is_configured_counts_when_it_is_needed(on: Stage) -> None:
    on.create("f")
    on.send("f")
    run = on.run()
    on.configure(MaximumRetryAttempts=0)
    run.raises()
    assert on.count() == 0


def test_each_qualifier_has_a_configuration_of_its_own(on: Stage) -> None:
    on.create("f")
    version = publish(on.client, "f")
    on.client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    on.configure(Qualifier="live", MaximumRetryAttempts=0)
    for qualifier, waiting in (("live", 0), (version, 1)):
        on.send("f", Qualifier=qualifier)
        run = on.run()
        assert (run.function.version, run.invocation.invoked_arn.rpartition(":")[2]) == (version, qualifier)
        run.raises()
        assert on.count() == waiting


def test_an_event_of_a_loop_is_given_up(on: Stage, sink: str) -> None:
    on.create("f")
    on.configure(DestinationConfig={"OnFailure": {"Destination": sink}})
    on.send("f")
    on.run().answers(AwsError("RecursiveInvocationException", "Stopped."))
    assert on.told()["requestContext"]["approximateInvokeCount"] == 0
    assert on.count() == 0


def test_an_event_whose_alias_is_gone_is_given_up(on: Stage) -> None:
    on.create("f")
    on.client.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")
    on.send("f", Qualifier="live")
    on.run().raises()
    on.client.delete_alias(FunctionName="f", Name="live")
    assert on.count() == 1
    on.pass_time(limits.ASYNC_RETRY_FIRST_S)
    on.quiet()
    assert on.count() == 0


def test_the_events_of_a_deleted_function_go_with_it(on: Stage) -> None:
    on.create("f")
    on.create("g")
    on.send("f", 1)
    running = on.run()
    on.send("f", 2)
    on.run().raises()
    on.send("g", 3)
    kept = on.run()
    on.client.delete_function(FunctionName="f")
    on.create("f")
    running.raises()
    on.pass_time(HOUR_S)
    on.quiet()
    kept.returns()
    assert on.count() == 0
    on.send("f", 4)
    assert on.run().event == 4


def test_queued_events_run_what_the_function_has_become(on: Stage) -> None:
    on.create("f")
    on.send("f")
    run = on.run()
    on.client.update_function_configuration(FunctionName="f", Timeout=7)
    on.client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    run.raises()
    on.pass_time(limits.ASYNC_RETRY_FIRST_S)
    assert on.run().function.timeout_s == 7


@pytest.mark.parametrize("header", ["", "nonsense", "Lineage=2:00000000:1", "Root=1-5759e988-bd862e3fe1be46a994272793"])
def test_all_attempts_are_in_one_trace(on: Stage, header: str) -> None:
    arn = on.create("f")
    on.server.run(lambda: on.parts.targets.deliver(arn, b"1", header))
    first = on.run()
    first.raises()
    on.pass_time(limits.ASYNC_RETRY_FIRST_S)
    second = on.run()
    roots = [(run.invocation.trace_id or "").partition(";")[0] for run in (first, second)]
    assert roots[0] == roots[1] != ""
    assert not header.startswith("Root") or roots[0] == header
    lineages = [(run.invocation.trace_id or "").rpartition("Lineage=")[2] for run in (first, second)]
    assert lineages[0] == lineages[1]
    assert lineages[0].startswith("3:" if header.startswith("Lineage") else "1:")


def test_a_delivery_is_an_asynchronous_invocation(on: Stage) -> None:
    arn = on.create("f")
    on.server.run(lambda: on.parts.targets.deliver(arn, b'"pushed"'))
    run = on.run()
    assert run.event == "pushed"
    run.returns()


def test_a_bug_on_the_way_loses_no_event(on: Stage) -> None:
    on.create("f")
    on.send("f")
    on.run().answers(RuntimeError("a bug"))
    assert on.count() == 1
    on.pass_time(limits.ASYNC_RETRY_FIRST_S)
    on.run().returns()
    assert on.count() == 0


def test_a_server_that_stops_leaves_its_events_to_the_next(tmp_path: Path) -> None:
    clock = VirtualClock()
    with stage(tmp_path, clock) as on:
        on.create("f")
        on.configure(MaximumRetryAttempts=0)
        for number in range(3):
            on.send("f", number)
        held = [on.run() for _ in range(3)]
        held[0].returns()
    with stage(tmp_path, clock) as on:
        again = [on.run() for _ in range(2)]
        assert sorted(run.event for run in again) == sorted(run.event for run in held[1:])
        for run in again:
            run.returns()
        assert on.count() == 0


def test_a_retry_outlives_a_restart(tmp_path: Path) -> None:
    clock = VirtualClock()
    with stage(tmp_path, clock) as on:
        on.create("f")
        request_id = on.send("f")
        on.run().raises()
    with stage(tmp_path, clock) as on:
        on.pass_time(limits.ASYNC_RETRY_FIRST_S - 1)
        on.quiet()
        on.pass_time(1)
        run = on.run()
        assert run.invocation.request_id == request_id
        run.raises()
        on.pass_time(limits.ASYNC_RETRY_LATER_S)
        on.run().raises()
        assert on.count() == 0


def test_the_weights_of_an_alias_count_for_events(on: Stage) -> None:
    on.create("f")
    one = publish(on.client, "f")
    two = publish(on.client, "f", "other")
    weights = {"AdditionalVersionWeights": {two: 1.0}}
    on.client.create_alias(FunctionName="f", Name="live", FunctionVersion=one, RoutingConfig=weights)
    on.send("f", Qualifier="live")
    run = on.run()
    assert run.function.version == two
    on.client.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    run.raises()
    on.pass_time(limits.ASYNC_RETRY_FIRST_S)
    assert on.run().function.version == one
