"""The life of a durable execution between checkpoints: its beginning, its timers, its pauses, what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.errors import durable as errors
from lambent.services.lambda_.records.durable import Error, Execution, Pause
from lambent.services.lambda_.rules.durable_drafts import Draft, payload

if TYPE_CHECKING:
    from lambent.services.lambda_.records.durable import Ending, Operation, Request


class Run(msgspec.Struct, frozen=True):
    """An invocation that is over."""

    started_ms: int
    request_id: str


class Answer(msgspec.Struct, frozen=True):
    """What a durable function returns."""

    status: Any = None
    result: str | None = None
    error: Error | None = None


DAY_MS = 24 * 3600 * 1000
_CALL_EVENTS: dict[Ending, str] = {
    "SUCCEEDED": "ChainedInvokeSucceeded",
    "FAILED": "ChainedInvokeFailed",
    "STOPPED": "ChainedInvokeStopped",
    "TIMED_OUT": "ChainedInvokeTimedOut",
}


def begun(execution: Execution, event: str | None) -> Draft:
    """A new execution that was given `event`."""
    draft = Draft(execution, (), execution.started_ms)
    root = draft.add(id=execution.id, type="EXECUTION", name=execution.name, payload=event)
    details = {"Input": payload(event), "ExecutionTimeout": execution.durability.timeout_s}
    draft.tell("ExecutionStarted", details, root)
    return draft


def due_ms(execution: Execution, timers_ms: int | None) -> int:
    """When somebody has to look at the execution; `timers_ms` is when one of its operations is due."""
    if execution.ended_ms is not None:
        kept_ms = 0 if execution.deleting else execution.durability.retention_days * DAY_MS
        return execution.ended_ms + kept_ms
    moments = [expires_ms(execution)]
    if timers_ms is not None:
        moments.append(timers_ms)
    if execution.wanted and invocable(execution):
        moments.append(execution.retry_ms or execution.started_ms)
    return min(moments)


def expires_ms(execution: Execution) -> int:
    """When a running execution times out, if nothing is done until then."""
    return life_ms(execution) if execution.timeout_stopped else min(execution.deadline_ms, life_ms(execution))


def life_ms(execution: Execution) -> int:
    """When an execution times out, however long it was paused."""
    return execution.started_ms + limits.DURABLE_LIFE_S * 1000


def invocable(execution: Execution) -> bool:
    """Whether its function may be invoked: one invocation at a time, and none while it is paused."""
    return execution.ending is None and execution.pause is None and execution.invocation is None


def fire(draft: Draft) -> None:
    """Let everything happen whose time has come; the draft has the operations that are due."""
    if draft.open and expires_ms(draft.execution) <= draft.now_ms:
        text = f"Execution timed out after {draft.execution.durability.timeout_s} seconds."
        draft.close("TIMED_OUT", error={"ErrorMessage": text})
    if not draft.open:
        return
    for operation in draft.operations:
        if operation.type in _FIRE and _is_due(draft, operation):
            _FIRE[operation.type](draft, operation)


def _is_due(draft: Draft, operation: Operation) -> bool:
    return operation.due_ms is not None and operation.due_ms <= draft.now_ms


def _retry(draft: Draft, step: Operation) -> None:
    draft.change(step, status="READY", next_attempt_ms=None)
    draft.edit(wanted=True)


def _elapse(draft: Draft, wait: Operation) -> None:
    assert wait.scheduled_ms is not None, "a wait that is due has an end"
    seconds = (wait.scheduled_ms - wait.started_ms) // 1000
    draft.tell("WaitSucceeded", {"Duration": seconds}, draft.end(wait, "SUCCEEDED"))
    draft.edit(wanted=True)


def _time_out(draft: Draft, callback: Operation) -> None:
    """A callback that should have answered before it should have sent a heartbeat has not answered."""
    beat, whole = callback.heartbeat_ms, callback.timeout_ms
    if beat is not None and (whole is None or beat < whole):
        error = {"ErrorMessage": "Callback timed out on heartbeat", "ErrorType": "Callback.Heartbeat"}
    else:
        error = {"ErrorMessage": "Callback timed out", "ErrorType": "Callback.Timeout"}
    callback = draft.end(callback, "TIMED_OUT", error=error)
    draft.tell("CallbackTimedOut", {"Error": payload({"ErrorType": error["ErrorType"]})}, callback)
    draft.edit(wanted=True)


_FIRE = {"STEP": _retry, "WAIT": _elapse, "CALLBACK": _time_out}


def calls(draft: Draft) -> list[Operation]:
    """The calls of ordinary functions that are to be made now; whoever asks makes them."""
    due = [held for held in draft.operations if held.type == "CHAINED_INVOKE" and _is_due(draft, held)]
    return [draft.amend(held, calling=True) for held in due] if draft.open else []


def call_again(draft: Draft, call: Operation) -> None:
    """The call was not made, for there was no room for it: it is tried again after a growing pause."""
    attempt = call.attempt + 1
    draft.amend(call, calling=False, attempt=attempt, next_attempt_ms=draft.now_ms + pause_ms(attempt))


def call_lost(draft: Draft, call: Operation) -> None:
    """The call went with the server that has made it."""
    draft.amend(call, calling=False)


def answer_callback(draft: Draft, callback: Operation, result: str | None, error: Error | None) -> None:
    """Somebody has answered: with an error where there is one."""
    if error is None:
        callback = draft.end(callback, "SUCCEEDED", result=result)
        draft.tell("CallbackSucceeded", {"Result": payload(result)}, callback)
    else:
        callback = draft.end(callback, "FAILED", error=error)
        draft.tell("CallbackFailed", {"Error": payload(error)}, callback)
    draft.edit(wanted=True)


def beat(draft: Draft, callback: Operation) -> None:
    """Somebody is still at it. The function has nothing to learn from that."""
    if callback.heartbeat_s:
        draft.amend(callback, heartbeat_ms=draft.now_ms + callback.heartbeat_s * 1000)


def answer_call(draft: Draft, call: Operation, ending: Ending, result: str | None, error: Error | None) -> None:
    """The function that was called has ended that way."""
    call = draft.end(call, ending, result=result, error=error, calling=False)
    details = {"Result": payload(result)} if ending == "SUCCEEDED" else {"Error": payload(error)}
    draft.tell(_CALL_EVENTS[ending], details, call)
    draft.edit(wanted=True)


def call_of(child: Draft) -> tuple[Ending, str | None, Error | None]:
    """How the call ends that has started `child`, which has ended."""
    ending = child.execution.ending
    assert ending is not None, "only what has ended is told to the caller"
    if ending != "TIMED_OUT":
        return ending, child.root.result, child.root.error
    text = f"CHAINED_INVOKE timed out after {child.execution.durability.timeout_s} seconds."
    return ending, None, {"ErrorMessage": text, "ErrorType": "ChainedInvoke.Timeout"}


def ready(draft: Draft) -> bool:
    """Whether the function is to be invoked now."""
    execution = draft.execution
    return execution.wanted and invocable(execution) and (execution.retry_ms or 0) <= draft.now_ms


def inform(draft: Draft) -> None:
    """The function is about to learn of all that has happened."""
    draft.edit(seen=draft.execution.changes, wanted=False)


def enter(draft: Draft, invocation: str) -> None:
    """Give the execution to an invocation; whoever had it before cannot checkpoint any more."""
    draft.edit(invocation=invocation, revoked=False, wanted=False, retry_ms=None, replay=None)


def answered(draft: Draft, run: Run, answer: Answer, *, waiting: bool) -> None:
    """The function has answered: the execution has ended, or is suspended until something happens.

    `waiting` says whether any operation goes on without the function. One that waits for nothing is invoked again a
    few times, because the SDKs may answer so while an operation completes. Every other wrong answer is the end.
    """
    owed = _owed(draft)
    wrong = _objection(draft, answer, waiting=waiting or owed)
    if wrong is None:
        _leave(draft, run, answer.error)
        draft.edit(failures=0, idle=0, throttles=0)
        if draft.open and answer.status != "PENDING":
            draft.close(answer.status, result=answer.result, error=answer.error)
        return
    problem = {"ErrorMessage": wrong, "ErrorType": "InvalidParameterValueException"}
    _leave(draft, run, problem)
    idle = draft.execution.idle + 1
    if answer.status != "PENDING" or idle >= limits.DURABLE_INVOCATIONS_IDLE:
        draft.close("FAILED", error=problem)
    else:
        draft.edit(idle=idle, wanted=True, retry_ms=draft.now_ms + pause_ms(idle))


def failed(draft: Draft, run: Run, error: Error) -> None:
    """The function has failed without an answer: it is tried again after a growing pause, a few times."""
    _leave(draft, run, error)
    if not draft.open:
        return
    failures = draft.execution.failures + 1
    if failures >= limits.DURABLE_INVOCATIONS_FAILED:
        draft.close("FAILED", error=error)
        return
    draft.edit(failures=failures, wanted=True, retry_ms=draft.now_ms + pause_ms(failures))


def throttled(draft: Draft) -> None:
    """There was no room for an invocation: it is tried again until there is, or until the execution times out."""
    throttles = draft.execution.throttles + 1
    draft.edit(invocation=None, throttles=throttles, wanted=True, retry_ms=draft.now_ms + pause_ms(throttles))


def lost(draft: Draft, wait_ms: int = 0) -> None:
    """The invocation went with the server that ran it; the next one waits for `wait_ms`."""
    draft.edit(invocation=None, revoked=False, replay=None, wanted=draft.open, retry_ms=draft.now_ms + wait_ms)


def hopeless(draft: Draft, error: Error) -> None:
    """The function cannot be invoked, and never will be."""
    draft.edit(invocation=None)
    if draft.open:
        draft.close("FAILED", error=error)


def _owed(draft: Draft) -> bool:
    """Whether the function has to be invoked again to learn of what has happened."""
    unseen = draft.execution.changes > draft.execution.seen
    return draft.open and (draft.execution.wanted or draft.execution.revoked or unseen)


def _leave(draft: Draft, run: Run, error: Error | None) -> None:
    details: dict[str, Any] = {
        "StartTimestamp": run.started_ms,
        "EndTimestamp": draft.now_ms,
        "RequestId": run.request_id,
    }
    draft.tell("InvocationCompleted", details if error is None else details | {"Error": payload(error)})
    draft.edit(invocation=None, revoked=False, wanted=_owed(draft), replay=None)


def _objection(draft: Draft, answer: Answer, *, waiting: bool) -> str | None:
    """What is wrong with an answer, in AWS's words. Where the execution has ended meanwhile, nothing is."""
    if not draft.open:
        return None
    if answer.status not in ("SUCCEEDED", "FAILED", "PENDING"):
        return "Invalid Status in invocation output."
    if answer.status == "SUCCEEDED" and answer.error is not None:
        return "Cannot provide an Error for SUCCEEDED status."
    if answer.status == "FAILED" and answer.result is not None:
        return "Cannot provide a Result for FAILED status."
    if answer.status == "PENDING" and not waiting:
        return "Cannot return PENDING status with no pending operations."
    most = draft.execution.result_bytes
    if len((answer.result or "").encode()) > most:
        return f"Execution output payload size must be less than or equal to {most} bytes."
    if len(msgspec.json.encode(answer.error)) > limits.DURABLE_ERROR_BYTES:
        return f"Error object size must be less than or equal to {limits.DURABLE_ERROR_BYTES} bytes."
    return None


def pause_ms(attempts: int) -> int:
    """How long to wait after that many attempts in vain."""
    grown = limits.DURABLE_RETRY_MIN_S * 2.0 ** min(attempts - 1, 16)
    return int(min(grown, limits.DURABLE_RETRY_MAX_S) * 1000)


def pause(draft: Draft, reason: str | None, *, stops_timeout: bool) -> None:
    """Invoke the function no more until `resume`. Raises AWS's error where the execution has ended or is paused."""
    _check_running(draft)
    if draft.execution.pause is not None:
        raise errors.already_paused()
    draft.edit(pause=Pause(draft.now_ms, reason, stops_timeout))
    details = {"PauseRequestTimestamp": draft.now_ms, "ExecutionTimeoutPaused": stops_timeout}
    draft.tell("ExecutionPaused", details if reason is None else details | {"Reason": payload(reason)})


def resume(draft: Draft, reason: str | None) -> None:
    """Go on. Raises AWS's error where the execution has ended or is not paused."""
    _check_running(draft)
    held = draft.execution.pause
    if held is None:
        raise errors.not_paused()
    extension = draft.now_ms - held.requested_ms if held.stops_timeout else 0
    draft.edit(pause=None, deadline_ms=draft.execution.deadline_ms + extension)
    details: dict[str, Any] = {"ResumeRequestTimestamp": draft.now_ms}
    draft.tell("ExecutionResumed", details if reason is None else details | {"Reason": payload(reason)})


def is_repeated(draft: Draft, asked: Request) -> bool:
    """Whether the same was asked for, and accepted, a moment ago. Without a token nobody can tell."""
    last = draft.execution.request
    if not asked.token or last is None or (last.operation, last.token) != (asked.operation, asked.token):
        return False
    return asked.at_ms - last.at_ms < limits.DURABLE_REQUEST_S * 1000


def _check_running(draft: Draft) -> None:
    if not draft.open:
        raise errors.not_running(draft.execution)
