"""InvokeAsync, which AWS has replaced by Invoke with the InvocationType Event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import running
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.errors import durable
from lambent.services.lambda_.queue.accepting import accept
from lambent.services.lambda_.rules import names, payloads

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts


async def invoke_async(call: Call[Parts], request: Request) -> Response:
    """Queue an event for a function.

    https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
    """
    key, qualifier = names.parse(call, request["FunctionName"])
    payload = payloads.checked(await request["InvokeArgs"].read(limits.INVOKE_ASYNC_BYTES))
    version = await running.resolve(call.parts, key, qualifier)
    if version.durable and qualifier is None:
        raise durable.not_qualified()
    if version.durable:
        await starting.start(
            call.parts, version, payload, name=None, waits=False, trace=call.trace, request_id=call.request_id
        )
    else:
        await accept(call.parts, key, qualifier, payload, request_id=call.request_id, trace=call.trace)
    return {"Status": 202}
