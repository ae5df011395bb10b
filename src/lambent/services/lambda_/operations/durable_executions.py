"""GetDurableExecution, GetDurableExecutionHistory, ListDurableExecutionsByFunction, StopDurableExecution,
PauseDurableExecution, ResumeDurableExecution and DeleteDurableExecution."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import limits, page
from lambent.services.lambda_ import errors as lambda_errors
from lambent.services.lambda_ import markers
from lambent.services.lambda_.durable import ending
from lambent.services.lambda_.errors import durable as errors
from lambent.services.lambda_.records import durable as records
from lambent.services.lambda_.rules import durable_answers, durable_ids, durable_life, names
from lambent.services.lambda_.store import durable, functions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.durable import Event, Execution, Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Transaction

T = TypeVar("T")


async def get_durable_execution(call: Call[Parts], request: Request) -> Response:
    """What has become of an execution, with what it was given and what it returned.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html
    """

    def work(tx: Transaction) -> tuple[Execution, Operation]:
        draft = durable.draft(tx, _found(tx, call, request), call.parts.now_ms())
        return draft.execution, draft.root

    execution, root = await call.parts.store.read(work)
    return durable_answers.described(execution, root, data=request.get("IncludeExecutionData", True))


async def get_durable_execution_history(call: Call[Parts], request: Request) -> Response:
    """A page of what has happened in an execution.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecutionHistory.html
    """
    size = request.get("MaxItems") or limits.DURABLE_LISTED
    after = markers.number(request.get("Marker"), call.operation)
    newest_first = request.get("ReverseOrder", False)

    def work(tx: Transaction) -> tuple[list[Event], bool]:
        execution = _found(tx, call, request)
        return durable.history(tx, execution, after, size, newest_first=newest_first)

    shown, more = await call.parts.store.read(work)
    data = request.get("IncludeExecutionData", True)
    marker = page.token([shown[-1].id]) if more else None
    return {"Events": [durable_answers.told(event, data=data) for event in shown], "NextMarker": marker}


async def list_durable_executions_by_function(call: Call[Parts], request: Request) -> Response:
    """A page of a function's executions, the newest first unless it is asked for otherwise.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListDurableExecutionsByFunction.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    size = request.get("MaxItems") or limits.DURABLE_LISTED
    name, number = markers.name_and_number(request.get("Marker"), call.operation)
    wanted = records.Filter(
        version=qualifier,
        name=request.get("DurableExecutionName"),
        statuses=tuple(request["Statuses"]) if "Statuses" in request else None,
        after_ms=_moment(request.get("StartedAfter")),
        before_ms=_moment(request.get("StartedBefore")),
        oldest_first=request.get("ReverseOrder", False),
    )

    def work(tx: Transaction) -> list[Execution]:
        if functions.find(tx, key) is None:
            raise lambda_errors.not_found(key)
        return durable.page(tx, key, wanted, (number, name) if name else None, size + 1)

    found = await call.parts.store.read(work)
    shown, marker = page.cut(found, size, lambda execution: [execution.id, execution.started_ms])
    return {"DurableExecutions": [durable_answers.listed(execution) for execution in shown], "NextMarker": marker}


async def stop_durable_execution(call: Call[Parts], request: Request) -> Response:
    """End an execution as it is. One that has ended stays as it ended.

    https://docs.aws.amazon.com/lambda/latest/api/API_StopDurableExecution.html
    """

    def work(draft: Draft) -> int | None:
        if draft.open:
            draft.close("STOPPED", error=request.get("Error", {}))
        return draft.execution.ended_ms

    return {"StopTimestamp": durable_answers.seconds(await _change(call, request, work))}


async def pause_durable_execution(call: Call[Parts], request: Request) -> Response:
    """Invoke an execution's function no more for now; what goes on without the function goes on.

    https://docs.aws.amazon.com/lambda/latest/api/API_PauseDurableExecution.html
    """
    stops = request.get("ExecutionTimeoutPaused", True)
    return await _once(call, request, partial(durable_life.pause, reason=request.get("Reason"), stops_timeout=stops))


async def resume_durable_execution(call: Call[Parts], request: Request) -> Response:
    """Go on with an execution that is paused.

    https://docs.aws.amazon.com/lambda/latest/api/API_ResumeDurableExecution.html
    """
    return await _once(call, request, partial(durable_life.resume, reason=request.get("Reason")))


async def delete_durable_execution(call: Call[Parts], request: Request) -> Response:
    """Remove an execution that has ended, before its time; the driver does it at once.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteDurableExecution.html
    """

    def work(draft: Draft) -> int:
        if draft.open:
            raise errors.not_ended(draft.execution)
        draft.edit(deleting=True)
        return draft.now_ms

    return {"DeletionRequestTimestamp": durable_answers.seconds(await _change(call, request, work))}


async def _once(call: Call[Parts], request: Request, work: Callable[[Draft], None]) -> Response:
    """Do what is asked for; where the same was asked for with the same token a moment ago, it is done already."""
    asked = records.Request(call.operation, request.get("ClientToken", ""), call.parts.now_ms())

    def once(draft: Draft) -> None:
        if durable_life.is_repeated(draft, asked):
            return
        work(draft)
        draft.edit(request=asked)

    await _change(call, request, once)
    return {}


async def _change(call: Call[Parts], request: Request, work: Callable[[Draft], T]) -> T:
    now_ms = call.parts.now_ms()

    def change(tx: Transaction) -> T:
        draft = durable.draft(tx, _found(tx, call, request), now_ms)
        result = work(draft)
        ending.conclude(tx, draft)
        return result

    return await call.parts.executions.change(durable_ids.execution_id(request["DurableExecutionArn"]), change)


def _found(tx: Transaction, call: Call[Parts], request: Request) -> Execution:
    """The execution that the request names. Executions are known in their own account and region only."""
    execution = durable.find(tx, durable_ids.execution_id(request["DurableExecutionArn"]))
    if execution is None or execution.arn != request["DurableExecutionArn"]:
        raise errors.not_found()
    if (execution.account, execution.region) != (call.account, call.region):
        raise errors.not_found()
    return execution


def _moment(given: datetime | None) -> int | None:
    return None if given is None else int(given.timestamp() * 1000)
