"""What is told of an event that leaves the queue, and to whom.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from lambent.services.lambda_.records.events import Attempt, Condition, Event, Settings


class Sent(msgspec.Struct, frozen=True):
    """Something that goes to the ARN `target`."""

    target: str
    event: bytes


def sent_for(event: Event, settings: Settings, tried: Attempt, condition: Condition, now_ms: int) -> list[Sent]:
    """What is sent when `event`, with its runs counted, leaves the queue under `condition` after the attempt `tried`;
    that tells of nothing where there was none."""
    destination = settings.on_success if condition == "Success" else settings.on_failure
    if destination is None:
        return []
    return [Sent(destination, msgspec.json.encode(_record(event, tried, condition, now_ms)))]


def _record(event: Event, tried: Attempt, condition: Condition, now_ms: int) -> dict[str, Any]:
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.envelope.request_id,
            "functionArn": event.line.key.arn(event.line.label),
            "condition": condition,
            "approximateInvokeCount": event.envelope.runs,
        },
        "requestPayload": msgspec.Raw(event.payload),
    }
    if tried.payload is not None:
        context = {"statusCode": 200, "executedVersion": tried.version}
        record["responseContext"] = context | ({"functionError": tried.error} if tried.error else {})
        record["responsePayload"] = msgspec.Raw(tried.payload)
    return record
