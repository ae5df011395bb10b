"""Targets elsewhere: each is asked in its own protocol, signed as botocore signs, and refusals are told apart."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from lambent.kernel.arn import Arn
from lambent.kernel.clock import VirtualClock
from lambent.kernel.settings import Elsewhere
from lambent.kernel.targets import Attribute, Refused
from lambent.wire.elsewhere import ElsewhereTarget, Unreachable
from tests.support import free_port
from tests.wire.places import Place, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "Root=1-6aa82198-2f51ee7b25918f733cc0ef8f;Parent=5bd2da5c5632b22e;Sampled=0"
QUEUE = Arn.parse("arn:aws:sqs:eu-central-1:111122223333:queue")
TOPIC = Arn.parse("arn:aws:sns:eu-central-1:111122223333:topic")
BUS = Arn.parse("arn:aws:events:eu-central-1:111122223333:event-bus/bus")
BUCKET = Arn.parse("arn:aws:s3:::bucket")
KEY = {"Key": Attribute("String", "aws/lambda/async/f/2026/09/14/2026-09-14T16.32.54-id")}
LETTER = {"RequestID": Attribute("String", "id"), "ErrorCode": Attribute("Number", "200")}
ENTRY = b'{"Source":"lambda","Detail":"{}"}'


@pytest.fixture
def place() -> Iterator[Place]:
    with listening() as made:
        yield made


@contextmanager
def closing_late(target: ElsewhereTarget) -> Iterator[ElsewhereTarget]:
    try:
        yield target
    finally:
        target._threads.shutdown()


def target(place: Place, service: str, path: str = "") -> ElsewhereTarget:
    return ElsewhereTarget(service, Elsewhere(place.endpoint + path, "key", "secret"), "us-east-1", VirtualClock())


async def test_a_queue_gets_a_message(place: Place) -> None:
    with closing_late(target(place, "sqs")) as queues:
        await queues.deliver(QUEUE, '{"n": "\u03bb"}'.encode(), TRACE, attributes=LETTER)
    assert (place.last.method, place.last.path) == ("POST", "/")
    assert place.last.headers["content-type"] == "application/x-amz-json-1.0"
    assert place.last.headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert json.loads(place.last.body) == {
        "QueueUrl": f"{place.endpoint}/111122223333/queue",
        "MessageBody": '{"n": "\u03bb"}',
        "MessageAttributes": {
            "RequestID": {"DataType": "String", "StringValue": "id"},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        },
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    }


async def test_a_topic_gets_a_message(place: Place) -> None:
    with closing_late(target(place, "sns")) as topics:
        await topics.deliver(TOPIC, b"{}", TRACE, attributes=LETTER)
    form = {name: values[0] for name, values in parse_qs(place.last.body.decode()).items()}
    assert form == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": str(TOPIC),
        "Message": "{}",
        "MessageAttributes.entry.1.Name": "RequestID",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "id",
        "MessageAttributes.entry.2.Name": "ErrorCode",
        "MessageAttributes.entry.2.Value.DataType": "Number",
        "MessageAttributes.entry.2.Value.StringValue": "200",
    }
    assert place.last.headers["x-amzn-trace-id"] == TRACE


async def test_a_bus_gets_an_entry(place: Place) -> None:
    place.answer = (200, b'{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}')
    with closing_late(target(place, "events")) as buses:
        await buses.deliver(BUS, ENTRY, TRACE)
        assert json.loads(place.last.body) == {"Entries": [{"Source": "lambda", "Detail": "{}", "TraceHeader": TRACE}]}
        place.answer = (200, b'{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail"}]}')
        with pytest.raises(Refused, match="MalformedDetail"):
            await buses.deliver(BUS, ENTRY)
        place.answer = (200, b'{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}')
        with pytest.raises(Unreachable, match="InternalFailure"):
            await buses.deliver(BUS, ENTRY)


async def test_a_bucket_gets_an_object(place: Place) -> None:
    with closing_late(target(place, "s3", "/base/")) as buckets:
        await buckets.deliver(BUCKET, b"{}", TRACE, attributes=KEY)
    assert (place.last.method, place.last.path) == ("PUT", f"/base/bucket/{KEY['Key'].value}")
    assert place.last.body == b"{}"


async def test_the_name_of_a_bucket_is_one_part_of_the_path(place: Place) -> None:
    with closing_late(target(place, "s3")) as buckets:
        await buckets.deliver(Arn.parse("arn:aws:s3:::bucket?acl#\r\n e"), b"{}", attributes=KEY)
    assert place.last.path == f"/bucket%3Facl%23%0D%0A%20e/{KEY['Key'].value}"
    assert place.last.headers["authorization"].endswith(place.signed_by_botocore("s3", "us-east-1"))


@pytest.mark.parametrize(
    ("service", "arn", "region"),
    [
        ("sqs", QUEUE, "eu-central-1"),
        ("sns", TOPIC, "eu-central-1"),
        ("events", BUS, "eu-central-1"),
        ("s3", BUCKET, "us-east-1"),
    ],
    ids=["sqs", "sns", "events", "s3"],
)
async def test_requests_are_signed_as_botocore_signs_them(place: Place, service: str, arn: Arn, region: str) -> None:
    with closing_late(target(place, service)) as somewhere:
        await somewhere.deliver(arn, ENTRY, TRACE, attributes=KEY)
    signature = place.last.headers["authorization"].rpartition("Signature=")[2]
    assert f"/{region}/{service}/aws4_request" in place.last.headers["authorization"]
    assert signature == place.signed_by_botocore(service, region)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}'), Refused),
        ((403, b"<Error><Code>AccessDenied</Code></Error>"), Refused),
        ((301, b"elsewhere"), Refused),
        ((400, b'{"__type":"ThrottlingException"}'), Unreachable),
        ((429, b""), Unreachable),
        ((503, b"<Error><Code>SlowDown</Code></Error>"), Unreachable),
    ],
    ids=["no queue", "denied", "moved", "throttled", "too many", "slow down"],
)
async def test_refusals_that_pass_are_told_apart(
    place: Place, answer: tuple[int, bytes], error: type[Exception]
) -> None:
    place.answer = answer
    with closing_late(target(place, "sqs")) as queues, pytest.raises(error, match=f"sqs answered {answer[0]}"):
        await queues.deliver(QUEUE, b"{}")


async def test_where_nobody_listens_may_be_somebody_later() -> None:
    nowhere = Place(f"http://127.0.0.1:{free_port()}")
    with closing_late(target(nowhere, "sqs")) as queues, pytest.raises(Unreachable, match="sqs at http"):
        await queues.deliver(QUEUE, b"{}")


async def test_nothing_is_answered_from_elsewhere(place: Place) -> None:
    with closing_late(target(place, "sqs")) as queues, pytest.raises(Refused, match="answers none"):
        await queues.call(QUEUE, b"{}")
    assert place.asked == []
