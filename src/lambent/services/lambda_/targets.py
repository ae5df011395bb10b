"""What the ARNs of functions accept on the road of targets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lambent.kernel.access import Requester
from lambent.kernel.targets import NO_ATTRIBUTES
from lambent.services.lambda_ import errors, running
from lambent.services.lambda_.access import permits
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.errors import durable, permissions
from lambent.services.lambda_.queue.accepting import accept
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import durable_answers, payloads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.function import FunctionVersion
    from lambent.kernel.arn import Arn
    from lambent.kernel.targets import Attribute, Sender
    from lambent.services.lambda_.parts import Parts

_RESOURCE = re.compile(r"function:(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>[^:]+))?")


class FunctionTarget:
    """Functions as targets: a delivery is an asynchronous invocation, a call a synchronous one. Either begins an
    execution of a durable function."""

    ordered: Final = False
    """Functions are invoked asynchronously in any order."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def deliver(
        self,
        arn: Arn,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,  # noqa: ARG002 a function is not told of them
    ) -> None:
        """Invoke the function asynchronously: once this returns the event is queued, or the execution of a durable
        function has begun."""
        version, payload = await self._resolved(arn, event, sender)
        if version.durable:
            await starting.start(self._parts, version, payload, name=None, waits=False, trace=trace)
            return
        key, qualifier = _named(arn)
        await accept(self._parts, key, qualifier, payload, request_id=self._parts.ids.uuid(), trace=trace)

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Invoke the function and return its answer. Raises AwsError where it is missing, refused or failed."""
        version, payload = await self._resolved(arn, event, sender)
        if version.durable:
            return await self._lasting(version, payload, trace)
        outcome = await running.invoke(
            self._parts,
            version,
            request_id=self._parts.ids.uuid(),
            payload=payload,
            invoked_arn=str(arn),
            trace=trace,
        )
        if outcome.error is not None:
            raise errors.function_failed(outcome.payload)
        return outcome.payload

    async def _lasting(self, version: FunctionVersion, payload: bytes, trace: str) -> bytes:
        begun = await starting.start(self._parts, version, payload, name=None, waits=True, trace=trace)
        ended = await self._parts.executions.ended(begun.id)
        if ended.status != "SUCCEEDED":
            raise errors.function_failed(durable_answers.returned(ended))
        return durable_answers.returned(ended)

    async def _resolved(self, arn: Arn, event: bytes, sender: Sender | None) -> tuple[FunctionVersion, bytes]:
        """The version that the ARN names, and the event checked. Raises AWS's errors, also where no policy of the
        function lets the sender in."""
        key, qualifier = _named(arn)
        if sender is not None and not await self._may_invoke(key, qualifier, sender):
            raise permissions.service_refused(sender.service, str(arn))
        payload = payloads.checked(event)
        version = await running.resolve(self._parts, key, qualifier)
        if version.durable and qualifier is None:
            raise durable.not_qualified()
        return version, payload

    async def _may_invoke(self, key: FunctionKey, qualifier: str | None, sender: Sender) -> bool:
        requester = Requester(service=sender.service)
        source = {"aws:sourcearn": sender.arn, "aws:sourceaccount": sender.account}
        return await permits.may_invoke(self._parts, key, qualifier, requester, "lambda:InvokeFunction", source)


def _named(arn: Arn) -> tuple[FunctionKey, str | None]:
    """The function and the qualifier in an ARN. Raises AWS's error where it names none."""
    match = _RESOURCE.fullmatch(arn.resource)
    if match is None:
        raise errors.invalid(f"{arn} does not name a function.")
    return FunctionKey(arn.account, arn.region, match["name"]), match["qualifier"]
