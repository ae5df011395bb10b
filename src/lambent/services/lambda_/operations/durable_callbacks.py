"""SendDurableExecutionCallbackSuccess, SendDurableExecutionCallbackFailure, SendDurableExecutionCallbackHeartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.durable import ending
from lambent.services.lambda_.errors import durable as errors
from lambent.services.lambda_.rules import durable_ids, durable_life, durable_updates
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.durable import Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Transaction


async def send_durable_execution_callback_success(call: Call[Parts], request: Request) -> Response:
    """Answer a callback that an execution waits for.

    https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html
    """
    result = request["Result"].decode("utf-8", "replace") if request.get("Result") else None
    return await _send(call, request, lambda draft, held: durable_life.answer_callback(draft, held, result, None))


async def send_durable_execution_callback_failure(call: Call[Parts], request: Request) -> Response:
    """Answer a callback that an execution waits for with an error.

    https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackFailure.html
    """
    error = request.get("Error", {})
    durable_updates.check_error(error)
    return await _send(call, request, lambda draft, held: durable_life.answer_callback(draft, held, None, error))


async def send_durable_execution_callback_heartbeat(call: Call[Parts], request: Request) -> Response:
    """Say that the answer to a callback is still to come.

    https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackHeartbeat.html
    """
    return await _send(call, request, durable_life.beat)


async def _send(call: Call[Parts], request: Request, answer: Callable[[Draft, Operation], None]) -> Response:
    """What is late is refused, whether or not the timeout has been seen to yet."""
    callback = durable_ids.callback(request["CallbackId"])
    if callback is None:
        raise errors.bad_callback_id()
    now_ms = call.parts.now_ms()

    def work(tx: Transaction) -> None:
        execution = durable.find(tx, callback.execution_id)
        if execution is None or (execution.account, execution.region) != (call.account, call.region):
            raise errors.callback_over()
        draft = durable.draft(tx, execution, now_ms, (callback.operation_id,))
        durable_life.fire(draft)
        held = draft.find(callback.operation_id)
        if not draft.open or held is None or not held.open or held.callback_id != request["CallbackId"]:
            raise errors.callback_over()
        answer(draft, held)
        ending.conclude(tx, draft)

    await call.parts.executions.change(callback.execution_id, work)
    return {}
