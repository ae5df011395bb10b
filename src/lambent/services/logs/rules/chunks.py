"""Chunks: events packed into rows for the store, and swept out of them again in order."""

from __future__ import annotations

import heapq
import zlib
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from lambent.kernel import limits
from lambent.services.logs.records import Events, NewChunk
from lambent.services.logs.rules.positions import position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lambent.kernel.facts import LogEvent
    from lambent.services.logs.records import Chunk
    from lambent.services.logs.rules.positions import Window

_PLAIN: Final = b"\x00"
_ZLIB: Final = b"\x01"
_SMALL: Final = 256
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Events).decode


class Event(NamedTuple):
    """An event as it is read."""

    position: int
    timestamp: int
    message: str
    stream: str
    ingested_ms: int


def size_of(message: str) -> int:
    """The bytes that AWS counts for an event."""
    return _bytes(message) + limits.LOG_EVENT_OVERHEAD_BYTES


def _bytes(message: str) -> int:
    return len(message) if message.isascii() else len(message.encode("utf-8", "replace"))


def pack(events: Sequence[LogEvent]) -> list[NewChunk]:
    """`events` of one stream in chunks, none longer than limits.LOG_CHUNK_SPAN_MS, ordered by timestamp."""
    chunks = []
    timestamps: list[int] = []
    messages: list[str] = []
    size = 0
    for event in sorted(events, key=_timestamp):
        own = size_of(event.message)
        if timestamps and (
            size + own > limits.LOG_CHUNK_BYTES or event.timestamp - timestamps[0] > limits.LOG_CHUNK_SPAN_MS
        ):
            chunks.append(_chunk(timestamps, messages, size))
            timestamps, messages, size = [], [], 0
        timestamps.append(event.timestamp)
        messages.append(event.message)
        size += own
    if timestamps:
        chunks.append(_chunk(timestamps, messages, size))
    return chunks


def _timestamp(event: LogEvent) -> int:
    return event.timestamp


def _chunk(timestamps: list[int], messages: list[str], size: int) -> NewChunk:
    try:
        data = _encode(Events(timestamps, messages))
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair, which is no text: what UTF-8 cannot carry becomes a question mark.
        whole = [message.encode("utf-8", "replace").decode() for message in messages]
        data = _encode(Events(timestamps, whole))
    data = _ZLIB + zlib.compress(data, 1) if len(data) > _SMALL else _PLAIN + data
    return NewChunk(timestamps[0], timestamps[-1], size, data)


def unpack(data: bytes) -> Events:
    """The events in the data of a stored chunk."""
    body = data[1:]
    return _decode(zlib.decompress(body) if data[:1] == _ZLIB else body)


def sweep(chunks: Iterable[Chunk], window: Window, *, backward: bool) -> Iterator[Event]:
    """The events of `window` in order of position, reversed where `backward`.

    `chunks` come ordered by their first event, where `backward` by their last event descending. A chunk is opened when
    its time has come, so a reader who stops early has opened only what it needed.
    """
    opened: list[_Run] = []
    for chunk in chunks:
        # No event of this chunk, nor of one after it, comes before this bound.
        bound = -position(chunk.last_event_ms + 1, 0, 0) if backward else position(chunk.first_event_ms, 0, 0)
        yield from _until(opened, bound)
        run = _Run(chunk, window, backward=backward)
        if run.events:
            heapq.heappush(opened, run)
    yield from _until(opened, None)


class _Run:
    """What is still to come of an opened chunk; runs are ordered by the position of what comes next."""

    __slots__ = ("events", "key", "next", "sign")

    def __init__(self, chunk: Chunk, window: Window, *, backward: bool) -> None:
        columns = unpack(chunk.data)
        stream, ingested_ms = chunk.stream, chunk.ingested_ms
        positions = [position(timestamp, chunk.id, index) for index, timestamp in enumerate(columns.timestamps)]
        wanted = slice(bisect_left(positions, window.low), bisect_right(positions, window.high))
        self.events = [
            Event(place, timestamp, message, stream, ingested_ms)
            for place, timestamp, message in zip(
                positions[wanted], columns.timestamps[wanted], columns.messages[wanted], strict=True
            )
        ]
        self.sign = -1 if backward else 1
        if backward:
            self.events.reverse()
        self.next = 0
        self.key = self.sign * self.events[0].position if self.events else 0

    def __lt__(self, other: _Run) -> bool:
        return self.key < other.key

    def take(self, bound: int | None) -> Iterator[Event]:
        """The events before `bound`, all where None."""
        events, sign = self.events, self.sign
        while self.next < len(events):
            event = events[self.next]
            self.key = sign * event.position
            if bound is not None and self.key >= bound:
                return
            self.next += 1
            yield event


def _until(opened: list[_Run], bound: int | None) -> Iterator[Event]:
    """The events of the opened chunks before `bound`, in order; exhausted chunks leave the heap."""
    while opened and (bound is None or opened[0].key < bound):
        run = heapq.heappop(opened)
        rival = opened[0].key if opened else None
        yield from run.take(rival if bound is None else bound if rival is None else min(rival, bound))
        if run.next < len(run.events):
            heapq.heappush(opened, run)
