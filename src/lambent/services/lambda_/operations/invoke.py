"""Invoke."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors, running
from lambent.services.lambda_.rules import contexts, names, payloads, refusals

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts


async def invoke(call: Call[Parts], request: Request) -> Response:
    """Run a function and answer with what it answered, or with its error.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    kind = request.get("InvocationType", "RequestResponse")
    if kind == "Event":
        raise errors.not_built(call.operation, "InvocationType Event")
    refusals.check(call.operation, request, refusals.INVOKE)
    payload = payloads.checked(request.get("Payload", b""))
    context = contexts.decoded(request.get("ClientContext"))
    tenant = request.get("TenantId")
    version = await running.resolve(call.parts, key, qualifier, tenant)
    if kind == "DryRun":
        return {"StatusCode": 204}
    outcome = await running.invoke(
        call.parts,
        version,
        request_id=call.request_id,
        payload=payload,
        invoked_arn=key.arn(qualifier),
        client_context=context,
        tail=request.get("LogType") == "Tail",
        tenant_id=tenant,
        trace=call.trace,
    )
    return {
        "StatusCode": 200,
        "ExecutedVersion": version.version,
        "FunctionError": outcome.error,
        "LogResult": None if outcome.log_tail is None else base64.b64encode(outcome.log_tail).decode(),
        "Payload": outcome.payload,
    }
