"""Chunks of events in the store: written once, read in order of time, cleared away in batches."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from lambent.kernel import limits
from lambent.services.logs.records import Chunk
from lambent.services.logs.rules.names import after_prefix
from lambent.services.logs.rules.positions import timestamp_of
from lambent.services.logs.store import counter, groups, streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambent.services.logs.records import NewChunk, Stream
    from lambent.services.logs.rules.positions import Window
    from lambent.store.api import Transaction

_BATCH_MIN: Final = 4
_BATCH_MAX: Final = 64
# CROSS JOIN keeps the chunks outermost, and the plus signs keep the planner on the index that gives their order.
_FROM: Final = (
    "SELECT c.id, s.name, c.first_event_ms, c.last_event_ms, c.ingested_ms, c.data"
    " FROM logs_chunk c CROSS JOIN logs_stream s WHERE s.id = c.stream_id AND "
)
_UP: Final = (
    " AND (c.first_event_ms, c.id) > (:time, :id) AND c.first_event_ms <= :high AND +c.last_event_ms >= :low"
    " ORDER BY c.first_event_ms, c.id LIMIT :limit"
)
_DOWN: Final = (
    " AND (c.last_event_ms, c.id) < (:time, :id) AND +c.first_event_ms <= :high AND c.last_event_ms >= :low"
    " ORDER BY c.last_event_ms DESC, c.id DESC LIMIT :limit"
)


def add(tx: Transaction, group_id: int, stream_id: int, chunks: Sequence[NewChunk], ingested_ms: int) -> int:
    """Append `chunks` to a stream and return the number of the last."""
    first = counter.take(tx, len(chunks))
    for number, chunk in enumerate(chunks, start=first):
        tx.run(
            "INSERT INTO logs_chunk (id, group_id, stream_id, first_event_ms, last_event_ms, ingested_ms, size, data)"
            " VALUES (:id, :group_id, :stream_id, :first_event_ms, :last_event_ms, :ingested_ms, :size, :data)",
            id=number,
            group_id=group_id,
            stream_id=stream_id,
            first_event_ms=chunk.first_event_ms,
            last_event_ms=chunk.last_event_ms,
            ingested_ms=ingested_ms,
            size=chunk.size,
            data=chunk.data,
        )
    last = first + len(chunks) - 1
    size = sum(chunk.size for chunk in chunks)
    streams.grow(
        tx,
        stream_id,
        first_event_ms=chunks[0].first_event_ms,
        last_event_ms=chunks[-1].last_event_ms,
        ingested_ms=ingested_ms,
        chunk=last,
        size=size,
    )
    groups.grow(tx, group_id, size)
    return last


def of_streams(tx: Transaction, found: Sequence[Stream], window: Window, *, backward: bool) -> Iterator[Chunk]:
    """The chunks of some streams that have events in `window`, in the order that `rules.chunks.sweep` needs."""
    each = [_pages(tx, "c.stream_id = :of", window, backward=backward, of=stream.id) for stream in found]
    if backward:
        return heapq.merge(*each, key=lambda chunk: (chunk.last_event_ms, chunk.id), reverse=True)
    return heapq.merge(*each, key=lambda chunk: (chunk.first_event_ms, chunk.id))


def of_group(tx: Transaction, group_id: int, prefix: str, window: Window, *, backward: bool) -> Iterator[Chunk]:
    """The same for every stream of a group whose name starts with `prefix`."""
    if not prefix:
        return _pages(tx, "c.group_id = :of", window, backward=backward, of=group_id)
    named = "c.group_id = :of AND s.name >= :prefix AND s.name < :bound"
    return _pages(tx, named, window, backward=backward, of=group_id, prefix=prefix, bound=after_prefix(prefix))


def _pages(tx: Transaction, where: str, window: Window, *, backward: bool, **values: int | str) -> Iterator[Chunk]:
    low, high = timestamp_of(window.low), timestamp_of(window.high)
    # A chunk spans at most LOG_CHUNK_SPAN_MS, so none that reaches into the window begins or ends further away.
    time, number = (high + limits.LOG_CHUNK_SPAN_MS + 1, 0) if backward else (low - limits.LOG_CHUNK_SPAN_MS - 1, 0)
    sql = _FROM + where + (_DOWN if backward else _UP)
    limit = _BATCH_MIN
    while True:
        rows = tx.all(sql, time=time, id=number, low=low, high=high, limit=limit, **values)
        for row in rows:
            yield Chunk(*row)
        if len(rows) < limit:
            return
        number, _, first_event_ms, last_event_ms = rows[-1][:4]
        time = last_event_ms if backward else first_event_ms
        limit = min(limit * 2, _BATCH_MAX)


def expire(tx: Transaction, group_id: int, oldest: int) -> bool:
    """Delete a batch of the group's chunks that ended before `oldest`; whether there may be more."""
    rows = tx.all(
        "SELECT id, stream_id, size, last_event_ms FROM logs_chunk"
        " WHERE group_id = :group_id AND last_event_ms < :oldest ORDER BY last_event_ms, id LIMIT :limit",
        group_id=group_id,
        oldest=oldest,
        limit=limits.LOG_SWEEP_CHUNKS,
    )
    if not rows:
        return False
    number, _, _, time = rows[-1]
    tx.run(
        "DELETE FROM logs_chunk WHERE group_id = :group_id AND (last_event_ms, id) <= (:time, :id)",
        group_id=group_id,
        time=time,
        id=number,
    )
    sizes: dict[int, int] = {}
    for _, stream_id, size, _ in rows:
        sizes[stream_id] = sizes.get(stream_id, 0) + size
    for stream_id, size in sizes.items():
        # A deleted stream's bytes left the group's count with it.
        if streams.shrink(tx, stream_id, size):
            groups.grow(tx, group_id, -size)
    return len(rows) == limits.LOG_SWEEP_CHUNKS


def clear(tx: Transaction) -> bool:
    """Clear away a batch of what deleted groups and streams left behind; whether there may be more."""
    row = tx.one("SELECT id, kind FROM logs_deleted ORDER BY id LIMIT 1")
    if row is None:
        return False
    number, kind = row
    tables = (
        (("logs_chunk", "group_id"), ("logs_stream", "group_id")) if kind == "group" else (("logs_chunk", "stream_id"),)
    )
    for table, column in tables:
        gone = tx.run(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} = :id LIMIT :limit)",  # noqa: S608
            id=number,
            limit=limits.LOG_SWEEP_CHUNKS,
        )
        if gone:
            return True
    tx.run("DELETE FROM logs_deleted WHERE id = :id", id=number)
    return True
