"""What is told of an event that leaves the queue, and to whom: records for destinations, dead letters for queues.

The order of a record's members, the payloads byte for byte in it and what is left out are as AWS sends it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.kernel import limits
from lambent.kernel.arn import Arn
from lambent.kernel.targets import Attribute

if TYPE_CHECKING:
    from lambent.services.lambda_.records.events import Attempt, Condition, Event, Settings

_json = msgspec.json.Decoder(msgspec.Raw)
_STATUSES: Final = {"ResourceNotFoundException": 404, "TooManyRequestsException": 429}
_REFUSED: Final = 400
_NOT_JSON: Final = {
    "statusCode": 400,
    "errorCode": "InvalidRequestContentException",
    "errorMessage": "The function response payload could not be parsed as JSON.",
}
_NO_CONCURRENCY: Final = "Function not invoked. Function isconfigured with zero reserved concurrent executions"
_THROTTLED: Final = "Rate Exceeded."


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes to the ARN `target`, over the road of targets."""

    target: str
    event: bytes
    trace: str
    """The tracing header that it belongs to."""
    attributes: dict[str, Attribute] = {}


class _Error(msgspec.Struct):
    """What counts of AWS's error JSON."""

    message: str | None = msgspec.field(default=None, name="errorMessage")


def sent_for(event: Event, settings: Settings, tried: Attempt, condition: Condition, now_ms: int) -> list[Sent]:
    """What is sent when `event`, with its runs counted, leaves the queue under `condition` after the attempt `tried`;
    that tells of nothing where there was none. Destination and dead-letter queue know nothing of one another."""
    destination = settings.on_success if condition == "Success" else settings.on_failure
    sent = []
    if destination is not None:
        sent.append(_to_destination(destination, event, tried, condition, now_ms))
    if settings.dead_letter is not None and condition != "Success":
        sent.append(_to_dead_letters(settings.dead_letter, event, tried, condition))
    return sent


def letter(target: str, event: bytes, request_id: str, message: str, trace: str) -> Sent:
    """The dead letter of an event whose durable execution has not succeeded."""
    return _letter(target, event, trace, request_id, "200", message)


def _to_destination(target: str, event: Event, tried: Attempt, condition: Condition, now_ms: int) -> Sent:
    """The record of the event in the form that the service of `target` takes."""
    record, attributes = _record(event, tried, condition, now_ms), {}
    service = Arn.parse(target).service
    if service == "sns" and len(record) > limits.TOPIC_MESSAGE_BYTES:
        record = _record(event, tried, condition, now_ms, payloads=False)
    elif service == "events":
        record = _bus_entry(target, event, record, condition, now_ms)
    elif service == "s3":
        attributes = {"Key": Attribute("String", _object_key(event, now_ms))}
    return Sent(target=target, event=record, trace=_trace(event, tried), attributes=attributes)


def _to_dead_letters(target: str, event: Event, tried: Attempt, condition: Condition) -> Sent:
    code = "" if condition == "ZeroReservedConcurrency" else str(_status(tried))
    message = _message(event, tried, condition)
    return _letter(target, event.payload, _trace(event, tried), event.envelope.request_id, code, message)


def _letter(target: str, event: bytes, trace: str, request_id: str, code: str, message: str) -> Sent:
    """The event as it came, and beside it why it was given up: as far as that is known, and a kilobyte of words."""
    words = message.encode(errors="replace")[: limits.DEAD_LETTER_MESSAGE_BYTES].decode(errors="replace")
    attributes = {
        "RequestID": Attribute("String", request_id),
        "ErrorCode": Attribute("Number", code),
        "ErrorMessage": Attribute("String", words),
    }
    # A queue takes no attribute that is empty.
    kept = {name: attribute for name, attribute in attributes.items() if attribute.value}
    return Sent(target=target, event=event, trace=trace, attributes=kept)


def _record(event: Event, tried: Attempt, condition: Condition, now_ms: int, *, payloads: bool = True) -> bytes:
    """The record; without the payloads where they would make it too large."""
    members: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _moment(now_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.envelope.request_id,
            "functionArn": _function_arn(event),
            "condition": condition,
            "approximateInvokeCount": _count(event, tried, condition),
        },
    }
    if payloads:
        members["requestPayload"] = msgspec.Raw(event.payload)
    if condition != "ZeroReservedConcurrency":
        members["responseContext"] = _context(tried)
    if payloads and tried.payload:
        if _is_json(tried.payload):
            members["responsePayload"] = msgspec.Raw(tried.payload)
        else:
            members["deliveryError"] = _NOT_JSON
    return msgspec.json.encode(members)


def _count(event: Event, tried: Attempt, condition: Condition) -> int:
    """AWS tells of one invocation where the last one succeeded, and counts one that found no function."""
    if condition == "Success":
        return 1
    return event.envelope.runs + (tried.refusal == "ResourceNotFoundException")


def _context(tried: Attempt) -> dict[str, Any]:
    context: dict[str, Any] = {"statusCode": _status(tried)}
    if tried.version is not None:
        context["executedVersion"] = tried.version
    if tried.error is not None:
        context["functionError"] = tried.error
    return context


def _status(tried: Attempt) -> int:
    """The status of the last answer to the queue; whoever has waited too long to be tried was throttled."""
    if tried.version is not None:
        return 200
    return _STATUSES.get(tried.refusal or "TooManyRequestsException", _REFUSED)


def _message(event: Event, tried: Attempt, condition: Condition) -> str:
    """What a dead letter says of the error."""
    if condition == "ZeroReservedConcurrency":
        return _NO_CONCURRENCY
    if tried.refusal == "ResourceNotFoundException":
        return f"Function not found: {_function_arn(event)}"
    if tried.version is None:
        return tried.message or _THROTTLED
    return _told(tried.payload or b"")


def _told(payload: bytes) -> str:
    """The message in AWS's error JSON; empty where a runtime wrote something else."""
    try:
        return msgspec.json.decode(payload, type=_Error).message or ""
    except msgspec.DecodeError:
        return ""


def _bus_entry(bus: str, event: Event, record: bytes, condition: Condition, now_ms: int) -> bytes:
    """An entry of PutEvents. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""
    result = "Success" if condition == "Success" else "Failure"
    entry = {
        "Time": now_ms // 1000,
        "Source": "lambda",
        "Resources": [bus, _function_arn(event)],
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Detail": record.decode(),
        "EventBusName": bus,
    }
    return msgspec.json.encode(entry)


def _object_key(event: Event, now_ms: int) -> str:
    """Where a bucket keeps the record. It ends in the id of the request: a record that is sent twice is one object."""
    moment = f"{_moment(now_ms):%Y/%m/%d/%Y-%m-%dT%H.%M.%S}"
    return f"aws/lambda/async/{event.line.function}/{moment}-{event.envelope.request_id}"


def _function_arn(event: Event) -> str:
    return event.line.key.arn(event.line.label)


def _trace(event: Event, tried: Attempt) -> str:
    return tried.trace or event.envelope.trace


def _moment(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000, UTC)


def _is_json(payload: bytes) -> bool:
    try:
        payload.decode()
        _json.decode(payload)
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError):
        return False
    return True
