"""InvokeAsync, which AWS has replaced by Invoke with the InvocationType Event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors, qualified
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.rules import names, payloads

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts


async def invoke_async(call: Call[Parts], request: Request) -> Response:
    """Check an event for a function; to queue it needs the queue that Lambent does not have yet.

    https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
    """
    key, qualifier = names.parse(call, request["FunctionName"])
    payloads.checked(await request["InvokeArgs"].read(limits.INVOKE_ASYNC_BYTES))
    if not await call.parts.store.read(lambda tx: qualified.exists(tx, key, qualifier)):
        raise errors.not_found(key, qualifier or LATEST)
    raise errors.not_built(call.operation, "an asynchronous invocation")
