"""InvokeWithResponseStream: functions that answer whole, and streams that are written while the client reads."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.services.lambda_.calls import create, invoke, own_client
from tests.services.lambda_.streams import Function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def ask(client: Any, event: Any = None, **members: Any) -> Any:
    return client.invoke_with_response_stream(FunctionName="f", Payload=json.dumps(event), **members)


def read(answer: Any) -> tuple[list[bytes], dict[str, str]]:
    """The chunks, and the event that ends them."""
    *chunks, complete = answer["EventStream"]
    return [chunk["PayloadChunk"]["Payload"] for chunk in chunks], complete["InvokeComplete"]


# Functions that answer whole.


def test_the_answer_of_a_function_that_does_not_stream_is_one_chunk(client: Any) -> None:
    create(client, "f")
    answer = ask(client, {"a": "ü"})
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/vnd.amazon.eventstream"
    (chunk,), complete = read(answer)
    assert json.loads(chunk) == {"a": "ü"}
    assert complete == {}


def test_a_large_answer_comes_in_several_chunks(client: Any) -> None:
    create(client, "f", "large")
    chunks, complete = read(ask(client, {"bytes": 5_000_000}))
    assert b"".join(chunks) == b'"' + b"a" * 5_000_000 + b'"'
    assert max(map(len, chunks)) == limits.STREAM_BUFFER_BYTES
    assert complete == {}


def test_a_function_that_raises_is_told_of_in_the_last_event(client: Any) -> None:
    create(client, "f", "raises")
    answer = ask(client, LogType="Tail")
    assert answer["StatusCode"] == 200
    chunks, complete = read(answer)
    assert chunks == []
    assert complete["ErrorCode"] == "Unhandled"
    details = json.loads(complete["ErrorDetails"])
    assert (details["errorMessage"], details["errorType"]) == ("Handler fails", "Exception")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"REPORT RequestId: {request_id}\t" in base64.b64decode(complete["LogResult"]).decode()


def test_a_function_that_takes_too_long_is_told_of_in_the_last_event(client: Any) -> None:
    create(client, "f", "sleeps", Timeout=1)
    chunks, complete = read(ask(client))
    assert chunks == []
    assert complete["ErrorCode"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in json.loads(complete["ErrorDetails"])["errorMessage"]


def test_a_dry_run_runs_nothing(client: Any) -> None:
    create(client, "f", "counter")
    answer = ask(client, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    answer["EventStream"].close()
    assert invoke(client, "f") == {"counter": 0}


def test_the_context_of_the_caller_arrives(client: Any) -> None:
    create(client, "f", "context")
    context = {"custom": {"foo": "bar"}}
    encoded = base64.b64encode(json.dumps(context).encode()).decode()
    (chunk,), _ = read(ask(client, ClientContext=encoded, Qualifier="$LATEST"))
    held = json.loads(chunk)["context"]
    assert held["client_context"]["custom"] == {"foo": "bar"}
    assert held["invoked_function_arn"].endswith(":function:f:$LATEST")


def test_what_is_wrong_with_a_request_is_answered_before_any_stream(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found"):
        ask(client)
    create(client, "f")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=r"Function not found: .*:f:7"):
        ask(client, Qualifier="7")
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse"):
        client.invoke_with_response_stream(FunctionName="f", Payload=b"{")
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="valid Base64-encoded JSON object"):
        ask(client, ClientContext="not base64")
    with pytest.raises(client.exceptions.ClientError) as caught:
        ask(client, "a" * limits.INVOKE_REQUEST_BYTES)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(client.exceptions.ClientError) as caught:
        ask(client, TenantId="one")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


# Streams.


@pytest.fixture
def function(client: Any, shared_lambent: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    create(client, "f")
    made = Function(shared_lambent)
    made.install(monkeypatch)
    yield made


def test_chunks_arrive_while_the_function_still_writes(client: Any, function: Function) -> None:
    answer = ask(client, LogType="Tail")
    events = iter(answer["EventStream"])
    for chunk in (b"one", b"two", b"\xff"):
        function.write(chunk)
        assert next(events) == {"PayloadChunk": {"Payload": chunk}}
    function.end(b"the log")
    assert next(events) == {"InvokeComplete": {"LogResult": base64.b64encode(b"the log").decode()}}
    with pytest.raises(StopIteration):
        next(events)
    assert function.invocation.streaming
    assert function.invocation.tail


def test_an_error_half_way_follows_what_was_written(client: Any, function: Function) -> None:
    answer = ask(client)
    function.write(b"half")
    function.fail("Oops", b'{"errorType":"Oops"}')
    chunks, complete = read(answer)
    assert chunks == [b"half"]
    assert complete == {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"Oops"}'}


def test_the_connection_serves_further_calls_after_a_stream(client: Any, function: Function) -> None:
    answer = ask(client)
    function.end()
    assert read(answer) == ([], {})
    assert client.get_function_configuration(FunctionName="f")["State"] == "Active"


def test_a_function_whose_client_has_gone_is_told(client: Any, function: Function) -> None:
    answer = ask(client)
    function.write(bytes(limits.STREAM_BUFFER_BYTES))
    next(iter(answer["EventStream"]))

    async def fill() -> None:
        while not function.stream.cancelled:
            await function.stream.write(bytes(limits.STREAM_BUFFER_BYTES))

    answer["EventStream"].close()
    function.run(fill)
    function.write(b"into the void")
    function.end()
