"""What is stored of durable executions: the execution itself, its operations, and the events of its history.

Moments are milliseconds since the epoch. Errors are kept in the members of the model's ErrorObject.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.configuration import Durability  # noqa: TC001 msgspec reads it at run time

Status = Literal["RUNNING", "PAUSING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"]
Ending = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"]
OperationType = Literal["EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]
OperationStatus = Literal["STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"]
Error = dict[str, Any]
"""ErrorMessage, ErrorType, ErrorData, StackTrace; each may be absent."""

_OPEN = ("STARTED", "PENDING", "READY")


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of an execution in the wide sense: whatever the function has checkpointed under an id of its own."""

    id: str
    ordinal: int
    """Its place among the operations of its execution, in the order of their starts."""
    change: int
    """The execution's count of changes when this one was last changed."""
    type: OperationType
    status: OperationStatus
    started_ms: int
    ended_ms: int | None = None
    name: str | None = None
    parent_id: str | None = None
    sub_type: str | None = None
    hidden: bool = False
    """Whether it lies in a context that is complete, so that no replay needs it."""
    payload: str | None = None
    """What the execution, or the function that is called, was given."""
    result: str | None = None
    """What has come of it; for the first operation, what the execution has returned."""
    error: Error | None = None
    attempt: int = 0
    """How many attempts of a step are over."""
    next_attempt_ms: int | None = None
    scheduled_ms: int | None = None
    """When a wait ends."""
    callback_id: str | None = None
    timeout_ms: int | None = None
    """When a callback has waited for long enough in all."""
    heartbeat_s: int = 0
    heartbeat_ms: int | None = None
    """When a callback has waited for long enough without a heartbeat."""
    replay_children: bool | None = None
    function: str | None = None
    """The name of the function to call, without a qualifier."""
    version: str | None = None
    """The version of it that is called, whatever its aliases point to by now."""
    tenant_id: str | None = None
    """For whom it is called."""
    trace: str = ""
    """The tracing header that goes with the call."""
    child_id: str | None = None
    """The execution that the call has started, where that function is durable."""
    calling: bool = False
    """Whether the call of an ordinary function is under way."""

    @property
    def open(self) -> bool:
        """Whether something can still come of it."""
        return self.status in _OPEN

    @property
    def waiting(self) -> bool:
        """Whether it goes on without the function: by the clock, a callback, or the function that it calls."""
        if self.type == "STEP":
            return self.status == "PENDING"
        return self.type in ("WAIT", "CALLBACK", "CHAINED_INVOKE") and self.status == "STARTED"

    @property
    def due_ms(self) -> int | None:
        """When somebody has to look at it, which for a call not yet made is at once."""
        if not self.waiting:
            return None
        if self.type == "CHAINED_INVOKE":
            called = self.calling or self.child_id is not None
            return None if called else self.next_attempt_ms or self.started_ms
        moments = (self.next_attempt_ms, self.scheduled_ms, self.timeout_ms, self.heartbeat_ms)
        return min((moment for moment in moments if moment is not None), default=None)


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a history."""

    id: int
    type: str
    at_ms: int
    details: dict[str, Any]
    """The members of the model's details for this type; moments in them are milliseconds."""
    operation_id: str | None = None
    name: str | None = None
    parent_id: str | None = None
    sub_type: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """That an execution is not to be invoked for now."""

    requested_ms: int
    reason: str | None
    stops_timeout: bool
    """Whether the time until it is resumed does not count for the execution's timeout."""


class Request(msgspec.Struct, frozen=True):
    """A pause or a resumption that was accepted, so that it is known again when it is sent twice."""

    operation: str
    token: str
    at_ms: int


class Replay(msgspec.Struct, frozen=True):
    """The last checkpoint, so that it is known again when it is sent twice."""

    client_token: str
    token: str
    seen: int
    """What the function had seen before it."""


class Parent(msgspec.Struct, frozen=True):
    """The operation that has started an execution by calling its function."""

    execution_id: str
    operation_id: str


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A durable execution: many invocations of one version of a function that are one call to its caller.

    What it was given and what has come of it may be large: its first operation, which has the same id, keeps that.
    """

    id: str
    account: str
    region: str
    function: str
    version: str
    """`$LATEST` or a number; every invocation runs this one."""
    name: str
    durability: Durability
    """What it may take and how long it is kept, as it was when it began."""
    result_bytes: int
    """How large its result may be."""
    started_ms: int
    deadline_ms: int
    """When it times out, unless a pause stops that."""
    ending: Ending | None = None
    """How it has ended; None while it runs."""
    ended_ms: int | None = None
    deleting: bool = False
    invocation: str | None = None
    """The id of the one invocation that may checkpoint; None while none runs."""
    revoked: bool = False
    """Whether that one has been refused its next checkpoint."""
    wanted: bool = True
    """Whether something has happened for which the function has to be invoked."""
    retry_ms: int | None = None
    """Before which it is not invoked again."""
    failures: int = 0
    """Invocations that have failed, one after the other."""
    idle: int = 0
    """Invocations that waited for nothing, one after the other."""
    throttles: int = 0
    """Invocations that found no room, one after the other."""
    token: int = 0
    """The number of the checkpoint that is next."""
    changes: int = 0
    """How often its operations have changed."""
    seen: int = 0
    """Up to which of these changes the function has been told."""
    tenant_id: str | None = None
    """Whose environments it runs in."""
    trace: str = ""
    """The tracing header that came with its event; every invocation follows it."""
    operations: int = 0
    events: int = 0
    written: int = 0
    """Bytes that the function has checkpointed."""
    pause: Pause | None = None
    request: Request | None = None
    replay: Replay | None = None
    parent: Parent | None = None
    queued: str | None = None
    """The id of the request that began it asynchronously; None where somebody waits for its end."""

    @property
    def key(self) -> FunctionKey:
        """The function that it runs."""
        return FunctionKey(self.account, self.region, self.function)

    @property
    def arn(self) -> str:
        """The ARN by which callers know it."""
        return f"{self.key.arn(self.version)}/durable-execution/{self.name}/{self.id}"

    @property
    def status(self) -> Status:
        """AWS's word for where it is."""
        if self.deleting:
            return "DELETING"
        if self.ending is not None:
            return self.ending
        if self.pause is None:
            return "RUNNING"
        return "PAUSED" if self.invocation is None or self.revoked else "PAUSING"

    @property
    def timeout_stopped(self) -> bool:
        """Whether it is paused in a way that its timeout is, too."""
        return self.pause is not None and self.pause.stops_timeout


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions of a function are asked for."""

    version: str | None = None
    name: str | None = None
    statuses: tuple[str, ...] | None = None
    after_ms: int | None = None
    """Those that have started later."""
    before_ms: int | None = None
    """Those that have started earlier."""
    oldest_first: bool = False
