"""Durable executions in the members of AWS: as answers show them, and as functions get and return them.

Answers carry moments as seconds since the epoch, the events of functions as milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.services.lambda_.rules.durable_life import Answer, expires_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambent.kernel.call import Response
    from lambent.services.lambda_.records.durable import Error, Event, Execution, Operation

_MOMENTS = frozenset(
    (
        "ScheduledEndTimestamp",
        "StartTimestamp",
        "EndTimestamp",
        "PauseRequestTimestamp",
        "ResumeRequestTimestamp",
    )
)
_DATA = ("Input", "Result", "Error", "Reason")


def listed(execution: Execution) -> Response:
    """The Execution of the model."""
    return {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        "FunctionArn": execution.key.arn(execution.version),
        "Status": execution.status,
        "StartTimestamp": seconds(execution.started_ms),
        "EndTimestamp": seconds(execution.ended_ms),
        "KMSKeyArn": execution.durability.key_arn,
    }


def described(execution: Execution, root: Operation, *, data: bool) -> Response:
    """The answer of GetDurableExecution for an execution and its first operation; without `data` nothing of what its
    function has received or returned is shown."""
    pause = execution.pause
    held = None
    if pause is not None:
        held = {
            "PauseRequestTimestamp": seconds(pause.requested_ms),
            "ExecutionTimeoutPaused": pause.stops_timeout,
            "Reason": pause.reason if data else None,
        }
    return listed(execution) | {
        "Version": execution.version,
        "DurableConfig": {
            "ExecutionTimeout": execution.durability.timeout_s,
            "RetentionPeriodInDays": execution.durability.retention_days,
            "KMSKeyArn": execution.durability.key_arn,
        },
        "ExecutionDataIncluded": data,
        "ExpectedExecutionTimeoutTimestamp": seconds(expires_ms(execution)) if execution.ended_ms is None else None,
        "PauseDetails": held,
        "TraceHeader": {"XAmznTraceId": execution.trace} if execution.trace else None,
        "InputPayload": root.payload if data else None,
        "Result": root.result if data else None,
        "Error": root.error if data else None,
    }


def told(event: Event, *, data: bool) -> Response:
    """The Event of the model; without `data` nothing of what the function has received or returned."""
    return {
        "EventType": event.type,
        "EventId": event.id,
        "EventTimestamp": seconds(event.at_ms),
        "Id": event.operation_id,
        "Name": event.name,
        "ParentId": event.parent_id,
        "SubType": event.sub_type,
        f"{event.type}Details": {name: _told(name, value, data) for name, value in event.details.items()},
    }


def _told(name: str, value: Any, data: bool) -> Any:
    if name in _MOMENTS:
        return seconds(value)
    if name in _DATA and not data:
        return {"Truncated": True}
    return value


def operation(held: Operation, moment: Callable[[int | None], float | int | None] | None = None) -> Response:
    """The Operation of the model, with moments as `moment` writes them."""
    write = moment or seconds
    return {
        "Id": held.id,
        "ParentId": held.parent_id,
        "Name": held.name,
        "Type": held.type,
        "SubType": held.sub_type,
        "StartTimestamp": write(held.started_ms),
        "EndTimestamp": write(held.ended_ms),
        "Status": held.status,
        **_details(held, write),
    }


def _details(held: Operation, write: Callable[[int | None], float | int | None]) -> Response:
    outcome = {"Result": held.result, "Error": held.error}
    match held.type:
        case "EXECUTION":
            return {"ExecutionDetails": {"InputPayload": held.payload}}
        case "CONTEXT":
            return {"ContextDetails": {"ReplayChildren": held.replay_children, **outcome}}
        case "STEP":
            next_attempt = write(held.next_attempt_ms)
            return {"StepDetails": {"Attempt": held.attempt, "NextAttemptTimestamp": next_attempt, **outcome}}
        case "WAIT":
            return {"WaitDetails": {"ScheduledEndTimestamp": write(held.scheduled_ms)}}
        case "CALLBACK":
            return {"CallbackDetails": {"CallbackId": held.callback_id, **outcome}}
        case "CHAINED_INVOKE":
            return {"ChainedInvokeDetails": outcome}


def event(execution: Execution, token: str, page: Iterable[Operation], marker: str | None, updated: list[str]) -> bytes:
    """What a durable function is invoked with, as JSON. `page` is what of the state fits in, `marker` asks for the
    rest, `updated` are the ids of the operations that it has not seen as they are."""
    return msgspec.json.encode(
        {
            "DurableExecutionArn": execution.arn,
            "CheckpointToken": token,
            "InitialExecutionState": {
                "Operations": [_present(operation(held, _same)) for held in page],
                "NextMarker": marker or "",
            },
            "UpdatedOperationIds": updated,
        }
    )


def answer(payload: bytes) -> Answer:
    """What a durable function has returned; what is nothing of the kind has no status."""
    try:
        found = msgspec.json.decode(payload, type=_Output)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer()
    return Answer(found.Status, found.Result, None if found.Error is None else msgspec.to_builtins(found.Error))


def error(payload: bytes, fallback: str) -> Error:
    """The ErrorObject for the error JSON of a function that has failed; of `fallback`'s type where it names none."""
    try:
        found = msgspec.json.decode(payload, type=_Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"ErrorMessage": payload.decode("utf-8", "replace"), "ErrorType": fallback}
    trace = {"StackTrace": [str(line) for line in found.stackTrace]} if found.stackTrace else {}
    return {"ErrorMessage": found.errorMessage or "", "ErrorType": found.errorType or fallback, **trace}


def returned(root: Operation) -> bytes:
    """What a caller gets who has waited for the end of an execution: its result, or error JSON. `root` is its first
    operation."""
    if root.status == "SUCCEEDED":
        return (root.result or "null").encode()
    given = root.error or {}
    members = {
        "errorMessage": given.get("ErrorMessage"),
        "errorType": given.get("ErrorType"),
        "errorData": given.get("ErrorData"),
        "stackTrace": given.get("StackTrace"),
    }
    return msgspec.json.encode({name: value for name, value in members.items() if value is not None})


def seconds(moment_ms: int | None) -> float | None:
    """A moment as answers carry it."""
    return None if moment_ms is None else moment_ms / 1000


def _same(moment_ms: int | None) -> int | None:
    return moment_ms


def _present(value: Any) -> Any:
    """`value` without members that are None: there is no model between it and the function."""
    if isinstance(value, dict):
        return {name: _present(member) for name, member in value.items() if member is not None}
    return value


class _Error(msgspec.Struct, frozen=True, omit_defaults=True):
    ErrorMessage: str | None = None
    ErrorType: str | None = None
    ErrorData: str | None = None
    StackTrace: list[str] | None = None


class _Output(msgspec.Struct, frozen=True):
    Status: str
    Result: str | None = None
    Error: _Error | None = None


class _Failure(msgspec.Struct, frozen=True):
    errorMessage: str | None = None  # noqa: N815 the runtimes write it so
    errorType: str | None = None  # noqa: N815
    stackTrace: list[Any] | None = None  # noqa: N815
