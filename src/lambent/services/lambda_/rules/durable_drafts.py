"""A durable execution while one transaction changes it: what becomes of it, its operations and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.services.lambda_.records.durable import Event, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambent.services.lambda_.records.durable import Ending, Error, Execution


class Draft:
    """The execution as it stands now, with those of its operations that were asked for, and what is to be stored.
    `load` reads its first one, where that is not among them.

    Every change of an operation has a number, by which a function is told only what it has not seen yet.
    """

    def __init__(
        self,
        execution: Execution,
        operations: Iterable[Operation],
        now_ms: int,
        load: Callable[[], Operation] | None = None,
    ) -> None:
        self.execution = execution
        self.now_ms = now_ms
        self.events: list[Event] = []
        self._was_open = execution.ending is None
        self._load = load
        self._operations = {operation.id: operation for operation in operations}
        self._changed: dict[str, None] = {}

    @property
    def open(self) -> bool:
        """Whether the execution still runs."""
        return self.execution.ending is None

    @property
    def ended_now(self) -> bool:
        """Whether it is this transaction that has ended it."""
        return self._was_open and not self.open

    @property
    def root(self) -> Operation:
        """The first operation, which is the execution itself; it is read when it is wanted first."""
        root = self.find(self.execution.id)
        if root is None:
            assert self._load is not None, "whoever makes a draft has it, or knows where it is"
            root = self._operations[self.execution.id] = self._load()
        return root

    @property
    def operations(self) -> list[Operation]:
        """All that were loaded or made."""
        return list(self._operations.values())

    @property
    def changed(self) -> list[Operation]:
        """Those to store."""
        return [self._operations[name] for name in self._changed]

    def find(self, operation_id: str | None) -> Operation | None:
        """The operation, where it is one of those that were asked for."""
        return None if operation_id is None else self._operations.get(operation_id)

    def edit(self, **changes: Any) -> None:
        """Change the execution itself."""
        self.execution = msgspec.structs.replace(self.execution, **changes)

    def add(self, **members: Any) -> Operation:
        """A new operation, which starts now."""
        self.edit(operations=self.execution.operations + 1)
        operation = Operation(
            ordinal=self.execution.operations, change=0, status="STARTED", started_ms=self.now_ms, **members
        )
        return self._keep(operation)

    def change(self, operation: Operation, **changes: Any) -> Operation:
        """The operation with `changes`."""
        return self._keep(msgspec.structs.replace(operation, **changes))

    def amend(self, operation: Operation, **changes: Any) -> Operation:
        """The operation with `changes` of which the function learns nothing."""
        kept = msgspec.structs.replace(operation, **changes)
        self._operations[kept.id] = kept
        self._changed[kept.id] = None
        return kept

    def end(self, operation: Operation, status: str, **changes: Any) -> Operation:
        """The operation, complete from now on."""
        return self.change(operation, status=status, ended_ms=self.now_ms, **changes)

    def tell(self, kind: str, details: dict[str, Any], operation: Operation | None = None) -> None:
        """Write an event into the history, of an operation or of none."""
        self.edit(events=self.execution.events + 1)
        self.events.append(
            Event(
                id=self.execution.events,
                type=kind,
                at_ms=self.now_ms,
                details=details,
                operation_id=None if operation is None else operation.id,
                name=None if operation is None else operation.name,
                parent_id=None if operation is None else operation.parent_id,
                sub_type=None if operation is None else operation.sub_type,
            )
        )

    def close(self, ending: Ending, result: str | None = None, error: Error | None = None) -> None:
        """End the execution. Nothing is owed to the function any more; an invocation under way comes to its end."""
        self.edit(
            ending=ending,
            ended_ms=self.now_ms,
            pause=None,
            wanted=False,
            retry_ms=None,
            replay=None,
        )
        root = self.end(self.root, ending, result=result, error=error)
        self.tell(*_told(ending, result, error), root)

    def _keep(self, operation: Operation) -> Operation:
        self.edit(changes=self.execution.changes + 1)
        return self.amend(operation, change=self.execution.changes)


def payload(value: Any) -> dict[str, Any]:
    """An input, a result or an error as events carry it."""
    return {"Truncated": False} if value is None else {"Payload": value, "Truncated": False}


def _told(ending: Ending, result: str | None, error: Error | None) -> tuple[str, dict[str, Any]]:
    """The event of an end. Why an execution has timed out is said by the execution, not by its history."""
    match ending:
        case "SUCCEEDED":
            return "ExecutionSucceeded", {"Result": payload(result)}
        case "FAILED":
            return "ExecutionFailed", {"Error": payload(error)}
        case "STOPPED":
            return "ExecutionStopped", {"Error": payload(error)}
        case "TIMED_OUT":
            return "ExecutionTimedOut", {}
