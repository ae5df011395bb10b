"""What the ARNs of functions accept on the road of targets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lambent.kernel.access import Requester
from lambent.services.lambda_ import errors, permits, running
from lambent.services.lambda_.errors import permissions
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import payloads

if TYPE_CHECKING:
    from lambent.kernel.arn import Arn
    from lambent.kernel.targets import Sender
    from lambent.services.lambda_.parts import Parts

_RESOURCE = re.compile(r"function:(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>[^:]+))?")


class FunctionTarget:
    """Functions as targets: a call is a synchronous invocation."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def deliver(
        self,
        arn: Arn,
        event: bytes,  # noqa: ARG002 the road asks so
        trace: str = "",  # noqa: ARG002
        sender: Sender | None = None,
    ) -> None:
        """Asynchronous invocation needs the queue that Lambent does not have yet: raises the not-built error."""
        await self._admitted(arn, sender)
        raise errors.not_built("Invoke", f"InvocationType Event, which {arn} asked for")

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        """Invoke the function and return its answer. Raises AwsError where it is missing, refused or failed."""
        key, qualifier = await self._admitted(arn, sender)
        payload = payloads.checked(event)
        version = await running.resolve(self._parts, key, qualifier)
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

    async def _admitted(self, arn: Arn, sender: Sender | None) -> tuple[FunctionKey, str | None]:
        """The function and the qualifier that the ARN names. Raises AwsError where it names none, or where no policy
        of the function lets the sender in."""
        match = _RESOURCE.fullmatch(arn.resource)
        if match is None:
            raise errors.invalid(f"{arn} does not name a function.")
        key, qualifier = FunctionKey(arn.account, arn.region, match["name"]), match["qualifier"]
        if sender is not None and not await self._may_invoke(key, qualifier, sender):
            raise permissions.service_refused(sender.service, str(arn))
        return key, qualifier

    async def _may_invoke(self, key: FunctionKey, qualifier: str | None, sender: Sender) -> bool:
        requester = Requester(service=sender.service)
        source = {"aws:sourcearn": sender.arn, "aws:sourceaccount": sender.account}
        return await permits.may_invoke(self._parts, key, qualifier, requester, "lambda:InvokeFunction", source)
