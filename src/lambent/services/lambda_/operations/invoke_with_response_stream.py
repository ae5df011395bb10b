"""InvokeWithResponseStream."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import running
from lambent.services.lambda_.errors import durable
from lambent.services.lambda_.rules import contexts, names, payloads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from lambent.compute.function import Outcome
    from lambent.compute.streaming import Stream
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts


async def invoke_with_response_stream(call: Call[Parts], request: Request) -> Response:
    """Run a function and pass its answer on while it writes. A function that does not stream is answered in chunks too.

    A function that fails, before or while it writes, is told of in the last event.
    https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    payload = payloads.checked(request.get("Payload", b""))
    context = contexts.decoded(request.get("ClientContext"))
    tenant, tail = request.get("TenantId"), request.get("LogType") == "Tail"
    version = await running.resolve(call.parts, key, qualifier, tenant)
    running.check_tail(version, tail=tail)
    if version.durable:
        raise durable.not_qualified() if qualifier is None else durable.not_streamed()
    if request.get("InvocationType") == "DryRun":
        return {"StatusCode": 204}
    outcome = await running.invoke(
        call.parts,
        version,
        request_id=call.request_id,
        payload=payload,
        invoked_arn=key.arn(qualifier),
        client_context=context,
        tail=tail,
        tenant_id=tenant,
        trace=call.trace,
        streaming=True,
    )
    return {
        "StatusCode": 200,
        "ExecutedVersion": version.version,
        "ResponseStreamContentType": "application/json" if outcome.stream is None else outcome.stream.content_type,
        "EventStream": _whole(outcome) if outcome.stream is None else _Streamed(outcome.stream),
    }


class _Streamed:
    """The events of a stream; the stream is told when nobody wants them any more, even if nobody ever did."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._events = _streamed(stream)

    def __aiter__(self) -> AsyncIterator[Response]:
        return self._events

    async def aclose(self) -> None:
        self._stream.cancel()
        await self._events.aclose()


async def _streamed(stream: Stream) -> AsyncGenerator[Response, None]:
    async for chunk in stream:
        yield {"PayloadChunk": {"Payload": chunk}}
    ending = await stream.ending()
    yield _complete(ending.error, ending.log_tail)


async def _whole(outcome: Outcome) -> AsyncIterator[Response]:
    if outcome.error is None:
        for start in range(0, len(outcome.payload), limits.STREAM_BUFFER_BYTES):
            yield {"PayloadChunk": {"Payload": outcome.payload[start : start + limits.STREAM_BUFFER_BYTES]}}
    yield _complete(None if outcome.error is None else outcome.payload, outcome.log_tail)


def _complete(error: bytes | None, log_tail: bytes | None) -> Response:
    return {
        "InvokeComplete": {
            "ErrorCode": None if error is None else "Unhandled",
            "ErrorDetails": None if error is None else error.decode("utf-8", "replace"),
            "LogResult": None if log_tail is None else base64.b64encode(log_tail).decode(),
        }
    }
