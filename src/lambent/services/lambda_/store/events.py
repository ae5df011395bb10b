"""Events of asynchronous invocations in the store, in their lines, and what is configured for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.records.events import Envelope, Event, Line, Settings
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import aliases, concurrency, event_invoke, functions, versions

if TYPE_CHECKING:
    from collections.abc import Container

    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Row, Transaction

_envelope = msgspec.json.Decoder(Envelope).decode
_DUE = "line = :line AND due_ms <= :now"


class Page(msgspec.Struct, frozen=True):
    """A part of what is due in a line."""

    events: list[Event]
    more: bool
    """Whether there is more that is due."""
    next_ms: int | None
    """When the next event is due that is not due yet."""


def open_line(tx: Transaction, key: FunctionKey, qualifier: str | None) -> Line | None:
    """The line for the function and the qualifier, which is made where there is none; None where the function is
    gone."""
    found = _line(tx, key, qualifier)
    if found is not None or functions.find(tx, key) is None:
        return found
    tx.run(
        "INSERT INTO lambda_event_line (account, region, function, qualifier)"
        " VALUES (:account, :region, :function, :qualifier)",
        **_columns(key),
        qualifier=qualifier or "",
    )
    return _line(tx, key, qualifier)


def lines(tx: Transaction) -> list[Line]:
    """The lines in which events wait, one for each function and qualifier at most."""
    rows = tx.all(
        "SELECT id, account, region, function, qualifier FROM lambda_event_line AS line"
        " WHERE gone = 0 AND EXISTS (SELECT 1 FROM lambda_event WHERE lambda_event.line = line.id)"
    )
    return [_read_line(row) for row in rows]


def append(tx: Transaction, line: Line, envelope: Envelope, payload: bytes) -> Event:
    """Store a new event, which is due at once."""
    row = tx.one(
        "INSERT INTO lambda_event (line, due_ms, size, record, payload)"
        " VALUES (:line, :due_ms, :size, :record, :payload) RETURNING id",
        line=line.id,
        due_ms=envelope.accepted_ms,
        size=len(payload),
        record=msgspec.json.encode(envelope).decode(),
        payload=payload,
    )
    assert row is not None, "what is inserted is returned"
    return Event(int(row[0]), line, envelope, payload)


def page(tx: Transaction, line: Line, now_ms: int, held: Container[int], known: int) -> Page:
    """What is due in `line`, the longest due first, without the events whose ids are `held`, of which there are
    `known`: as many as make a page, and as its bytes allow, but at least one."""
    if not _alive(tx, line):
        return Page(events=[], more=False, next_ms=None)
    rows = tx.all(
        f"SELECT id, size FROM lambda_event WHERE {_DUE} ORDER BY due_ms, id LIMIT :count",  # noqa: S608
        line=line.id,
        now=now_ms,
        count=known + limits.ASYNC_PAGE + 1,
    )
    wanted = [row for row in rows if row[0] not in held]
    fitting = _fitting(wanted[: limits.ASYNC_PAGE])
    later = tx.one(
        "SELECT MIN(due_ms) FROM lambda_event WHERE line = :line AND due_ms > :now", line=line.id, now=now_ms
    )
    return Page(
        events=[_event(tx, line, number) for number in fitting],
        more=len(wanted) > len(fitting),
        next_ms=None if later is None or later[0] is None else int(later[0]),
    )


def waits(tx: Transaction, event: Event) -> bool:
    """Whether the event has not left the queue, by itself or with its function."""
    row = tx.one(
        "SELECT 1 FROM lambda_event JOIN lambda_event_line ON lambda_event_line.id = lambda_event.line"
        " WHERE lambda_event.id = :id AND gone = 0",
        id=event.id,
    )
    return row is not None


def _alive(tx: Transaction, line: Line) -> bool:
    """Whether the function of the line has not been deleted."""
    return tx.one("SELECT 1 FROM lambda_event_line WHERE id = :id AND gone = 0", id=line.id) is not None


def _named(tx: Transaction, line: Line) -> bool:
    """Whether the function of the line has what the qualifier names."""
    if names.is_version(line.label):
        return versions.find(tx, line.key, names.number(line.label)) is not None
    return not names.is_alias(line.label) or aliases.find(tx, line.key, line.label) is not None


def postpone(tx: Transaction, event: Event, envelope: Envelope, due_ms: int) -> None:
    """Let the event wait, with what has changed on its envelope."""
    tx.run(
        "UPDATE lambda_event SET due_ms = :due_ms, record = :record WHERE id = :id",
        due_ms=due_ms,
        record=msgspec.json.encode(envelope).decode(),
        id=event.id,
    )


def delete(tx: Transaction, event: Event) -> None:
    """Let the event leave the queue. The last one of a version or an alias that was deleted takes its line along."""
    tx.run("DELETE FROM lambda_event WHERE id = :id", id=event.id)
    if not _named(tx, event.line):
        close_line(tx, event.line.key, event.line.label)


def settings(tx: Transaction, line: Line, *, failing: bool) -> Settings:
    """What counts for the events of the line now. What counts for those only that fail is left out for the others."""
    config = event_invoke.find(tx, line.key, line.label)
    configuration = _configuration(tx, line) if failing else None
    retries, age_s = (None, None) if config is None else (config.retries, config.age_s)
    return Settings(
        retries=limits.ASYNC_RETRIES if retries is None else retries,
        age_s=limits.ASYNC_AGE_S if age_s is None else age_s,
        reserved=concurrency.reserved(tx, line.key) if failing else None,
        on_success=None if config is None else config.on_success,
        on_failure=None if config is None else config.on_failure,
        dead_letter=None if configuration is None else configuration.dead_letter_arn,
    )


def _configuration(tx: Transaction, line: Line) -> Configuration | None:
    """What the line's qualifier stands for is configured so: a version keeps what it was published with. Where that is
    gone the function itself counts; None where it is gone as well."""
    alias = aliases.find(tx, line.key, line.label) if names.is_alias(line.label) else None
    label = line.label if alias is None else alias.version
    version = versions.find(tx, line.key, names.number(label)) if names.is_version(label) else None
    held = version or functions.find(tx, line.key)
    return None if held is None else held.configuration


def forget(tx: Transaction, key: FunctionKey) -> None:
    """Let no event of a function run any more that is deleted, and remove the first of them."""
    tx.run(
        "UPDATE lambda_event_line SET gone = 1"
        " WHERE account = :account AND region = :region AND function = :function AND gone = 0",
        **_columns(key),
    )
    sweep(tx)


def close_line(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """Remove the line of a version or an alias that is deleted, unless events wait in it."""
    line = _line(tx, key, qualifier)
    if line is not None and tx.one("SELECT 1 FROM lambda_event WHERE line = :line LIMIT 1", line=line.id) is None:
        tx.run("DELETE FROM lambda_event_line WHERE id = :id", id=line.id)


def deserted(tx: Transaction) -> bool:
    """Whether there is a line whose function was deleted."""
    return tx.one("SELECT 1 FROM lambda_event_line WHERE gone = 1 LIMIT 1") is not None


def sweep(tx: Transaction) -> bool:
    """Remove some of the events whose functions were deleted; whether there are more."""
    left = limits.ASYNC_REMOVED
    while left > 0:
        row = tx.one("SELECT id FROM lambda_event_line WHERE gone = 1 LIMIT 1")
        if row is None:
            return False
        removed = tx.run(
            "DELETE FROM lambda_event WHERE id IN"
            " (SELECT id FROM lambda_event WHERE line = :line ORDER BY due_ms, id LIMIT :left)",
            line=row[0],
            left=left,
        )
        if removed < left:
            tx.run("DELETE FROM lambda_event_line WHERE id = :id", id=row[0])
        left -= removed + 1
    return True


def _line(tx: Transaction, key: FunctionKey, qualifier: str | None) -> Line | None:
    row = tx.one(
        "SELECT id, account, region, function, qualifier FROM lambda_event_line"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier"
        " AND gone = 0",
        **_columns(key),
        qualifier=qualifier or "",
    )
    return None if row is None else _read_line(row)


def _read_line(row: Row) -> Line:
    return Line(id=row[0], account=row[1], region=row[2], function=row[3], qualifier=row[4] or None)


def _event(tx: Transaction, line: Line, number: int) -> Event:
    row = tx.one("SELECT record, payload FROM lambda_event WHERE id = :id", id=number)
    assert row is not None, "it was found a moment ago"
    return Event(number, line, _envelope(row[0]), row[1])


def _fitting(rows: list[Row]) -> list[int]:
    """The ids of the first rows, as far as their sizes allow."""
    fitting: list[int] = []
    left = limits.ASYNC_LINE_BYTES
    for number, size in rows:
        if fitting and size > left:
            break
        left -= size
        fitting.append(number)
    return fitting


def _columns(key: FunctionKey) -> dict[str, Any]:
    return {"account": key.account, "region": key.region, "function": key.name}
