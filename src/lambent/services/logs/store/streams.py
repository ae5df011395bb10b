"""Log streams in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.logs import errors
from lambent.services.logs.records import Stream
from lambent.services.logs.rules.names import after_prefix
from lambent.services.logs.store import counter, groups

if TYPE_CHECKING:
    from lambent.store.api import Transaction

_COLUMNS = "id, group_id, name, created_ms, size, last_event_ms, first_event_ms, last_ingestion_ms, last_chunk"


def find(tx: Transaction, group_id: int, name: str) -> Stream | None:
    """The stream by its name, or None."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM logs_stream WHERE group_id = :group_id AND name = :name",  # noqa: S608
        group_id=group_id,
        name=name,
    )
    return None if row is None else Stream(*row)


def need(tx: Transaction, group_id: int, name: str) -> Stream:
    """The stream by its name. Raises ResourceNotFoundException."""
    stream = find(tx, group_id, name)
    if stream is None:
        raise errors.no_stream()
    return stream


def add(tx: Transaction, group_id: int, name: str, created_ms: int) -> int:
    """Add a stream and return its number. Raises ResourceAlreadyExistsException."""
    if find(tx, group_id, name) is not None:
        raise errors.stream_exists()
    number = counter.take(tx)
    tx.run(
        "INSERT INTO logs_stream (id, group_id, name, created_ms, size, last_event_ms)"
        " VALUES (:id, :group_id, :name, :created_ms, 0, 0)",
        id=number,
        group_id=group_id,
        name=name,
        created_ms=created_ms,
    )
    return number


def delete(tx: Transaction, stream: Stream) -> None:
    """Delete the stream at once; a worker clears its chunks away."""
    tx.run("DELETE FROM logs_stream WHERE id = :id", id=stream.id)
    tx.run("INSERT INTO logs_deleted (id, kind) VALUES (:id, 'stream')", id=stream.id)
    groups.grow(tx, stream.group_id, -stream.size)


def page_by_name(
    tx: Transaction, group_id: int, *, prefix: str, after: str | None, descending: bool, limit: int
) -> list[Stream]:
    """The streams whose names start with `prefix`, in order of name, beyond the name `after`."""
    way, beyond = ("DESC", "name < :after") if descending else ("ASC", "name > :after")
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM logs_stream"  # noqa: S608
        " WHERE group_id = :group_id AND name >= :prefix AND name < :bound"
        f"{'' if after is None else ' AND ' + beyond} ORDER BY name {way} LIMIT :limit",
        group_id=group_id,
        prefix=prefix,
        bound=after_prefix(prefix),
        after=after,
        limit=limit,
    )
    return [Stream(*row) for row in rows]


def page_by_time(
    tx: Transaction, group_id: int, *, after: tuple[int, str] | None, descending: bool, limit: int
) -> list[Stream]:
    """The streams in order of their last event, then name, beyond `after`; those without events are the oldest."""
    way, beyond = ("DESC", "<") if descending else ("ASC", ">")
    place = f" AND (last_event_ms, name) {beyond} (:time, :name)"
    time, name = (0, "") if after is None else after
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM logs_stream WHERE group_id = :group_id{'' if after is None else place}"  # noqa: S608
        f" ORDER BY last_event_ms {way}, name {way} LIMIT :limit",
        group_id=group_id,
        time=time,
        name=name,
        limit=limit,
    )
    return [Stream(*row) for row in rows]


def grow(
    tx: Transaction, stream_id: int, *, first_event_ms: int, last_event_ms: int, ingested_ms: int, chunk: int, size: int
) -> None:
    """Count events that were added to the stream."""
    tx.run(
        "UPDATE logs_stream SET size = size + :size, last_ingestion_ms = :ingested_ms, last_chunk = :chunk,"
        " first_event_ms = CASE WHEN first_event_ms <= :first_event_ms THEN first_event_ms ELSE :first_event_ms END,"
        " last_event_ms = CASE WHEN last_event_ms >= :last_event_ms THEN last_event_ms ELSE :last_event_ms END"
        " WHERE id = :id",
        size=size,
        ingested_ms=ingested_ms,
        chunk=chunk,
        first_event_ms=first_event_ms,
        last_event_ms=last_event_ms,
        id=stream_id,
    )


def shrink(tx: Transaction, stream_id: int, size: int) -> bool:
    """Count `size` fewer bytes; whether the stream is still there."""
    changed = tx.run("UPDATE logs_stream SET size = size - :size WHERE id = :id", size=size, id=stream_id)
    return changed == 1
