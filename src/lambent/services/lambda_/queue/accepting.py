"""How an event is accepted: it is durable before the caller hears of it, and on its way to the function by then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.records.events import Envelope, Event
from lambent.services.lambda_.rules import traces
from lambent.services.lambda_.store import events

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def accept(
    parts: Parts,
    key: FunctionKey,
    qualifier: str | None,
    payload: bytes,
    *,
    request_id: str,
    client_context: bytes | None = None,
    tenant_id: str | None = None,
    trace: str = "",
) -> None:
    """Queue an event for the function, which returns once it is durable. That the function can be invoked so, and that
    `payload` is JSON, is the caller's to check. Raises AWS's errors where the event is too large or the function gone.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """
    if len(payload) > limits.EVENT_INVOKE_BYTES:
        raise errors.event_too_large(len(payload))
    envelope = Envelope(
        request_id=request_id,
        accepted_ms=parts.now_ms(),
        client_context=client_context,
        tenant_id=tenant_id,
        # Every attempt belongs to one trace.
        trace=traces.rooted(trace, parts.ids, parts.clock.time()),
    )
    task = parts.supervisor.start(f"accept {request_id}", _accept(parts, key, qualifier, envelope, payload))
    if not await asyncio.shield(task):
        raise errors.not_found(key, qualifier)


async def _accept(parts: Parts, key: FunctionKey, qualifier: str | None, envelope: Envelope, payload: bytes) -> bool:
    """Whether there was such a function. A caller who goes away in the middle does not keep the event from its turn."""

    def work(tx: Transaction) -> Event | None:
        line = events.open_line(tx, key, qualifier)
        return None if line is None else events.append(tx, line, envelope, payload)

    event = await parts.store.write(work)
    if event is not None:
        parts.queue.take(event)
    return event is not None
