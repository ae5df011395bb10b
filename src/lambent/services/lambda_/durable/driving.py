"""The driver of durable executions: lets happen what is due, invokes their functions, and makes their calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import running
from lambent.services.lambda_.durable import ending, pages
from lambent.services.lambda_.durable.allowance import Allowance
from lambent.services.lambda_.records.durable import Execution, Operation  # noqa: TC001 msgspec reads them at run time
from lambent.services.lambda_.rules import durable_answers, durable_ids, durable_life
from lambent.services.lambda_.store import durable, durable_remains

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from lambent.compute.function import Outcome
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.durable import Ending, Error
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Transaction

_PASSING = frozenset(
    (
        "InternalError",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "ServiceException",
        "SnapStartNotReadyException",
        "TooManyRequestsException",
    )
)
"""What passes: too many invocations, a machine that can start no more, a function that is not active yet, environments
or a snapshot that are not ready yet."""
_LOST_MS = int(limits.DURABLE_RETRY_MIN_S * 1000)


class Step(msgspec.Struct, frozen=True):
    """What has to be done for an execution once it is stored that it is under way."""

    execution: Execution
    invocation: str | None
    """The id under which its function is to be invoked now."""
    calls: list[Operation]


class Driver:
    """Looks at each execution when it is due: the store knows when that is, so a server that was killed goes on where
    it was. An invocation or a call that was under way then is begun again; its checkpoints are kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: set[str | tuple[str, str]] = set()
        """The ids of invocations, and executions with the operations that call."""
        self._dropped = 1
        """How often something may have been left that the store has under way; the first time by another server."""
        self._recovered = 0
        """How many of those were seen to."""
        self._events = Allowance(limits.DURABLE_EVENTS_BYTES)
        """What functions are told when they are invoked, which may be megabytes each."""

    async def run(self) -> None:
        """Work until cancelled."""
        changed = self._parts.executions.changed
        while True:
            changed.clear()
            if self._dropped > self._recovered:
                await self._recover()
            if await self._advance() < limits.DURABLE_DUE:
                await self._rest(changed)

    async def _rest(self, changed: asyncio.Event) -> None:
        """Return when the next execution is due, or something has changed. The clock on the wall may be set, and the
        machine may sleep: so never for too long."""
        due_ms = await self._parts.store.read(durable.next_due)
        now_ms = self._parts.now_ms()
        rest_s = limits.DURABLE_REST_S if due_ms is None else min((due_ms - now_ms) / 1000, limits.DURABLE_REST_S)
        timer = self._parts.clock.call_later(rest_s, changed.set)
        try:
            await changed.wait()
        finally:
            timer.cancel()

    async def _recover(self) -> None:
        """Let go of what is under way by the store's account only."""
        known, now_ms, dropped = frozenset(self._under_way), self._parts.now_ms(), self._dropped
        # What this server has dropped may be dropped again; what another one has dropped has waited already.
        pause_ms = _LOST_MS if self._recovered else 0

        def work(tx: Transaction) -> None:
            for execution in durable.running(tx):
                if execution.invocation not in known:
                    draft = durable.draft(tx, execution, now_ms)
                    durable_life.lost(draft, pause_ms)
                    durable.save(tx, draft)
            for execution_id, operation_id in durable.calling(tx):
                if (execution_id, operation_id) not in known:
                    _let_go(tx, execution_id, operation_id, now_ms)

        await self._parts.store.write(work)
        self._recovered = dropped

    async def _advance(self) -> int:
        """Let happen what is due; returns for how many executions."""
        parts, now_ms = self._parts, self._parts.now_ms()
        due_ms = await parts.store.read(durable.next_due)
        if due_ms is None or due_ms > now_ms:
            return 0
        invocations = [parts.ids.uuid() for _ in range(limits.DURABLE_DUE)]

        steps = await parts.store.write(lambda tx: look(tx, invocations, now_ms))
        for step in steps:
            self._take(step)
        return len(steps)

    def _take(self, step: Step) -> None:
        execution, start = step.execution, self._parts.supervisor.start
        if step.invocation is not None:
            self._under_way.add(step.invocation)
            start(f"invocation of {execution.arn}", self._invoke(execution, step.invocation))
        for call in step.calls:
            self._under_way.add((execution.id, call.id))
            start(f"call {call.id} of {execution.arn}", self._call(execution, call))
        if execution.ending is not None:
            self._parts.executions.tell(execution.id)
            self._parts.executions.left.set()

    async def _invoke(self, execution: Execution, invocation: str) -> None:
        with self._at(invocation):
            async with self._events.held(limits.DURABLE_PAGE_BYTES) as held:
                now_ms = self._parts.now_ms()
                event = await self._parts.store.write(lambda tx: _open(tx, execution.id, invocation, now_ms))
                if event is not None:
                    held.shrink(len(event))
                    await self._run(execution, invocation, event)

    async def _run(self, execution: Execution, invocation: str, event: bytes) -> None:
        parts, request_id, started_ms = self._parts, self._parts.ids.uuid(), self._parts.now_ms()
        run = durable_life.Run(started_ms, request_id)
        outcome = await _invoked(parts, execution, execution.key, execution.version, request_id, event)
        if outcome is None:
            return
        now_ms = parts.now_ms()

        def work(tx: Transaction) -> None:
            found = durable.find(tx, execution.id)
            if found is None or found.invocation != invocation:
                return
            draft = durable.draft(tx, found, now_ms)
            if isinstance(outcome, AwsError):
                _refused(draft, outcome)
            elif outcome.error is not None:
                durable_life.failed(draft, run, durable_answers.error(outcome.payload, outcome.error))
            else:
                answer = durable_answers.answer(outcome.payload)
                durable_life.answered(draft, run, answer, waiting=durable.waits(tx, found.id))
            ending.conclude(tx, draft)

        await parts.executions.change(execution.id, work)

    async def _call(self, execution: Execution, call: Operation) -> None:
        with self._at((execution.id, call.id)):
            outcome = await self._called(execution, call)
            if outcome is not None:
                await self._answer(execution, call, outcome)

    async def _called(self, execution: Execution, call: Operation) -> Outcome | AwsError | None:
        assert call.function is not None, "whoever began the call knew the function"
        key = msgspec.structs.replace(execution.key, name=call.function)
        event, request_id = (call.payload or "{}").encode(), self._parts.ids.uuid()
        return await _invoked(self._parts, call, key, call.version, request_id, event)

    async def _answer(self, execution: Execution, call: Operation, outcome: Outcome | AwsError) -> None:
        now_ms = self._parts.now_ms()

        def work(tx: Transaction) -> None:
            found = durable.find(tx, execution.id)
            if found is None:
                return
            draft = durable.draft(tx, found, now_ms, (call.id,))
            held = draft.find(call.id)
            if held is None or not held.calling:
                return
            if not draft.open:
                durable_life.call_lost(draft, held)
            elif isinstance(outcome, AwsError) and outcome.code in _PASSING:
                durable_life.call_again(draft, held)
            else:
                durable_life.answer_call(draft, held, *_ending(outcome))
            durable.save(tx, draft)

        await self._parts.executions.change(execution.id, work)

    @contextmanager
    def _at(self, what: str | tuple[str, str]) -> Iterator[None]:
        """The body sees to `what`. Where it does not come to its end, `_recover` does."""
        try:
            yield
        except BaseException:
            self._dropped += 1
            raise
        finally:
            self._under_way.discard(what)
            self._parts.executions.changed.set()


def look(tx: Transaction, invocations: list[str], now_ms: int) -> list[Step]:
    """Let happen what is due, for as many executions as there are ids of `invocations` at most."""
    due = durable.due(tx, now_ms, len(invocations))
    return [_look(tx, execution_id, name, now_ms) for execution_id, name in zip(due, invocations, strict=False)]


def _look(tx: Transaction, execution_id: str, invocation: str, now_ms: int) -> Step:
    """Let happen what is due for one execution: one that has ended goes when it has been kept for long enough. It is
    read only now: what was looked at before it may have been a call of its own, which has ended."""
    execution = durable.find(tx, execution_id)
    assert execution is not None, "it was due a moment ago, and nobody else removes it"
    if execution.ending is not None:
        durable_remains.discard(tx, execution)
        return Step(execution, None, [])
    draft = durable.draft(tx, execution, now_ms)
    durable_life.fire(draft)
    calls = durable_life.calls(draft)
    entered = durable_life.ready(draft)
    if entered:
        durable_life.enter(draft, invocation)
    ending.conclude(tx, draft)
    return Step(draft.execution, invocation if entered else None, calls)


def _open(tx: Transaction, execution_id: str, invocation: str, now_ms: int) -> bytes | None:
    """The event of an invocation, which has seen from then on all that has happened; None where it came too late."""
    execution = durable.find(tx, execution_id)
    if execution is None or execution.invocation != invocation:
        return None
    draft = durable.draft(tx, execution, now_ms)
    if not draft.open:
        durable_life.lost(draft)
        durable.save(tx, draft)
        return None
    updated = durable.changed_ids(tx, execution_id, execution.seen)
    durable_life.inform(draft)
    durable.save(tx, draft)
    page, marker = pages.state(tx, draft.execution, 0, limits.DURABLE_LISTED_MOST)
    token = durable_ids.written(durable_ids.Token(execution_id, invocation, execution.token))
    return durable_answers.event(draft.execution, token, page, marker, updated)


def _refused(draft: Draft, refusal: AwsError) -> None:
    """The engine has not run the function at all."""
    if refusal.code in _PASSING:
        durable_life.throttled(draft)
    else:
        durable_life.hopeless(draft, {"ErrorMessage": refusal.message, "ErrorType": refusal.code})


def _let_go(tx: Transaction, execution_id: str, operation_id: str, now_ms: int) -> None:
    execution = durable.find(tx, execution_id)
    assert execution is not None, "operations go with their execution"
    draft = durable.draft(tx, execution, now_ms, (operation_id,))
    call = draft.find(operation_id)
    assert call is not None, "it was found a moment ago"
    durable_life.call_lost(draft, call)
    durable.save(tx, draft)


def _ending(outcome: Outcome | AwsError) -> tuple[Ending, str | None, Error | None]:
    """How a call has ended that was made, or cannot be."""
    if isinstance(outcome, AwsError):
        return "FAILED", None, {"ErrorMessage": outcome.message, "ErrorType": outcome.code}
    if outcome.error is not None:
        return "FAILED", None, durable_answers.error(outcome.payload, outcome.error)
    if len(outcome.payload) > limits.DURABLE_CALL_BYTES:
        most = limits.DURABLE_CALL_BYTES
        text = f"CHAINED_INVOKE output payload size must be less than or equal to {most} bytes."
        return "FAILED", None, {"ErrorMessage": text}
    return "SUCCEEDED", outcome.payload.decode("utf-8", "replace"), None


async def _invoked(
    parts: Parts, cause: Execution | Operation, key: FunctionKey, version: str | None, request_id: str, event: bytes
) -> Outcome | AwsError | None:
    """What comes of one invocation for `cause`: an error of AWS's where the version is gone, or the engine takes no
    more; None where it was broken off because the server stops: the next one begins it again."""
    outcome: Outcome | AwsError
    try:
        outcome = await running.invoke(
            parts,
            await running.resolve(parts, key, version, cause.tenant_id),
            request_id=request_id,
            payload=event,
            invoked_arn=key.arn(version),
            tenant_id=cause.tenant_id,
            trace=cause.trace,
        )
    except AwsError as refusal:
        outcome = refusal
    broken = isinstance(outcome, AwsError) or outcome.error is not None
    return None if broken and parts.engine.closing else outcome
