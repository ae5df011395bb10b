"""What is told of events that leave the queue: byte for byte as AWS has sent it, and what is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lambent.kernel import limits
from lambent.kernel.targets import Attribute
from lambent.services.lambda_.records.events import Attempt, Envelope, Event, Line, Settings
from lambent.services.lambda_.rules.async_records import sent_for

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/bus"
BUCKET = "arn:aws:s3:::bucket"
OTHER = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:g"
REQUEST = "a1c1934c-3754-4422-932e-b52ecf93534b"
TRACE = "Root=1-6aa82198-2f51ee7b25918f733cc0ef8f;Parent=5bd2da5c5632b22e;Sampled=0"
NOW_MS = int(datetime(2026, 9, 14, 16, 32, 54, 817000, UTC).timestamp() * 1000)
ERROR = b'{"errorMessage": "why", "errorType": "Exception", "stackTrace": []}'

ANSWERED = Attempt(version="$LATEST", payload=b'{"answer": 42}')
FAILED = Attempt(version="$LATEST", payload=ERROR, error="Unhandled")
THROTTLED = Attempt(refusal="TooManyRequestsException", message="Rate Exceeded.")
MISSING = Attempt(refusal="ResourceNotFoundException", message="Function not found: somewhere")


def event(payload: bytes = b"{}", runs: int = 1, qualifier: str | None = None) -> Event:
    line = Line(id=1, account=ACCOUNT, region="us-east-1", function="f", qualifier=qualifier)
    return Event(1, line, Envelope(request_id=REQUEST, accepted_ms=0, trace=TRACE, runs=runs), payload)


def settings(success: str | None = None, failure: str | None = None, dead_letter: str | None = None) -> Settings:
    return Settings(retries=2, age_s=60, on_success=success, on_failure=failure, dead_letter=dead_letter)


def record(one: Event, tried: Attempt, condition: Any, target: str = QUEUE) -> dict[str, Any]:
    (sent,) = sent_for(one, settings(target, target), tried, condition, NOW_MS)
    assert sent.target == target
    told: dict[str, Any] = json.loads(sent.event)
    return told


def test_a_record_is_that_of_aws_byte_for_byte() -> None:
    payload = b' {"label": "never-executed", "nested": {"unicode": "\xce\xbb", "nil": null, "items": [1,true,"x"]}}\n'
    told, dead = sent_for(event(payload, runs=0), settings(None, QUEUE, QUEUE), THROTTLED, "EventAgeExceeded", NOW_MS)
    assert told.event == (
        b'{"version":"1.0","timestamp":"2026-09-14T16:32:54.817Z","requestContext":{"requestId":"'
        + REQUEST.encode()
        + b'","functionArn":"'
        + FUNCTION.encode()
        + b':$LATEST","condition":"EventAgeExceeded","approximateInvokeCount":0},"requestPayload":'
        + payload
        + b',"responseContext":{"statusCode":429}}'
    )
    assert (told.trace, told.attributes) == (TRACE, {})
    assert (dead.event, dead.trace) == (payload, TRACE)
    assert dead.attributes == {
        "RequestID": Attribute("String", REQUEST),
        "ErrorCode": Attribute("Number", "429"),
        "ErrorMessage": Attribute("String", "Rate Exceeded."),
    }


def test_a_success_tells_what_was_answered_and_counts_once() -> None:
    told = record(event(b'{"n": 1}', runs=3, qualifier="live"), ANSWERED, "Success")
    assert told == {
        "version": "1.0",
        "timestamp": "2026-09-14T16:32:54.817Z",
        "requestContext": {
            "requestId": REQUEST,
            "functionArn": f"{FUNCTION}:live",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"answer": 42},
    }


def test_a_failure_tells_the_error_and_how_often_it_was() -> None:
    told = record(event(runs=3), FAILED, "RetriesExhausted")
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert told["responsePayload"] == json.loads(ERROR)


def test_without_concurrency_there_was_no_answer() -> None:
    one = event(b'{"wait": 1}', runs=0)
    told, dead = sent_for(one, settings(None, QUEUE, TOPIC), THROTTLED, "ZeroReservedConcurrency", NOW_MS)
    assert json.loads(told.event) == {
        "version": "1.0",
        "timestamp": "2026-09-14T16:32:54.817Z",
        "requestContext": {
            "requestId": REQUEST,
            "functionArn": f"{FUNCTION}:$LATEST",
            "condition": "ZeroReservedConcurrency",
            "approximateInvokeCount": 0,
        },
        "requestPayload": {"wait": 1},
    }
    assert dead.attributes == {
        "RequestID": Attribute("String", REQUEST),
        "ErrorMessage": Attribute(
            "String", "Function not invoked. Function isconfigured with zero reserved concurrent executions"
        ),
    }


@pytest.mark.parametrize(("runs", "count"), [(0, 1), (1, 2)])
def test_a_function_that_is_gone_was_not_found(runs: int, count: int) -> None:
    told, dead = sent_for(event(runs=runs), settings(None, QUEUE, QUEUE), MISSING, "RetriesExhausted", NOW_MS)
    said = json.loads(told.event)
    assert said["requestContext"]["approximateInvokeCount"] == count
    assert said["responseContext"] == {"statusCode": 404}
    assert "responsePayload" not in said
    assert dead.attributes["ErrorCode"] == Attribute("Number", "404")
    assert dead.attributes["ErrorMessage"] == Attribute("String", f"Function not found: {FUNCTION}:$LATEST")


def test_who_waited_too_long_without_a_try_was_throttled() -> None:
    told, dead = sent_for(event(runs=0), settings(None, QUEUE, QUEUE), Attempt(), "EventAgeExceeded", NOW_MS)
    assert json.loads(told.event)["responseContext"] == {"statusCode": 429}
    assert dead.attributes["ErrorMessage"] == Attribute("String", "Rate Exceeded.")


def test_what_a_policy_or_a_loop_has_refused_is_a_bad_request() -> None:
    tried = Attempt(refusal="RecursiveInvocationException", message="a loop")
    told, dead = sent_for(event(runs=0), settings(None, QUEUE, QUEUE), tried, "RetriesExhausted", NOW_MS)
    assert json.loads(told.event)["responseContext"] == {"statusCode": 400}
    assert dead.attributes["ErrorCode"] == Attribute("Number", "400")
    assert dead.attributes["ErrorMessage"] == Attribute("String", "a loop")


@pytest.mark.parametrize("answer", [b"A\x00\xff\n", b"text", b'{"half":'], ids=["bytes", "text", "half"])
def test_an_answer_that_is_not_json_is_an_error_of_the_delivery(answer: bytes) -> None:
    told = record(event(), msgspec.structs.replace(ANSWERED, payload=answer), "Success")
    assert "responsePayload" not in told
    assert told["deliveryError"] == {
        "statusCode": 400,
        "errorCode": "InvalidRequestContentException",
        "errorMessage": "The function response payload could not be parsed as JSON.",
    }


def test_an_empty_answer_is_none() -> None:
    told = record(event(), msgspec.structs.replace(ANSWERED, payload=b""), "Success")
    assert told.keys() == {"version", "timestamp", "requestContext", "requestPayload", "responseContext"}


@pytest.mark.parametrize(
    ("tried", "condition", "result"), [(ANSWERED, "Success", "Success"), (FAILED, "RetriesExhausted", "Failure")]
)
def test_a_bus_gets_an_entry(tried: Attempt, condition: Any, result: str) -> None:
    entry = record(event(), tried, condition, BUS)
    detail = json.loads(entry.pop("Detail"))
    assert detail == record(event(), tried, condition)
    assert entry == {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Resources": [BUS, f"{FUNCTION}:$LATEST"],
        "Time": NOW_MS // 1000,
        "EventBusName": BUS,
    }


def test_a_bucket_gets_an_object() -> None:
    (sent,) = sent_for(event(), settings(None, BUCKET), FAILED, "RetriesExhausted", NOW_MS)
    assert json.loads(sent.event) == record(event(), FAILED, "RetriesExhausted")
    key = f"aws/lambda/async/f/2026/09/14/2026-09-14T16.32.54-{REQUEST}"
    assert sent.attributes == {"Key": Attribute("String", key)}


def test_what_is_too_large_for_a_topic_leaves_the_payloads_out() -> None:
    large = b'"' + b"x" * limits.TOPIC_MESSAGE_BYTES + b'"'
    told = record(event(large), ANSWERED, "Success", TOPIC)
    assert told.keys() == {"version", "timestamp", "requestContext", "responseContext"}
    assert "requestPayload" in record(event(large), ANSWERED, "Success", QUEUE)
    assert "requestPayload" in record(event(), ANSWERED, "Success", TOPIC)


def test_a_dead_letter_keeps_a_kilobyte_of_the_message() -> None:
    long = json.dumps({"errorMessage": "Z雪" * 1000}, ensure_ascii=False).encode()
    tried = msgspec.structs.replace(FAILED, payload=long)
    (dead,) = sent_for(event(), settings(None, None, QUEUE), tried, "RetriesExhausted", NOW_MS)
    message = dead.attributes["ErrorMessage"].value
    assert message == ("Z雪" * 1000).encode()[: limits.DEAD_LETTER_MESSAGE_BYTES].decode()
    tried = msgspec.structs.replace(FAILED, payload=long.replace(b"Z", b"ZZ"))
    (dead,) = sent_for(event(), settings(None, None, QUEUE), tried, "RetriesExhausted", NOW_MS)
    assert dead.attributes["ErrorMessage"].value.endswith("\ufffd")


@pytest.mark.parametrize("payload", [b"null", b'"text"', b"\xff", b"", b'{"errorMessage": ""}', b'{"errorMessage": 5}'])
def test_a_dead_letter_without_a_message_has_no_empty_attribute(payload: bytes) -> None:
    tried = msgspec.structs.replace(FAILED, payload=payload)
    (dead,) = sent_for(event(), settings(None, None, QUEUE), tried, "RetriesExhausted", NOW_MS)
    assert dead.attributes == {
        "RequestID": Attribute("String", REQUEST),
        "ErrorCode": Attribute("Number", "200"),
    }


def test_each_goes_where_it_belongs() -> None:
    both = settings(OTHER, QUEUE, TOPIC)
    assert [sent.target for sent in sent_for(event(), both, ANSWERED, "Success", NOW_MS)] == [OTHER]
    assert [sent.target for sent in sent_for(event(), both, FAILED, "RetriesExhausted", NOW_MS)] == [QUEUE, TOPIC]
    assert sent_for(event(), settings(), FAILED, "RetriesExhausted", NOW_MS) == []


def test_a_record_belongs_to_the_trace_that_the_function_had() -> None:
    tried = msgspec.structs.replace(ANSWERED, trace=f"{TRACE};Lineage=1:a3653084:0")
    (sent,) = sent_for(event(), settings(OTHER), tried, "Success", NOW_MS)
    assert sent.trace == tried.trace
