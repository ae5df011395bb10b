"""What is left of durable executions that nobody sees any more: they are removed a few rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.records.durable import Execution
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_NOBODY = ""
"""The owner of executions that have been kept for long enough."""
_NEVER_MS = 2**62
_execution = msgspec.json.Decoder(Execution).decode


def abandon(tx: Transaction, key: FunctionKey) -> None:
    """The function is deleted: its executions are to go, however many they are."""
    owner = durable.owner(tx, key)
    if owner is not None:
        tx.run("DELETE FROM lambda_durable_owner WHERE id = :id", id=owner)
        _leave(tx, owner)


def discard(tx: Transaction, execution: Execution) -> None:
    """The execution is to go, and its name is free."""
    tx.run(
        "UPDATE lambda_durable_execution SET owner = :nobody, name = id, due_ms = :never WHERE id = :id",
        nobody=_NOBODY,
        never=_NEVER_MS,
        id=execution.id,
    )
    _leave(tx, _NOBODY)


def any_left(tx: Transaction) -> bool:
    """Whether there is anything to remove."""
    return _next(tx) is not None


def touched(tx: Transaction) -> list[Execution]:
    """The next executions to remove, as many as one transaction has room for."""
    rows = tx.all(
        "SELECT record FROM lambda_durable_execution WHERE owner = :owner LIMIT :count",
        owner=_next(tx),
        count=limits.DURABLE_DUE,
    )
    return [_execution(row[0]) for row in rows]


def remove(tx: Transaction, executions: list[Execution]) -> None:
    """Remove rows of these, in their order, until there are none or one transaction has removed enough; an execution
    goes last of what it has. An owner without executions goes, too."""
    if not executions:
        tx.run("DELETE FROM lambda_durable_remains WHERE owner = :owner", owner=_next(tx))
    rows, size = limits.DURABLE_REMOVED, limits.DURABLE_REMOVED_BYTES
    for execution in executions:
        for table in ("lambda_durable_event", "lambda_durable_operation"):
            gone, freed, more = _remove(tx, table, execution.id, rows, size)
            rows, size = rows - gone, size - freed
            if more:
                return
        tx.run("DELETE FROM lambda_durable_execution WHERE id = :id", id=execution.id)


def _leave(tx: Transaction, owner: str) -> None:
    tx.run("INSERT INTO lambda_durable_remains (owner) VALUES (:owner) ON CONFLICT DO NOTHING", owner=owner)


def _next(tx: Transaction) -> str | None:
    row = tx.one("SELECT owner FROM lambda_durable_remains ORDER BY owner LIMIT 1")
    return None if row is None else str(row[0])


def _remove(tx: Transaction, table: str, execution_id: str, rows: int, size: int) -> tuple[int, int, bool]:
    """Remove up to `rows` rows of `size` bytes in all, but one at least. How many were removed, their bytes, and
    whether there are more."""
    found = tx.all(
        f"SELECT id, size FROM {table} WHERE execution = :id ORDER BY id LIMIT :count",  # noqa: S608 the name is ours
        id=execution_id,
        count=max(rows, 1) + 1,
    )
    fitting = durable.fitting_rows(found[: max(rows, 1)], size, 1)
    if fitting:
        last = fitting[-1]
        tx.run(f"DELETE FROM {table} WHERE execution = :id AND id <= :last", id=execution_id, last=last)  # noqa: S608
    return len(fitting), sum(taken for _, taken in found[: len(fitting)]), len(found) > len(fitting)
