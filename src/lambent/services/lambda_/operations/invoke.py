"""Invoke."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lambent.services.lambda_ import running
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.errors import durable
from lambent.services.lambda_.queue.accepting import accept
from lambent.services.lambda_.rules import contexts, durable_answers, names, payloads

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts


async def invoke(call: Call[Parts], request: Request) -> Response:
    """Run a function and answer with what it answered, or with its error.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    payload = payloads.checked(request.get("Payload", b""))
    context = contexts.decoded(request["ClientContext"]) if "ClientContext" in request else None
    kind, tenant = request.get("InvocationType", "RequestResponse"), request.get("TenantId")
    tail = kind == "RequestResponse" and request.get("LogType") == "Tail"
    version = await running.resolve(call.parts, key, qualifier, tenant)
    running.check_tail(version, tail=tail)
    _check(request, version, qualifier)
    if kind == "DryRun":
        return {"StatusCode": 204}
    if version.durable:
        return await _begin(call, request, version, payload)
    if kind == "Event":
        await accept(
            call.parts,
            key,
            qualifier,
            payload,
            request_id=call.request_id,
            client_context=context,
            tenant_id=tenant,
            trace=call.trace,
        )
        return {"StatusCode": 202}
    outcome = await running.invoke(
        call.parts,
        version,
        request_id=call.request_id,
        payload=payload,
        invoked_arn=key.arn(qualifier) if qualifier else version.arn,
        client_context=context,
        tail=tail,
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


def _check(request: Request, version: FunctionVersion, qualifier: str | None) -> None:
    """Raise where the version cannot be invoked so."""
    if version.durable and qualifier is None:
        raise durable.not_qualified()
    if not version.durable and "DurableExecutionName" in request:
        raise durable.name_without_durability()


async def _begin(call: Call[Parts], request: Request, version: FunctionVersion, payload: bytes) -> Response:
    """Begin a durable execution, and wait for its end where the caller does."""
    waits = request.get("InvocationType") != "Event"
    execution = await starting.start(
        call.parts,
        version,
        payload,
        name=request.get("DurableExecutionName"),
        waits=waits,
        tenant_id=request.get("TenantId"),
        trace=call.trace,
        request_id=call.request_id,
    )
    if not waits:
        return {"StatusCode": 202, "DurableExecutionArn": execution.arn}
    ended = await call.parts.executions.ended(execution.id)
    return {
        "StatusCode": 200,
        "DurableExecutionArn": execution.arn,
        "ExecutedVersion": version.version,
        "FunctionError": None if ended.status == "SUCCEEDED" else "Unhandled",
        "Payload": durable_answers.returned(ended),
    }
