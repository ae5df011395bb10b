"""What the ARNs of functions accept on the road of targets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors, running
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import payloads

if TYPE_CHECKING:
    from lambent.kernel.arn import Arn
    from lambent.services.lambda_.parts import Parts

_RESOURCE = re.compile(r"function:(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>[^:]+))?")


class FunctionTarget:
    """Functions as targets: a call is a synchronous invocation."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def deliver(self, arn: Arn, event: bytes, trace: str = "") -> None:  # noqa: ARG002 the road asks so
        """Asynchronous invocation needs the queue that Lambent does not have yet: raises the not-built error."""
        raise errors.not_built("Invoke", f"InvocationType Event, which {arn} asked for")

    async def call(self, arn: Arn, event: bytes, trace: str = "") -> bytes:
        """Invoke the function and return its answer. Raises AwsError where it is missing, refused or failed."""
        match = _RESOURCE.fullmatch(arn.resource)
        if match is None:
            raise errors.invalid(f"{arn} does not name a function.")
        key = FunctionKey(arn.account, arn.region, match["name"])
        payload = payloads.checked(event)
        version = await running.resolve(self._parts, key, match["qualifier"])
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
