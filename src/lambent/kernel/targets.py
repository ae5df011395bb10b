"""The road of targets: push one event into whatever an ARN names."""

from __future__ import annotations

from typing import Protocol

import msgspec

from lambent.kernel.arn import Arn


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A service that sends in its own name, on behalf of one of its resources: the policy of what the ARN names says
    whether it may."""

    service: str
    """As policies name it: `sns.amazonaws.com`."""
    arn: str
    """The resource that it sends for."""
    account: str
    """The account of that resource, which the ARN of a bucket does not tell."""


class Target(Protocol):
    """A service that takes events at its ARNs, from a sender or, without one, from whom nobody has to let in. `trace`
    is the tracing header that the event came with, empty where it came with none: whoever sends the event on sends it
    along."""

    async def deliver(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> None:
        """Take `event` for good: once this returns it survives a crash. Raises AwsError where it cannot."""

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Hand `event` over and return the answer. Raises AwsError where there is none."""


class NoSuchTarget(Exception):
    """No service takes events at this ARN."""


class Targets:
    """The targets by the service in their ARN."""

    def __init__(self) -> None:
        self._by_service: dict[str, Target] = {}

    def register(self, service: str, target: Target) -> None:
        """Let `target` take the events of every ARN of `service`."""
        if service in self._by_service:
            raise ValueError(f"{service} has a target already")
        self._by_service[service] = target

    async def deliver(self, arn: str, event: bytes, trace: str = "", sender: Sender | None = None) -> None:
        """Push `event` one way. Raises NoSuchTarget, ValueError for a bad ARN, AwsError from the target."""
        name = Arn.parse(arn)
        await self._target(name).deliver(name, event, trace, sender)

    async def call(self, arn: str, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Push `event` and return the answer. Raises as `deliver` does."""
        name = Arn.parse(arn)
        return await self._target(name).call(name, event, trace, sender)

    def _target(self, arn: Arn) -> Target:
        target = self._by_service.get(arn.service)
        if target is None:
            raise NoSuchTarget(str(arn))
        return target
