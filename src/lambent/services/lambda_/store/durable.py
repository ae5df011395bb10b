"""Durable executions in the store: each with its operations and its history, and the order in which they are due."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.records.durable import Event, Execution, Operation
from lambent.services.lambda_.rules.durable_drafts import Draft
from lambent.services.lambda_.rules.durable_life import due_ms
from lambent.services.lambda_.rules.durable_updates import covers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.durable import Filter
    from lambent.store.api import Row, Transaction

_execution = msgspec.json.Decoder(Execution).decode
_operation = msgspec.json.Decoder(Operation).decode
_event = msgspec.json.Decoder(Event).decode
_LIVING = "lambda_durable_execution e JOIN lambda_durable_owner o ON o.id = e.owner"
"""Those whose function is there; others are on their way out."""


def find(tx: Transaction, execution_id: str) -> Execution | None:
    """The execution, or None."""
    row = tx.one(f"SELECT e.record FROM {_LIVING} WHERE e.id = :id", id=execution_id)  # noqa: S608 the text is ours
    return None if row is None else _execution(row[0])


def find_name(tx: Transaction, key: FunctionKey, name: str) -> Execution | None:
    """The function's execution of that name, or None."""
    row = tx.one(
        "SELECT record FROM lambda_durable_execution WHERE owner = :owner AND name = :name",
        owner=owner(tx, key),
        name=name,
    )
    return None if row is None else _execution(row[0])


def owner(tx: Transaction, key: FunctionKey) -> str | None:
    """What the executions of the function belong to; None where there has been none since it was created."""
    row = tx.one(
        "SELECT id FROM lambda_durable_owner WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )
    return None if row is None else str(row[0])


def draft(tx: Transaction, execution: Execution, now_ms: int, operation_ids: Iterable[str] = ()) -> Draft:
    """The execution to be changed, with the operations that are named, and those that are due. Its first one, which may
    be large, is read where somebody wants it."""
    return Draft(execution, _named(tx, execution, set(operation_ids), now_ms), now_ms, partial(_root, tx, execution))


def operation(tx: Transaction, execution_id: str, operation_id: str) -> Operation | None:
    """One operation, or None."""
    row = tx.one(
        "SELECT record FROM lambda_durable_operation WHERE execution = :execution AND id = :id",
        execution=execution_id,
        id=operation_id,
    )
    return None if row is None else _operation(row[0])


def operations(
    tx: Transaction, execution_id: str, after: int, count: int, size: int, *, least: int = 0, seen: int | None = None
) -> tuple[list[Operation], bool]:
    """The operations that a replay needs, or with `seen` those that have changed since that change, and that follow the
    ordinal `after`, in order: up to `count` of them and `size` bytes, but at least `least`. Whether there are more."""
    wanted, values = ("hidden = 0", {}) if seen is None else ("change > :seen", {"seen": seen})
    where = f"execution = :execution AND {wanted} AND ordinal > :after"
    rows = tx.all(
        f"SELECT ordinal, size FROM lambda_durable_operation WHERE {where} ORDER BY ordinal LIMIT :count",  # noqa: S608
        execution=execution_id,
        after=after,
        count=count + 1,
        **values,
    )
    fitting = fitting_rows(rows[:count], size, least)
    found = tx.all(
        f"SELECT record FROM lambda_durable_operation WHERE {where} AND ordinal <= :last ORDER BY ordinal",  # noqa: S608
        execution=execution_id,
        after=after,
        last=fitting[-1] if fitting else after,
        **values,
    )
    return [_operation(row[0]) for row in found], len(rows) > len(fitting)


def changed_ids(tx: Transaction, execution_id: str, seen: int) -> list[str]:
    """The ids of the operations that have changed since the change `seen`, in the order of their starts."""
    rows = tx.all(
        "SELECT id FROM lambda_durable_operation WHERE execution = :execution AND change > :seen ORDER BY ordinal",
        execution=execution_id,
        seen=seen,
    )
    return [str(row[0]) for row in rows]


def waits(tx: Transaction, execution_id: str) -> bool:
    """Whether any operation goes on without the function."""
    sql = "SELECT 1 FROM lambda_durable_operation WHERE execution = :execution AND waiting = 1 LIMIT 1"
    return tx.one(sql, execution=execution_id) is not None


def insert(tx: Transaction, draft: Draft) -> None:
    """Store a new execution; its name is free."""
    tx.run(
        "INSERT INTO lambda_durable_execution"
        " (id, owner, version, name, status, started_ms, due_ms, running, record)"
        " VALUES (:id, :owner, :version, :name, :status, :started_ms, 0, 0, '')",
        id=draft.execution.id,
        owner=owner(tx, draft.execution.key) or _begin_owning(tx, draft.execution),
        version=draft.execution.version,
        name=draft.execution.name,
        status=draft.execution.status,
        started_ms=draft.execution.started_ms,
    )
    save(tx, draft)


def save(tx: Transaction, draft: Draft) -> None:
    """Store what has become of an execution that exists."""
    execution = draft.execution
    for held in draft.changed:
        _put(tx, execution.id, held)
    for held in draft.changed:
        if covers(held):
            _hide(tx, execution.id, held.id)
    for event in draft.events:
        _write(tx, execution.id, event)
    tx.run(
        "UPDATE lambda_durable_execution SET status = :status, due_ms = :due_ms, running = :running, record = :record"
        " WHERE id = :id",
        id=execution.id,
        status=execution.status,
        due_ms=due_ms(execution, _timers(tx, execution.id)),
        running=int(execution.invocation is not None),
        record=msgspec.json.encode(execution).decode(),
    )


def due(tx: Transaction, now_ms: int, count: int) -> list[str]:
    """The ids of up to `count` executions that somebody has to look at, the longest due first."""
    rows = tx.all(
        f"SELECT e.id FROM {_LIVING} WHERE e.due_ms <= :now ORDER BY e.due_ms LIMIT :count",  # noqa: S608 as above
        now=now_ms,
        count=count,
    )
    return [str(row[0]) for row in rows]


def next_due(tx: Transaction) -> int | None:
    """When the next execution is due; None where there is none."""
    row = tx.one(f"SELECT e.due_ms FROM {_LIVING} ORDER BY e.due_ms LIMIT 1")  # noqa: S608 as above
    return None if row is None else int(row[0])


def running(tx: Transaction) -> list[Execution]:
    """The executions with an invocation under way."""
    return [_execution(row[0]) for row in tx.all(f"SELECT e.record FROM {_LIVING} WHERE e.running = 1")]  # noqa: S608


def calling(tx: Transaction) -> list[tuple[str, str]]:
    """The execution and the id of every operation whose call is under way."""
    rows = tx.all(
        f"SELECT c.execution, c.id FROM {_LIVING}"  # noqa: S608 as above
        " JOIN lambda_durable_operation c ON c.execution = e.id WHERE c.running = 1"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def page(
    tx: Transaction, key: FunctionKey, wanted: Filter, after: tuple[int, str] | None, count: int
) -> list[Execution]:
    """Up to `count` executions of the function by their starts; they follow the one with the start and the id
    `after`. Those of each status are in order by themselves."""
    place = owner(tx, key)
    if place is None:
        return []
    statuses = [None] if wanted.statuses is None else sorted(set(wanted.statuses))
    rows = [row for status in statuses for row in _page(tx, place, wanted, status, after, count)]
    rows.sort(key=lambda row: (row[0], row[1]), reverse=not wanted.oldest_first)
    return [_execution(row[2]) for row in rows[:count]]


def history(
    tx: Transaction, execution: Execution, after: int | None, count: int, *, newest_first: bool
) -> tuple[list[Event], bool]:
    """Up to `count` events that follow the one with the id `after`, in the order asked for, and no more bytes than a
    page has, but at least one. Whether there are more."""
    step, order, start = ("<", "DESC", execution.events + 1) if newest_first else (">", "ASC", 0)
    rows = tx.all(
        "SELECT id, size FROM lambda_durable_event"  # noqa: S608 the parts are ours
        f" WHERE execution = :execution AND id {step} :start ORDER BY id {order} LIMIT :count",
        execution=execution.id,
        start=start if after is None else after,
        count=count + 1,
    )
    fitting = fitting_rows(rows[:count], limits.DURABLE_PAGE_BYTES, 1)
    found = tx.all(
        "SELECT record FROM lambda_durable_event WHERE execution = :execution"  # noqa: S608 as above
        f" AND id BETWEEN :first AND :last ORDER BY id {order}",
        execution=execution.id,
        first=min(fitting, default=0),
        last=max(fitting, default=0),
    )
    return [_event(row[0]) for row in found], len(rows) > len(fitting)


def fitting_rows(rows: list[Row], size: int, least: int) -> list[Any]:
    """The keys of the first `rows`, each with its bytes, that `size` bytes have room for; at least `least`."""
    fitting: list[Any] = []
    for key, taken in rows:
        size -= taken
        if size < 0 and len(fitting) >= least:
            break
        fitting.append(key)
    return fitting


def _root(tx: Transaction, execution: Execution) -> Operation:
    root = operation(tx, execution.id, execution.id)
    assert root is not None, "it goes with its execution"
    return root


def _named(tx: Transaction, execution: Execution, ids: set[str], now_ms: int) -> list[Operation]:
    found = [operation(tx, execution.id, name) for name in sorted(ids)]
    rows = tx.all(
        "SELECT record FROM lambda_durable_operation WHERE execution = :execution AND waiting = 1 AND due_ms <= :now",
        execution=execution.id,
        now=now_ms,
    )
    return [*(held for held in found if held is not None), *(_operation(row[0]) for row in rows)]


def _put(tx: Transaction, execution_id: str, held: Operation) -> None:
    record = msgspec.json.encode(held).decode()
    tx.run(
        "INSERT INTO lambda_durable_operation"
        " (execution, id, parent, ordinal, change, hidden, waiting, running, due_ms, size, record)"
        " VALUES (:execution, :id, :parent, :ordinal, :change, MAX(:hidden, EXISTS (SELECT 1"
        " FROM lambda_durable_operation WHERE execution = :execution AND id = :parent AND hidden = 1)),"
        " :waiting, :running, :due_ms, :size, :record)"
        " ON CONFLICT (execution, id) DO UPDATE SET change = excluded.change, waiting = excluded.waiting,"
        " running = excluded.running, due_ms = excluded.due_ms, size = excluded.size, record = excluded.record",
        execution=execution_id,
        id=held.id,
        parent=held.parent_id,
        ordinal=held.ordinal,
        change=held.change,
        hidden=int(held.hidden),
        waiting=int(held.waiting),
        running=int(held.calling),
        due_ms=held.due_ms,
        size=len(record),
        record=record,
    )


def _hide(tx: Transaction, execution_id: str, context_id: str) -> None:
    """No replay needs what lies in a context that is complete. What is hidden hides what lies in it already."""
    tx.run(
        "WITH RECURSIVE inner_operation (id) AS ("
        " SELECT id FROM lambda_durable_operation"
        " WHERE execution = :execution AND parent = :context AND hidden = 0"
        " UNION SELECT o.id FROM lambda_durable_operation o"
        " JOIN inner_operation i ON o.execution = :execution AND o.parent = i.id AND o.hidden = 0)"
        " UPDATE lambda_durable_operation SET hidden = 1"
        " WHERE execution = :execution AND id IN (SELECT id FROM inner_operation)",
        execution=execution_id,
        context=context_id,
    )


def _write(tx: Transaction, execution_id: str, event: Event) -> None:
    record = msgspec.json.encode(event)
    tx.run(
        "INSERT INTO lambda_durable_event (execution, id, size, record) VALUES (:execution, :id, :size, :record)",
        execution=execution_id,
        id=event.id,
        size=len(record),
        record=record.decode(),
    )


def _timers(tx: Transaction, execution_id: str) -> int | None:
    row = tx.one(
        "SELECT MIN(due_ms) FROM lambda_durable_operation WHERE execution = :execution AND waiting = 1",
        execution=execution_id,
    )
    return None if row is None or row[0] is None else int(row[0])


def _page(
    tx: Transaction, place: str, wanted: Filter, status: str | None, after: tuple[int, str] | None, count: int
) -> list[Row]:
    """The start, the id and the record of up to `count` executions of an owner, with that status or with any."""
    step, order = (">", "ASC") if wanted.oldest_first else ("<", "DESC")
    where, values = _conditions(wanted, status)
    if after is not None:
        where += f" AND (started_ms, id) {step} (:at, :after)"
        values |= {"at": after[0], "after": after[1]}
    return tx.all(
        "SELECT started_ms, id, record FROM lambda_durable_execution"  # noqa: S608 the parts are ours, values are not
        f" WHERE owner = :owner{where} ORDER BY started_ms {order}, id {order} LIMIT :count",
        owner=place,
        count=count,
        **values,
    )


def _conditions(wanted: Filter, status: str | None) -> tuple[str, dict[str, Any]]:
    conditions = {
        "version": ("version = :version", wanted.version),
        "name": ("name = :name", wanted.name),
        "after_ms": ("started_ms > :after_ms", wanted.after_ms),
        "before_ms": ("started_ms < :before_ms", wanted.before_ms),
        "status": ("status = :status", status),
    }
    values: dict[str, Any] = {name: value for name, (_, value) in conditions.items() if value is not None}
    return "".join(f" AND {conditions[name][0]}" for name in values), values


def _begin_owning(tx: Transaction, execution: Execution) -> str:
    """The function's first execution names the owner of this and of all that follow."""
    tx.run(
        "INSERT INTO lambda_durable_owner (id, account, region, function) VALUES (:id, :account, :region, :function)",
        id=execution.id,
        **_columns(execution.key),
    )
    return execution.id


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
