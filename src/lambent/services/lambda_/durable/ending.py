"""What follows from the end of a durable execution: for whoever called it, and for its event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.rules import async_records, durable_life
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from lambent.services.lambda_.records.durable import Ending, Error, Execution, Operation, Parent
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Transaction


def conclude(tx: Transaction, draft: Draft) -> None:
    """Store what has become of an execution. Where it has ended, the one that has called it goes on; where nobody
    waits and it has not succeeded, its event goes to the dead-letter queue.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
    """
    durable.save(tx, draft)
    if not draft.ended_now:
        return
    execution = draft.execution
    if execution.parent is not None:
        _answer(tx, execution.parent, draft.now_ms, *durable_life.call_of(draft))
    if execution.queued is not None and execution.ending != "SUCCEEDED":
        _bury(tx, execution, execution.queued, draft.root)


def _bury(tx: Transaction, execution: Execution, request_id: str, root: Operation) -> None:
    held = starting.configuration(tx, execution.key, execution.version)
    if held is not None and held.dead_letter_arn is not None:
        event, message = (root.payload or "{}").encode(), (root.error or {}).get("ErrorMessage", "")
        letter = async_records.letter(held.dead_letter_arn, event, request_id, message, execution.trace)
        tx.send(letter.target, letter.event, letter.trace, attributes=letter.attributes)


def dissolve(tx: Transaction, execution: Execution, now_ms: int) -> None:
    """The execution goes with its function. Where it has not ended, what has called it goes on: the call has failed."""
    if execution.ending is None and execution.parent is not None:
        refusal = errors.not_found(execution.key)
        error = {"ErrorMessage": refusal.message, "ErrorType": refusal.code}
        _answer(tx, execution.parent, now_ms, "FAILED", None, error)


def _answer(
    tx: Transaction, parent: Parent, now_ms: int, ending: Ending, result: str | None, error: Error | None
) -> None:
    """Tell an execution that still runs how a call of it has ended."""
    caller = durable.find(tx, parent.execution_id)
    if caller is None or caller.ending is not None:
        return
    calling = durable.draft(tx, caller, now_ms, (parent.operation_id,))
    call = calling.find(parent.operation_id)
    if call is not None and call.open:
        durable_life.answer_call(calling, call, ending, result, error)
        durable.save(tx, calling)
