"""What PutLogEvents takes: the rules of one batch.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.services.logs import errors
from lambent.services.logs.rules.chunks import size_of
from lambent.services.logs.rules.retention import oldest

if TYPE_CHECKING:
    from lambent.kernel.facts import LogEvent


class Verdict(msgspec.Struct, frozen=True):
    """The events that are taken, and up to and from where the others are refused; None where none is."""

    taken: list[LogEvent]
    too_old_end: int | None
    too_new_start: int | None
    expired_end: int | None


def check(events: list[LogEvent]) -> None:
    """Raises InvalidParameterException for a batch that is refused whole, whatever the time is."""
    total = 0
    for event in events:
        size = size_of(event.message)
        if size > limits.LOG_EVENT_BYTES:
            raise errors.invalid(f"Log event too large: {size} bytes exceeds limit of {limits.LOG_EVENT_BYTES}")
        total += size
    if total > limits.LOG_BATCH_BYTES:
        raise errors.invalid(f"Upload too large: {total} bytes exceeds limit of {limits.LOG_BATCH_BYTES}")
    if any(later.timestamp < event.timestamp for event, later in pairwise(events)):
        raise errors.invalid("Log events in a single PutLogEvents request must be in chronological order.")


def judge(events: list[LogEvent], now_ms: int, retention_days: int | None) -> Verdict:
    """Sort a checked batch into what is taken and what is refused. Raises InvalidParameterException for its span."""
    old = _before(events, now_ms - limits.LOG_TOO_OLD_MS)
    expired = _before(events, oldest(now_ms, retention_days))
    end = _before(events, now_ms + limits.LOG_TOO_NEW_MS + 1)
    taken = events[max(old, expired) : end]
    if taken and taken[-1].timestamp - taken[0].timestamp > limits.LOG_BATCH_SPAN_MS:
        raise errors.invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    return Verdict(taken, old or None, None if end == len(events) else end, expired or None)


def _before(events: list[LogEvent], timestamp: int) -> int:
    """How many events are older than `timestamp`."""
    return sum(event.timestamp < timestamp for event in events)
