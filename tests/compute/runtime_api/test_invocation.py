"""A runtime that speaks HTTP: next, response, error, and what it may not do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from lambent.kernel import limits
from tests.compute.runtime_api.harness import NONCE, REQUEST_ID, RUNTIME, Bench, event

if TYPE_CHECKING:
    from tests.compute.runtime_api.harness import Guest

NEXT = f"{RUNTIME}/invocation/next"
RESPONSE = f"{RUNTIME}/invocation/{REQUEST_ID}/response"
ERROR = f"{RUNTIME}/invocation/{REQUEST_ID}/error"
OTHER = f"{RUNTIME}/invocation/another-id"
NOT_ALLOWED = "State transition from {} to {} failed for runtime. Error: State transition is not allowed"


async def test_next_waits_and_carries_the_event_in_headers_and_body(bench: Bench) -> None:
    answer = await bench.running(
        await bench.guest(),
        payload=b'{"name":"caf\xc3\xa9"}',
        trace_id="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        client_context=b'{"custom":\r\n{"a":"b"}}',
        cognito_identity=b'{"cognitoIdentityId":"x"}',
        tenant_id="blue",
    )
    assert (answer.status, answer.body) == (200, b'{"name":"caf\xc3\xa9"}')
    assert answer.headers == {
        "content-type": "application/json",
        "content-length": "16",
        "lambda-runtime-aws-request-id": REQUEST_ID,
        "lambda-runtime-deadline-ms": "1700000003000",
        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:greeter",
        "lambda-runtime-invocation-id": NONCE,
        "lambda-runtime-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        "lambda-runtime-client-context": '{"custom":  {"a":"b"}}',
        "lambda-runtime-cognito-identity": '{"cognitoIdentityId":"x"}',
        "lambda-runtime-aws-tenant-id": "blue",
    }


async def test_what_an_invocation_lacks_has_no_header(bench: Bench) -> None:
    answer = await bench.running(await bench.guest())
    assert {name for name in answer.headers if name.startswith("lambda-runtime-")} == {
        "lambda-runtime-aws-request-id",
        "lambda-runtime-deadline-ms",
        "lambda-runtime-invoked-function-arn",
        "lambda-runtime-invocation-id",
    }


async def test_an_answer_reaches_the_environment_as_it_is_and_the_next_event_follows(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    answer = await guest.call("POST", RESPONSE, b"not \xff json", Content_Type="application/unknown")
    assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
    assert await bench.environment.hears() == ("answered", 1, b"not \xff json")
    await guest.send("GET", NEXT)
    assert await bench.environment.hears() == ("waiting", 1)
    bench.runtime.event(event(2, b"2", request_id="second"))
    answer = await guest.answer()
    assert (answer.headers["lambda-runtime-aws-request-id"], answer.body) == ("second", b"2")


async def test_an_event_is_held_until_the_runtime_asks(bench: Bench) -> None:
    bench.runtime.event(event())
    answer = await (await bench.guest()).call("GET", NEXT)
    assert answer.body == b'{"n":1}'
    assert await bench.environment.hears() == ("ready",)


async def test_asking_again_gives_the_same_event_again(bench: Bench) -> None:
    guest = await bench.guest()
    first = await bench.running(guest)
    again = await guest.call("GET", NEXT)
    assert (again.headers, again.body) == (first.headers, first.body)
    assert bench.environment.told.empty()


async def test_a_runtime_that_asks_over_a_new_connection_is_the_one_that_waits(bench: Bench) -> None:
    old, new = await bench.guest(), await bench.guest()
    await old.send("GET", NEXT)
    assert await bench.environment.hears() == ("ready",)
    await new.send("GET", NEXT)
    assert await _cut(old)
    bench.runtime.event(event())
    assert (await new.answer()).status == 200


async def test_an_event_that_a_lost_connection_missed_is_given_to_the_next(bench: Bench) -> None:
    guest = await bench.guest()
    await guest.send("GET", NEXT)
    assert await bench.environment.hears() == ("ready",)
    guest.writer.close()
    await guest.writer.wait_closed()
    bench.runtime.event(event())
    assert (await (await bench.guest()).call("GET", NEXT)).body == b'{"n":1}'


@pytest.mark.parametrize("verb", ["response", "error"])
async def test_a_wrong_request_id_is_refused(bench: Bench, verb: str) -> None:
    guest = await bench.guest()
    assert (await guest.call("POST", f"{OTHER}/{verb}")).error == (400, "InvalidRequestID", "Invalid request ID")
    await bench.running(guest)
    assert (await guest.call("POST", f"{OTHER}/{verb}")).error == (400, "InvalidRequestID", "Invalid request ID")
    answer = await guest.call("POST", RESPONSE, Lambda_Runtime_Invocation_Id="stale")
    assert answer.error == (400, "InvalidRequestID", "Invalid request ID")
    assert (await guest.call("POST", RESPONSE, b"1", Lambda_Runtime_Invocation_Id=NONCE)).status == 202


@pytest.mark.parametrize(("path", "wanted"), [(RESPONSE, "InvocationResponse"), (ERROR, "InvocationErrorResponse")])
async def test_a_second_answer_is_refused(bench: Bench, path: str, wanted: str) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    await guest.call("POST", RESPONSE, b"1")
    refused = await guest.call("POST", path, b"2")
    text = NOT_ALLOWED.format("RuntimeResponseSentState", wanted)
    assert refused.error == (403, "InvalidStateTransition", text)
    assert await bench.environment.hears() == ("answered", 1, b"1")
    assert bench.environment.told.empty()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (None, "Runtime.Unknown"),
        ("Error", "Runtime.Unknown"),
        ("Function.myError", "Function.Unknown"),
        ("Function.MyError", "Function.MyError"),
        ("Runtime.UnmarshalError", "Runtime.UnmarshalError"),
        ("see Runtime.UnmarshalError", "Runtime.Unknown"),
    ],
)
async def test_an_error_comes_with_a_type_that_is_known(bench: Bench, given: str | None, kind: str) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    headers = {} if given is None else {"Lambda_Runtime_Function_Error_Type": given}
    answer = await guest.call("POST", ERROR, b'{"errorMessage":"no"}', **headers)
    assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
    assert await bench.environment.hears() == ("failed", 1, b'{"errorMessage":"no"}', kind)


@pytest.mark.parametrize(
    ("posted", "shown"),
    [
        (
            b'{"errorMessage":"m","errorType":"t","stackTrace":["a"],"errorCause":{"exceptions":[]}}',
            b'{"errorMessage":"m","errorType":"t","stackTrace":["a"]}',
        ),
        (b'{"errorMessage":"m","errorType":"t"}', b'{"errorMessage":"m","errorType":"t"}'),
        (b"not json", b'"Invalid error body"'),
        (b'{"x":' + b"[" * 5000, b'"Invalid error body"'),
    ],
    ids=["cause", "plain", "broken", "deep"],
)
async def test_the_cause_that_is_meant_for_xray_is_taken_out(bench: Bench, posted: bytes, shown: bytes) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    await guest.call("POST", ERROR, posted, Content_Type="application/vnd.aws.lambda.error.cause+json")
    assert await bench.environment.hears() == ("failed", 1, shown, "Runtime.Unknown")


async def test_the_largest_answer_passes(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    body = bytes(limits.INVOKE_PAYLOAD_BYTES)
    assert (await guest.call("POST", RESPONSE, body)).status == 202
    assert await bench.environment.hears() == ("answered", 1, body)


@pytest.mark.parametrize("path", [RESPONSE, ERROR], ids=["response", "error"])
async def test_a_larger_answer_is_told_and_refused_and_the_runtime_goes_on(bench: Bench, path: str) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    refused = await guest.call("POST", path, bytes(limits.INVOKE_PAYLOAD_BYTES + 1))
    text = "Exceeded maximum allowed payload size (6291556 bytes)."
    assert refused.error == (413, "RequestEntityTooLarge", text)
    assert await bench.environment.hears() == ("too_large", 1)
    await guest.send("GET", NEXT)
    assert await bench.environment.hears() == ("waiting", 1)


async def test_a_truncated_answer_fails_and_is_told_so(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(f"POST {RESPONSE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
    guest.writer.write_eof()
    refused = await guest.answer()
    assert refused.error == (400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
    told = await bench.environment.hears()
    assert (told[0], told[1], told[3]) == ("broken", 1, "Runtime.TruncatedResponse")
    await (await bench.guest()).send("GET", NEXT)
    assert await bench.environment.hears() == ("waiting", 1)


async def test_an_answer_whose_connection_breaks_fails(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(f"POST {RESPONSE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
    await guest.writer.drain()
    guest.writer.transport.abort()
    assert (await bench.environment.hears())[3] == "Runtime.TruncatedResponse"


async def test_an_answer_that_could_not_be_told_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    bugs: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context["exception"]))
    monkeypatch.setattr(bench.environment, "answered", Mock(side_effect=RuntimeError("a bug")), raising=False)
    await guest.send("POST", RESPONSE, b"1")
    assert await _cut(guest)
    assert (await bench.environment.hears())[3] == "Runtime.TruncatedResponse"
    assert [str(bug) for bug in bugs] == ["a bug"]
    await (await bench.guest()).send("GET", NEXT)
    assert await bench.environment.hears() == ("waiting", 1)


async def test_an_unknown_response_mode_fails_the_invocation(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    refused = await guest.call("POST", RESPONSE, b"1", Lambda_Runtime_Function_Response_Mode="gzip")
    assert refused.error[:2] == (400, "InvalidFunctionResponseMode")
    told = await bench.environment.hears()
    assert (told[0], told[3]) == ("broken", "Runtime.InvalidResponseModeHeader")


async def test_a_closed_one_cuts_the_guests_and_takes_no_more(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    bench.api.close()
    assert await _cut(guest)
    with pytest.raises(ConnectionRefusedError):
        await bench.guest()
    assert bench.environment.told.empty()


async def _cut(guest: Guest) -> bool:
    try:
        return await guest.closed() == b""
    except (ConnectionResetError, asyncio.IncompleteReadError):
        return True


async def test_an_empty_response_mode_is_none(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    assert (await guest.call("POST", RESPONSE, b"1", Lambda_Runtime_Function_Response_Mode="")).status == 202
    assert await bench.environment.hears() == ("answered", 1, b"1")


async def test_no_request_id_is_a_wrong_one_before_any_event_too(bench: Bench) -> None:
    guest = await bench.guest()
    for path in ("response", "error"):
        refused = await guest.call("POST", f"{RUNTIME}/invocation//{path}", b"1")
        assert refused.error == (400, "InvalidRequestID", "Invalid request ID")
