"""Pages of events: as many as an answer holds, found with a bounded amount of work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.services.logs.rules.chunks import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambent.services.logs.rules.chunks import Event


class Page(msgspec.Struct, frozen=True):
    """Events, and the position of the last one looked at where there may be more behind it."""

    events: list[Event]
    stopped_at: int | None


def cut(events: Iterator[Event], limit: int, matches: Callable[[str], bool] | None = None) -> Page:
    """The first events that match: at most `limit` and 1 MB, after at most LOG_SCAN_EVENTS and LOG_SCAN_BYTES."""
    found: list[Event] = []
    answer_bytes = scanned_bytes = 0
    place: int | None = None
    for scanned, event in enumerate(events):
        size = size_of(event.message)
        if scanned >= limits.LOG_SCAN_EVENTS or scanned_bytes > limits.LOG_SCAN_BYTES:
            return Page(found, place)
        scanned_bytes += size
        if matches is None or matches(event.message):
            if found and (len(found) >= limit or answer_bytes + size > limits.LOG_PAGE_BYTES):
                return Page(found, place)
            answer_bytes += size
            found.append(event)
        place = event.position
    return Page(found, None)
