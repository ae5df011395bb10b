"""What becomes of an event once it was tried: it is tried again later, or it leaves the queue.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.records.events import Condition  # noqa: TC001 msgspec reads it at run time

if TYPE_CHECKING:
    from lambent.services.lambda_.records.events import Attempt, Envelope, Settings

PASSING: Final = frozenset(
    (
        "InternalError",
        "InvalidRuntimeException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "ServiceException",
        "SnapStartNotReadyException",
        "TooManyRequestsException",
    )
)
"""The refusals that pass: too many invocations, a machine that can start no more or lacks an interpreter, a function
that is not active yet, environments or a snapshot that are not ready yet."""


class Retry(msgspec.Struct, frozen=True):
    """The function failed, and is run again at `due_ms`."""

    due_ms: int


class Wait(msgspec.Struct, frozen=True):
    """The function was not run, for a reason that passes."""

    everywhere: bool
    """Whether no other function would have been run either."""
    until_ms: int
    """When the event is too old."""


class Done(msgspec.Struct, frozen=True):
    """The event leaves the queue."""

    condition: Condition


def decide(envelope: Envelope, attempt: Attempt, settings: Settings, now_ms: int) -> Retry | Wait | Done:
    """What becomes of an event; the run that `attempt` tells of is counted in `envelope`. A function that failed and
    could only be run again when the event is too old is not: AWS's records say so."""
    oldest_ms = envelope.accepted_ms + settings.age_s * 1000
    if attempt.refusal is not None:
        return _refused(attempt, settings, oldest_ms, late=now_ms > oldest_ms)
    if attempt.error is None:
        return Done("Success")
    if envelope.runs > settings.retries:
        return Done("RetriesExhausted")
    due_ms = now_ms + _rest_ms(envelope.runs)
    return Retry(due_ms) if due_ms <= oldest_ms else Done("EventAgeExceeded")


def too_old(envelope: Envelope, settings: Settings, now_ms: int) -> bool:
    """Whether an event has waited for longer than it may."""
    return now_ms > envelope.accepted_ms + settings.age_s * 1000


def _refused(attempt: Attempt, settings: Settings, oldest_ms: int, *, late: bool) -> Wait | Done:
    if attempt.refusal == "TooManyRequestsException" and settings.reserved == 0:
        return Done("ZeroReservedConcurrency")
    if attempt.refusal not in PASSING:
        return Done("RetriesExhausted")
    return Done("EventAgeExceeded") if late else Wait(_everywhere(attempt), oldest_ms + 1)


def _everywhere(attempt: Attempt) -> bool:
    """Whether it was the account's limit, or the machine's."""
    return attempt.refusal == "ServiceException" or attempt.reason == "ConcurrentInvocationLimitExceeded"


def _rest_ms(runs: int) -> int:
    """How long a function rests after it has failed so often."""
    return 1000 * (limits.ASYNC_RETRY_FIRST_S if runs == 1 else limits.ASYNC_RETRY_LATER_S)
