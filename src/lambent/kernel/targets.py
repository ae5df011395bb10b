"""The road of targets: push one event into whatever an ARN names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from lambent.kernel.arn import Arn

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A service that sends in its own name, on behalf of one of its resources: the policy of what the ARN names says
    whether it may."""

    service: str
    """As policies name it: `sns.amazonaws.com`."""
    arn: str
    """The resource that it sends for."""
    account: str
    """The account of that resource, which the ARN of a bucket does not tell."""


class Attribute(msgspec.Struct, frozen=True):
    """What is told of an event beside it, as queues and topics have it with their messages."""

    kind: Literal["String", "Number"]
    value: str


NO_ATTRIBUTES: Final[Mapping[str, Attribute]] = MappingProxyType({})

FINAL: Final = frozenset(
    (
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "NotImplemented",
        "RequestEntityTooLargeException",
        "ResourceNotFoundException",
    )
)
"""The codes of refusals that no later attempt changes."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes with an event that is kept on its way."""

    trace: str = ""
    sender: Sender | None = None
    attributes: dict[str, Attribute] = {}


class Target(Protocol):
    """A service that takes events at its ARNs, from a sender or, without one, from whom nobody has to let in. `trace`
    is the tracing header that the event came with, empty where it came with none: whoever sends the event on sends it
    along.

    An event is what the service's own API takes: the body of a message (`sqs`, `sns`), the payload of an invocation
    (`lambda`), an entry of PutEvents as JSON (`events`), an object whose key is the attribute `Key` (`s3`).
    """

    @property
    def ordered(self) -> bool:
        """Whether the events for one ARN must come one after another, in the order in which they were sent."""

    async def deliver(
        self,
        arn: Arn,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """Take `event` for good: once this returns it survives a crash. Raises AwsError where it cannot."""

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Hand `event` over and return the answer. Raises AwsError where there is none."""


class Refused(Exception):
    """The event was not taken, and no later attempt changes that."""


class NoSuchTarget(Refused):
    """No service takes events at this ARN."""

    def __init__(self, arn: Arn) -> None:
        super().__init__(f"{arn.service} is not built in Lambent yet, so nothing takes events for {arn}")


class Targets:
    """The targets by the service in their ARN."""

    def __init__(self) -> None:
        self._by_service: dict[str, Target] = {}

    def register(self, service: str, target: Target) -> None:
        """Let `target` take the events of every ARN of `service`."""
        if service in self._by_service:
            raise ValueError(f"{service} has a target already")
        self._by_service[service] = target

    def ordered(self, arn: str) -> bool:
        """Whether events for `arn` must come one after another; they need not where no service takes them, or where it
        is no ARN."""
        try:
            target = self._by_service.get(Arn.parse(arn).service)
        except ValueError:
            return False
        return target is not None and target.ordered

    async def deliver(
        self,
        arn: str,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """Push `event` one way. Raises NoSuchTarget, Refused for a bad ARN, AwsError from the target."""
        name = _parsed(arn)
        await self._target(name).deliver(name, event, trace, sender, attributes)

    async def call(self, arn: str, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Push `event` and return the answer. Raises as `deliver` does."""
        name = _parsed(arn)
        return await self._target(name).call(name, event, trace, sender)

    def _target(self, arn: Arn) -> Target:
        target = self._by_service.get(arn.service)
        if target is None:
            raise NoSuchTarget(arn)
        return target


def _parsed(arn: str) -> Arn:
    try:
        return Arn.parse(arn)
    except ValueError as error:
        raise Refused(str(error)) from None
