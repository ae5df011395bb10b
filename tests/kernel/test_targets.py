"""The road of targets: an event reaches whatever its ARN names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.kernel.errors import AwsError
from lambent.kernel.targets import Attribute, NoSuchTarget, Refused, Sender, Targets
from tests.inboxes import Message, Recipient

if TYPE_CHECKING:
    from lambent.kernel.arn import Arn

QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"


class Service(Recipient):
    """A target that remembers what it was given and answers with it."""

    def __init__(self, *, ordered: bool = True) -> None:
        self.given: list[Message] = []
        self.callers: list[Sender | None] = []
        super().__init__(self.given.append, ordered=ordered)

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        self.callers.append(sender)
        if event == b"bad":
            raise AwsError("ResourceNotFoundException", "no such function")
        return event.upper() + trace.encode()


async def test_an_event_goes_to_the_service_in_its_arn() -> None:
    targets, sqs, other = Targets(), Service(), Service()
    targets.register("sqs", sqs)
    targets.register("lambda", other)
    await targets.deliver(QUEUE, b"event", "Root=1")
    await targets.deliver(QUEUE, b"event")
    assert sqs.given == [Message(QUEUE, b"event", trace, None, {}) for trace in ("Root=1", "")]
    assert other.given == []


async def test_a_call_brings_the_answer_or_the_targets_error() -> None:
    targets = Targets()
    targets.register("sqs", Service())
    assert await targets.call(QUEUE, b"event") == b"EVENT"
    assert await targets.call(QUEUE, b"event", "+trace") == b"EVENT+trace"
    with pytest.raises(AwsError, match="no such function"):
        await targets.call(QUEUE, b"bad")


async def test_an_arn_that_nobody_takes_is_named() -> None:
    targets = Targets()
    for push in (targets.deliver, targets.call):
        with pytest.raises(NoSuchTarget, match=QUEUE):
            await push(QUEUE, b"event")
        with pytest.raises(Refused, match="not an ARN"):
            await push("queue", b"event")
    assert not targets.ordered("queue")


def test_a_service_has_one_target() -> None:
    targets = Targets()
    targets.register("sqs", Service())
    with pytest.raises(ValueError, match="sqs has a target already"):
        targets.register("sqs", Service())


async def test_the_target_learns_who_sends() -> None:
    targets, sqs = Targets(), Service()
    targets.register("sqs", sqs)
    sender = Sender(service="sns.amazonaws.com", arn="arn:aws:sns:us-east-1:000000000000:t", account="000000000000")
    await targets.deliver(QUEUE, b"event", sender=sender)
    await targets.call(QUEUE, b"event", sender=sender)
    await targets.deliver(QUEUE, b"event")
    assert [message.sender for message in sqs.given] == [sender, None]
    assert sqs.callers == [sender]


async def test_the_target_learns_the_attributes() -> None:
    targets, sqs = Targets(), Service()
    targets.register("sqs", sqs)
    attributes = {"ErrorCode": Attribute("Number", "200")}
    await targets.deliver(QUEUE, b"event", attributes=attributes)
    await targets.deliver(QUEUE, b"event")
    assert [message.attributes for message in sqs.given] == [attributes, {}]


def test_order_is_the_services_to_ask_for() -> None:
    targets = Targets()
    targets.register("sqs", Service())
    targets.register("lambda", Service(ordered=False))
    assert targets.ordered(QUEUE)
    assert not targets.ordered("arn:aws:lambda:us-east-1:000000000000:function:f")
    assert not targets.ordered("arn:aws:sns:us-east-1:000000000000:nobody")
