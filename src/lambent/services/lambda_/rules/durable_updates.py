"""What a function may checkpoint, and what becomes of its operations by that.

https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.errors import invalid
from lambent.services.lambda_.rules.durable_drafts import payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.services.lambda_.records.durable import Error, Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft

Update = dict[str, Any]
"""An OperationUpdate of the model."""

_ACTIONS = {
    "EXECUTION": {"SUCCEED", "FAIL"},
    "CONTEXT": {"START", "SUCCEED", "FAIL"},
    "STEP": {"START", "SUCCEED", "FAIL", "RETRY"},
    "WAIT": {"START", "CANCEL"},
    "CALLBACK": {"START"},
    "CHAINED_INVOKE": {"START"},
}
_EXISTS = {
    "CONTEXT": "Cannot start a CONTEXT that already exist.",
    "WAIT": "Cannot start a WAIT that already exist.",
    "CALLBACK": "Cannot start a CALLBACK that already exist.",
    "CHAINED_INVOKE": "Cannot start a CHAINED_INVOKE that already exist.",
}
_OPTIONS = {"WAIT": "WaitOptions", "CHAINED_INVOKE": "ChainedInvokeOptions"}
TOO_MANY: Error = {
    "ErrorType": "ServiceQuotaExceededException",
    "ErrorMessage": f"The durable execution has more than {limits.DURABLE_OPERATIONS} operations.",
}
TOO_MUCH: Error = {
    "ErrorType": "ServiceQuotaExceededException",
    "ErrorMessage": f"The durable execution has written more than {limits.DURABLE_WRITTEN_BYTES} bytes.",
}


def named(updates: list[Update]) -> set[str]:
    """The ids of the operations that have to be loaded before `updates` can be applied."""
    return {update[member] for update in updates for member in ("Id", "ParentId") if member in update}


def apply(
    draft: Draft, updates: list[Update], secrets: Mapping[str, str], call: Callable[[Operation, Update], None]
) -> None:
    """Apply `updates` to `draft`, which has the operations that they name, in their order.

    `secrets` has the callback id of every callback that starts; `call` makes something of a started CHAINED_INVOKE.
    Raises AWS's InvalidParameterValueException; the draft is worth nothing then. Where a quota is exceeded, the
    execution has failed.
    """
    _check_batch(updates)
    for update in updates:
        _check(draft, update)
        _APPLY[update["Type"]](draft, update)
        _sized(draft, update)
        if update["Type"] == "CALLBACK":
            _callback(draft, update, secrets[update["Id"]])
        elif update["Type"] == "CHAINED_INVOKE":
            call(_known(draft, update), update)
    _check_quotas(draft)


def _check_batch(updates: list[Update]) -> None:
    kinds = [update["Type"] for update in updates]
    if kinds.count("EXECUTION") > 1:
        raise invalid("Cannot checkpoint multiple EXECUTION updates.")
    if "EXECUTION" in kinds[:-1]:
        raise invalid("EXECUTION checkpoint must be the last update.")
    last: dict[str, Update] = {}
    for update in updates:
        before = last.get(update["Id"])
        if before is not None and not _follows(before, update):
            raise invalid("Cannot checkpoint multiple operations with the same ID.")
        last[update["Id"]] = update


def _follows(before: Update, update: Update) -> bool:
    """What has started may also be completed by the same checkpoint."""
    return before["Type"] in ("STEP", "CONTEXT") and before["Action"] == "START" and update["Action"] != "START"


def _check(draft: Draft, update: Update) -> None:
    """Raise what the model cannot say about one update."""
    if update["Action"] not in _ACTIONS[update["Type"]]:
        raise invalid("Invalid action for the given operation type.")
    operation = draft.find(update["Id"])
    if operation is not None and update["Type"] != "EXECUTION":
        _check_same(operation, update)
    parent = update.get("ParentId")
    if parent is not None and getattr(draft.find(parent), "type", None) != "CONTEXT":
        raise invalid("Invalid parent operation id.")
    option = _OPTIONS.get(update["Type"])
    if option is not None and update["Action"] == "START" and option not in update:
        raise invalid(f"Update for {update['Type']} operation requires {option}.")
    if update["Action"] == "SUCCEED" and "Error" in update:
        raise invalid("Cannot provide an Error for SUCCEED action.")
    if update["Action"] == "FAIL" and "Payload" in update:
        raise invalid("Cannot provide a Payload for FAIL action.")
    _check_sizes(draft, update)


def _check_same(operation: Operation, update: Update) -> None:
    for member, before, word in (
        ("Type", operation.type, "operation type"),
        ("SubType", operation.sub_type, "operation subtype"),
        ("Name", operation.name, "operation name"),
        ("ParentId", operation.parent_id, "parent operation id"),
    ):
        if member in update and update[member] != before:
            raise invalid(f"Inconsistent {word}.")


def _check_sizes(draft: Draft, update: Update) -> None:
    check_error(update.get("Error", {}))
    what, most = f"{update['Type']} output payload", limits.DURABLE_PAYLOAD_BYTES
    if update["Type"] == "CHAINED_INVOKE":
        what, most = "CHAINED_INVOKE input payload", limits.DURABLE_CALL_BYTES
    elif update["Type"] == "EXECUTION":
        what, most = "Execution output payload", draft.execution.result_bytes
    if len(update.get("Payload", "").encode()) > most:
        raise invalid(f"{what} size must be less than or equal to {most} bytes.")


def check_error(error: Error) -> None:
    """Raises AWS's error where this error, as it is told to the function, is too large."""
    if len(msgspec.json.encode(error)) > limits.DURABLE_ERROR_BYTES:
        raise invalid(f"Error object size must be less than or equal to {limits.DURABLE_ERROR_BYTES} bytes.")


def _execution(draft: Draft, update: Update) -> None:
    if update["Action"] == "SUCCEED":
        draft.close("SUCCEEDED", result=update.get("Payload"))
    else:
        draft.close("FAILED", error=update.get("Error"))


def _context(draft: Draft, update: Update) -> None:
    if update["Action"] == "START":
        draft.tell("ContextStarted", {}, _started(draft, update))
        return
    context = draft.find(update["Id"])
    if context is None or context.status != "STARTED":
        raise invalid("Invalid current CONTEXT state to close.")
    succeeded = update["Action"] == "SUCCEED"
    context = draft.end(
        context,
        "SUCCEEDED" if succeeded else "FAILED",
        result=update.get("Payload"),
        error=update.get("Error"),
        replay_children=update.get("ContextOptions", {}).get("ReplayChildren"),
    )
    draft.tell("ContextSucceeded" if succeeded else "ContextFailed", _outcome(succeeded, update), context)


def _step(draft: Draft, update: Update) -> None:
    step, action = draft.find(update["Id"]), update["Action"]
    if (action == "RETRY") != ("StepOptions" in update):
        raise invalid("Invalid StepOptions for the given action.")
    if action != "START":
        _attempted(draft, step or _started(draft, update), update)
        return
    if step is not None and step.status != "READY":
        raise invalid("Invalid current STEP state to start.")
    draft.tell("StepStarted", {}, _started(draft, update) if step is None else draft.change(step, status="STARTED"))


def _attempted(draft: Draft, step: Operation, update: Update) -> None:
    """An attempt is over: the step is complete, or there will be another one."""
    again = update["Action"] == "RETRY"
    if step.status not in ("STARTED", "READY"):
        raise invalid(f"Invalid current STEP state to {'re-attempt' if again else 'close'}.")
    step = draft.change(step, attempt=step.attempt + 1, result=update.get("Payload"), error=update.get("Error"))
    retry: dict[str, Any] = {"CurrentAttempt": step.attempt}
    if again:
        if "Payload" in update and "Error" in update:
            raise invalid("Cannot provide both error and payload to RETRY a STEP.")
        delay = update["StepOptions"].get("NextAttemptDelaySeconds", 0)
        retry["NextAttemptDelaySeconds"] = delay
        step = draft.change(step, status="PENDING", next_attempt_ms=draft.now_ms + delay * 1000)
        succeeded = "Error" not in update
    else:
        succeeded = update["Action"] == "SUCCEED"
        step = draft.end(step, "SUCCEEDED" if succeeded else "FAILED", next_attempt_ms=None)
    details = _outcome(succeeded, update) | {"RetryDetails": retry}
    draft.tell("StepSucceeded" if succeeded else "StepFailed", details, step)


def _wait(draft: Draft, update: Update) -> None:
    if update["Action"] == "CANCEL":
        wait = draft.find(update["Id"])
        if wait is None or wait.status != "STARTED":
            raise invalid("Cannot cancel a WAIT that does not exist or has already completed.")
        error = {"Error": payload(update["Error"])} if "Error" in update else {}
        draft.tell("WaitCancelled", error, draft.end(wait, "CANCELLED"))
        return
    seconds = update["WaitOptions"].get("WaitSeconds", 0)
    wait = _started(draft, update, scheduled_ms=draft.now_ms + seconds * 1000)
    draft.tell("WaitStarted", {"Duration": seconds, "ScheduledEndTimestamp": wait.scheduled_ms}, wait)


def _callback(draft: Draft, update: Update, callback_id: str) -> None:
    options = update.get("CallbackOptions", {})
    timeout, heartbeat = options.get("TimeoutSeconds", 0), options.get("HeartbeatTimeoutSeconds", 0)
    callback = draft.change(
        _known(draft, update),
        callback_id=callback_id,
        timeout_ms=draft.now_ms + timeout * 1000 if timeout else None,
        heartbeat_s=heartbeat,
        heartbeat_ms=draft.now_ms + heartbeat * 1000 if heartbeat else None,
    )
    details = {"CallbackId": callback_id}
    details |= {"Timeout": timeout} if timeout else {}
    details |= {"HeartbeatTimeout": heartbeat} if heartbeat else {}
    draft.tell("CallbackStarted", details, callback)


def _start(draft: Draft, update: Update) -> None:
    _started(draft, update)


def _started(draft: Draft, update: Update, **members: Any) -> Operation:
    if update["Action"] == "START" and update["Type"] in _EXISTS and draft.find(update["Id"]) is not None:
        raise invalid(_EXISTS[update["Type"]])
    parent = draft.find(update.get("ParentId"))
    return draft.add(
        id=update["Id"],
        type=update["Type"],
        name=update.get("Name"),
        parent_id=update.get("ParentId"),
        sub_type=update.get("SubType"),
        hidden=parent is not None and (parent.hidden or covers(parent)),
        **members,
    )


def covers(context: Operation) -> bool:
    """Whether a context is complete in a way that nobody has to see what lies in it."""
    return context.type == "CONTEXT" and not context.open and not context.replay_children


def _known(draft: Draft, update: Update) -> Operation:
    operation = draft.find(update["Id"])
    assert operation is not None, "it has just been started"
    return operation


def _outcome(succeeded: bool, update: Update) -> dict[str, Any]:
    return {"Result": payload(update.get("Payload"))} if succeeded else {"Error": payload(update.get("Error"))}


def _sized(draft: Draft, update: Update) -> None:
    """Count what is stored of the update. The names count as well: without a payload there is no end to retries."""
    rest = {member: value for member, value in update.items() if member != "Payload"}
    size = len(update.get("Payload", "").encode()) + len(msgspec.json.encode(rest))
    draft.edit(written=draft.execution.written + size)


def _check_quotas(draft: Draft) -> None:
    """What is too large fails as a whole: nobody could carry it on."""
    if not draft.open:
        return
    if draft.execution.operations > limits.DURABLE_OPERATIONS:
        draft.close("FAILED", error=TOO_MANY)
    elif draft.execution.written > limits.DURABLE_WRITTEN_BYTES:
        draft.close("FAILED", error=TOO_MUCH)


_APPLY: dict[str, Callable[[Draft, Update], None]] = {
    "EXECUTION": _execution,
    "CONTEXT": _context,
    "STEP": _step,
    "WAIT": _wait,
    "CALLBACK": _start,
    "CHAINED_INVOKE": _start,
}
