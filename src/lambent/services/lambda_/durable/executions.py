"""Durable executions as the rest of the service sees them: how they begin, change and end, and who waits for that."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lambent.compute.function import FunctionVersion  # noqa: TC001 msgspec reads it at run time
from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import durable as durable_errors
from lambent.services.lambda_.records import LATEST, FunctionKey
from lambent.services.lambda_.records.durable import Execution, Parent
from lambent.services.lambda_.rules import async_records, durable_life, names
from lambent.services.lambda_.store import durable, functions, versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import Configuration, Durability
    from lambent.services.lambda_.records.durable import Ending, Error, Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Store, Transaction

T = TypeVar("T")


class Executions:
    """Changes executions, and wakes the driver and whoever waits for an end."""

    def __init__(self, store: Store, supervisor: Supervisor, clock: Clock) -> None:
        self._store = store
        self._supervisor = supervisor
        self._clock = clock
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.changed = asyncio.Event()
        """Set by every change; the driver's to clear."""
        self.left = asyncio.Event()
        """Set where executions are to be removed; the sweeper's to clear."""

    async def change(self, execution_id: str, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which changes that execution, and return its result once it is durable.

        A caller who goes away in the middle does not keep others from hearing of it.
        """
        task: asyncio.Task[T | AwsError]
        task = self._supervisor.start(f"durable execution {execution_id}", self._change(execution_id, work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    def tell(self, execution_id: str) -> None:
        """Have whoever waits for this one look at it."""
        for event in self._waiting.get(execution_id, ()):
            event.set()
        self.changed.set()

    def tell_all(self) -> None:
        """Have the driver and the sweeper look, and whoever waits: a function is gone."""
        self.changed.set()
        self.left.set()
        for execution_id in self._waiting:
            self.tell(execution_id)

    async def ended(self, execution_id: str) -> Operation:
        """The first operation of an execution, once that has ended. Raises AWS's errors where it goes away before, or
        takes too long."""
        event = asyncio.Event()
        self._waiting[execution_id].add(event)
        try:
            async with deadline(self._clock, limits.DURABLE_SYNC_S):
                return await self._end(execution_id, event)
        except TimeoutError as error:
            raise durable_errors.invocation_unanswered() from error
        finally:
            self._waiting[execution_id].discard(event)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    async def _end(self, execution_id: str, event: asyncio.Event) -> Operation:
        while True:
            event.clear()
            root = await self._store.read(lambda tx: _ended(tx, execution_id))
            if root is not None:
                return root
            await event.wait()

    async def _change(self, execution_id: str, work: Callable[[Transaction], T]) -> T | AwsError:
        try:
            return await self._store.write(work)
        except AwsError as refusal:
            return refusal
        finally:
            self.tell(execution_id)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution begins with."""

    version: FunctionVersion
    event: str | None
    name: str
    execution_id: str
    result_bytes: int
    tenant_id: str | None = None
    trace: str = ""
    parent: Parent | None = None
    queued: str | None = None


async def start(
    parts: Parts,
    version: FunctionVersion,
    event: bytes,
    *,
    name: str | None,
    waits: bool,
    tenant_id: str | None = None,
    trace: str = "",
    request_id: str | None = None,
) -> Execution:
    """Begin an execution of `version` with `event`; where there is one of that name already, with the same event, it
    is that one. `waits` says whether the caller waits for its end; `request_id` is that of a caller who does not.
    Raises AWS's errors.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
    """
    if not waits and len(event) > limits.DURABLE_EVENT_BYTES:
        raise errors.event_too_large(len(event))
    wanted = Start(
        version=version,
        event=event.decode(),
        name=name or parts.ids.uuid(),
        execution_id=parts.ids.uuid(),
        result_bytes=limits.INVOKE_PAYLOAD_BYTES if waits else limits.DURABLE_EVENT_BYTES,
        tenant_id=tenant_id,
        trace=trace,
        queued=None if waits else request_id or parts.ids.uuid(),
    )
    now_ms = parts.now_ms()

    def work(tx: Transaction) -> Execution:
        durability = _durability(tx, version)
        if waits and durability.timeout_s > limits.DURABLE_SYNC_S:
            raise durable_errors.too_long_to_wait()
        found = durable.find_name(tx, key_of(version), wanted.name)
        if found is None:
            return begin(tx, wanted, now_ms)
        _check_same(tx, found, wanted)
        return found

    return await parts.executions.change(wanted.execution_id, work)


def begin(tx: Transaction, wanted: Start, now_ms: int) -> Execution:
    """Store a new execution, whose name is free, with the limits that its version has now. Raises AWS's error where
    the version is gone."""
    key, durability = key_of(wanted.version), _durability(tx, wanted.version)
    execution = Execution(
        id=wanted.execution_id,
        account=key.account,
        region=key.region,
        function=key.name,
        version=wanted.version.version,
        name=wanted.name,
        durability=durability,
        result_bytes=wanted.result_bytes,
        started_ms=now_ms,
        deadline_ms=now_ms + durability.timeout_s * 1000,
        tenant_id=wanted.tenant_id,
        trace=wanted.trace,
        parent=wanted.parent,
        queued=wanted.queued,
    )
    durable.insert(tx, durable_life.begun(execution, wanted.event))
    return execution


def _ended(tx: Transaction, execution_id: str) -> Operation | None:
    """The first operation, which may be large, of an execution that has ended. Raises AWS's error where it is gone."""
    execution = durable.find(tx, execution_id)
    if execution is None:
        raise durable_errors.not_found()
    return None if execution.ending is None else durable.operation(tx, execution_id, execution_id)


def _durability(tx: Transaction, version: FunctionVersion) -> Durability:
    key, label = key_of(version), version.version
    configuration = _configuration(tx, key, label)
    if configuration is None or configuration.durability is None:
        raise errors.not_found(key, label)
    return configuration.durability


def _configuration(tx: Transaction, key: FunctionKey, label: str) -> Configuration | None:
    """How a version is configured; None where it is gone."""
    held = functions.find(tx, key) if label == LATEST else versions.find(tx, key, names.number(label))
    return None if held is None else held.configuration


def key_of(version: FunctionVersion) -> FunctionKey:
    """The function that it is a version of."""
    return FunctionKey(version.account, version.region, version.name)


def _check_same(tx: Transaction, found: Execution, wanted: Start) -> None:
    """Raise AWS's error where the name stands for something else than is wanted. What another tenant's execution
    returns is for nobody else."""
    first = durable.operation(tx, found.id, found.id)
    same = first is not None and first.payload == wanted.event and found.version == wanted.version.version
    if found.deleting or not same or found.tenant_id != wanted.tenant_id:
        raise durable_errors.already_started(found)


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
    configuration = _configuration(tx, execution.key, execution.version)
    if configuration is not None and configuration.dead_letter_arn is not None:
        event, message = (root.payload or "{}").encode(), (root.error or {}).get("ErrorMessage", "")
        letter = async_records.letter(configuration.dead_letter_arn, event, request_id, message, execution.trace)
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
