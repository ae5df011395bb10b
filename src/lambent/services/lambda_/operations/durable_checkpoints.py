"""CheckpointDurableExecution and GetDurableExecutionState: what the SDKs ask for while a function runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import markers
from lambent.services.lambda_.durable import chaining, ending, pages
from lambent.services.lambda_.errors import durable as errors
from lambent.services.lambda_.records.durable import Replay
from lambent.services.lambda_.routes import drawn
from lambent.services.lambda_.rules import durable_answers, durable_ids, durable_life, durable_updates
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.durable import Execution, Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.services.lambda_.rules.durable_updates import Update
    from lambent.store.api import Transaction


async def checkpoint_durable_execution(call: Call[Parts], request: Request) -> Response:
    """Store what a function has done, for good, and tell it what has happened besides.

    https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
    """
    execution_id = durable_ids.execution_id(request["DurableExecutionArn"])
    updates: list[Update] = request.get("Updates", [])
    secrets, fresh = _secrets(call.parts, execution_id, updates), _fresh(call.parts, updates)
    client_token, now_ms = request.get("ClientToken", ""), call.parts.now_ms()

    def work(tx: Transaction) -> tuple[str | None, tuple[list[Operation], str | None]]:
        execution = _known(tx, call, execution_id, request["CheckpointToken"])
        seen = _repeated(execution, client_token, request["CheckpointToken"])
        batch = updates
        if seen is not None:
            batch = []
        elif not _is_current(execution, request["CheckpointToken"]):
            raise errors.bad_token()
        draft = durable.draft(tx, execution, now_ms, durable_updates.named(batch))
        durable_updates.apply(draft, batch, secrets, chaining.Caller(tx, draft, fresh))
        durable_life.fire(draft)
        replay = Replay(client_token, request["CheckpointToken"], execution.seen if seen is None else seen)
        _answer(draft, replay, used=seen is None)
        ending.conclude(tx, draft)
        return _next_token(draft), _news(tx, draft, replay.seen)

    token, (changed, marker) = await call.parts.executions.change(execution_id, work)
    operations = [durable_answers.operation(operation) for operation in changed]
    return {"CheckpointToken": token, "NewExecutionState": {"Operations": operations, "NextMarker": marker}}


async def get_durable_execution_state(call: Call[Parts], request: Request) -> Response:
    """A page of what a function has to know to go on.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecutionState.html
    """
    execution_id = durable_ids.execution_id(request["DurableExecutionArn"])
    after, seen = markers.numbers(request.get("Marker"), call.operation)
    count = request.get("MaxItems") or limits.DURABLE_LISTED

    def work(tx: Transaction) -> tuple[list[Operation], str | None]:
        execution = _known(tx, call, execution_id, request["CheckpointToken"])
        if not _is_current(execution, request["CheckpointToken"]):
            raise errors.bad_token()
        return pages.state(tx, execution, after, count, least=1, seen=seen)

    found, marker = await call.parts.store.read(work)
    return {"Operations": [durable_answers.operation(held) for held in found], "NextMarker": marker}


def _known(tx: Transaction, call: Call[Parts], execution_id: str, text: str) -> Execution:
    """The execution, where the token was given to the invocation that it has now. Raises AWS's errors, which say
    nothing of whether there is such an execution."""
    token = durable_ids.token(text)
    if token is None:
        raise errors.bad_token()
    if token.execution_id != execution_id:
        raise errors.token_of_another()
    execution = durable.find(tx, execution_id)
    if execution is None or (execution.account, execution.region) != (call.account, call.region):
        raise errors.bad_token()
    if execution.ending is not None or execution.revoked or execution.invocation != token.invocation:
        raise errors.bad_token()
    return execution


def _is_current(execution: Execution, text: str) -> bool:
    """Whether the token is the next to be used."""
    token = durable_ids.token(text)
    return token is not None and token.number == execution.token


def _repeated(execution: Execution, client_token: str, text: str) -> int | None:
    """Where a checkpoint comes again that was the last one: what the function had seen before it. Without a token of
    the client nobody can tell."""
    last = execution.replay
    if not client_token or last is None or (last.client_token, last.token) != (client_token, text):
        return None
    return last.seen


def _answer(draft: Draft, replay: Replay, *, used: bool) -> None:
    """Give the next token, where this one is used up. Who is to pause gets none, and learns nothing."""
    if not draft.open:
        return
    if draft.execution.pause is not None:
        draft.edit(revoked=True, replay=None)
        return
    durable_life.inform(draft)
    draft.edit(replay=replay, token=draft.execution.token + int(used))


def _news(tx: Transaction, draft: Draft, seen: int) -> tuple[list[Operation], str | None]:
    """What the function has not seen yet, as much as one page has room for, and the marker that asks for the rest. The
    answers that have come meanwhile may be large."""
    if draft.execution.revoked:
        return [], None
    return pages.state(tx, draft.execution, 0, limits.DURABLE_LISTED_MOST, least=1, seen=seen)


def _next_token(draft: Draft) -> str | None:
    execution = draft.execution
    if execution.ending is not None or execution.revoked or execution.invocation is None:
        return None
    return durable_ids.written(durable_ids.Token(execution.id, execution.invocation, execution.token))


def _secrets(parts: Parts, execution_id: str, updates: list[Update]) -> dict[str, str]:
    """The ids of the callbacks that `updates` start."""
    names = [update["Id"] for update in updates if update["Type"] == "CALLBACK"]
    made = ((name, durable_ids.CallbackId(execution_id, name, parts.ids.uuid())) for name in names)
    return {name: durable_ids.written(callback) for name, callback in made}


def _fresh(parts: Parts, updates: list[Update]) -> dict[str, chaining.Fresh]:
    names = [update["Id"] for update in updates if update["Type"] == "CHAINED_INVOKE"]
    return {name: chaining.Fresh(parts.ids.uuid(), parts.ids.uuid(), drawn(parts.ids)) for name in names}
