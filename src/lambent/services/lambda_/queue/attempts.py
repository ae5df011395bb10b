"""One attempt at an event: the function is invoked with it, and what came of that is stored."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import running
from lambent.services.lambda_.records.events import Attempt, Envelope, Event
from lambent.services.lambda_.rules import async_outcomes, async_records, traces
from lambent.services.lambda_.rules.async_outcomes import Done, Retry, Wait
from lambent.services.lambda_.store import events

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.rules.async_records import Sent
    from lambent.store.api import Transaction

log = logging.getLogger(__name__)


class Dispatcher:
    """Has the queue run its events."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        await self._parts.queue.run(partial(attempt, self._parts))


async def attempt(parts: Parts, event: Event) -> Retry | Wait | Done | None:
    """Invoke the function with `event` and store what becomes of it; None where the server stops, which leaves it as
    it is. An event that meets a bug stands back for a while: it may meet it each time, and others wait behind it."""
    try:
        return await _attempt(parts, event)
    except Exception:
        log.exception("event %s of %s met a bug and is tried again later", event.envelope.request_id, event.line.arn)
        return await parts.store.write(partial(_stand_back, event=event, now_ms=parts.now_ms()))


async def _attempt(parts: Parts, event: Event) -> Retry | Wait | Done | None:
    if await _is_too_old(parts, event):
        return await parts.store.write(partial(_give_up, event=event, now_ms=parts.now_ms()))
    tried = await _tried(parts, event)
    if parts.engine.closing and (tried.refusal or tried.error):
        return None
    now_ms = parts.now_ms()
    conclude = partial(_conclude, event=event, tried=tried, now_ms=now_ms)
    if tried.refusal in async_outcomes.PASSING:
        settings = await parts.store.read(lambda tx: events.settings(tx, event.line, failing=True))
        verdict = async_outcomes.decide(event.envelope, tried, settings, now_ms)
        if isinstance(verdict, Wait):
            return verdict
    return await parts.store.write(conclude)


async def _is_too_old(parts: Parts, event: Event) -> bool:
    """Whether it has waited for too long. The store is asked only where that can be."""
    now_ms = parts.now_ms()
    if now_ms - event.envelope.accepted_ms <= limits.ASYNC_AGE_MIN_S * 1000:
        return False
    settings = await parts.store.read(lambda tx: events.settings(tx, event.line, failing=False))
    return async_outcomes.too_old(event.envelope, settings, now_ms)


async def _tried(parts: Parts, event: Event) -> Attempt:
    line, envelope = event.line, event.envelope
    try:
        version = await running.resolve(parts, line.key, line.qualifier, envelope.tenant_id)
        outcome = await running.invoke(
            parts,
            version,
            request_id=envelope.request_id,
            payload=event.payload,
            invoked_arn=line.arn,
            client_context=envelope.client_context,
            tenant_id=envelope.tenant_id,
            trace=envelope.trace,
            patient=True,
        )
    except AwsError as refusal:
        return Attempt(refusal=refusal.code, message=refusal.message, reason=refusal.members.get("Reason"))
    trace = traces.following(envelope.trace, version.arn, parts.ids, parts.clock.time()).header
    return Attempt(version=version.version, payload=outcome.payload, error=outcome.error, trace=trace)


def _conclude(tx: Transaction, *, event: Event, tried: Attempt, now_ms: int) -> Retry | Wait | Done:
    """Store what becomes of the event. One whose function was deleted meanwhile is gone, and nothing is told of it."""
    if not events.waits(tx, event):
        return Done("Success")
    failing = tried.error is not None or tried.refusal is not None
    settings, envelope = events.settings(tx, event.line, failing=failing), _counted(event.envelope, tried)
    verdict = async_outcomes.decide(envelope, tried, settings, now_ms)
    if isinstance(verdict, Retry):
        events.postpone(tx, event, envelope, verdict.due_ms)
    elif isinstance(verdict, Done):
        counted = msgspec.structs.replace(event, envelope=envelope)
        _finish(tx, counted, async_records.sent_for(counted, settings, tried, verdict.condition, now_ms))
    return verdict


def _give_up(tx: Transaction, *, event: Event, now_ms: int) -> Done:
    """Let an event go that is too old."""
    if events.waits(tx, event):
        settings = events.settings(tx, event.line, failing=True)
        _finish(tx, event, async_records.sent_for(event, settings, Attempt(), "EventAgeExceeded", now_ms))
    return Done("EventAgeExceeded")


def _stand_back(tx: Transaction, *, event: Event, now_ms: int) -> Retry:
    """Let the event wait, with nothing counted."""
    due_ms = now_ms + limits.ASYNC_RETRY_FIRST_S * 1000
    events.postpone(tx, event, event.envelope, due_ms)
    return Retry(due_ms)


def _finish(tx: Transaction, event: Event, told: list[Sent]) -> None:
    """The event leaves the queue, and what is told of it leaves for whom it may concern, or neither does."""
    for sent in told:
        tx.send(sent.target, sent.event, sent.trace, attributes=sent.attributes)
    events.delete(tx, event)


def _counted(envelope: Envelope, tried: Attempt) -> Envelope:
    """A run is one of the function: what was refused is none."""
    return envelope if tried.refusal is not None else msgspec.structs.replace(envelope, runs=envelope.runs + 1)
