"""What the database in a data folder has, read beside the server that owns it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 60
PACKAGED = ("lambda_function", "lambda_version", "lambda_layer_version")
"""The tables whose records name packages."""
KEPT_FOR_EVER = {"lambda_layer"}
"""Numbers that are never given twice."""
OWNED = {
    "lambda_durable_execution": "owner NOT IN (SELECT id FROM lambda_durable_owner)",
    "lambda_durable_remains": "TRUE",
    "lambda_durable_operation": "execution NOT IN (SELECT id FROM lambda_durable_execution)",
    "lambda_durable_event": "execution NOT IN (SELECT id FROM lambda_durable_execution)",
    "lambda_event": "line NOT IN (SELECT id FROM lambda_event_line)",
}
"""The tables that name no account, and what their rows must not be."""


def until(folder: Path, left: Callable[[sqlite3.Connection], Any]) -> None:
    """Return once nothing is left."""
    end = time.monotonic() + PATIENCE_S
    with closing(sqlite3.connect(folder / "lambent.db")) as database:
        while found := left(database):
            assert time.monotonic() < end, found
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def queued(database: sqlite3.Connection) -> list[Any]:
    """The events that wait for a function, or for somebody who is to hear what has come of one."""
    return database.execute("SELECT id FROM lambda_event UNION ALL SELECT id FROM outbox").fetchall()


def left_of(accounts: set[str]) -> Callable[[sqlite3.Connection], dict[str, Any]]:
    """What there is of these accounts, and what nobody can find any more, by table."""

    def left(database: sqlite3.Connection) -> dict[str, Any]:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: _of(database, name, accounts) for name in names if name.startswith("lambda_")}
        found["dead_events"] = database.execute("SELECT * FROM dead_events").fetchall()
        return {name: rows for name, rows in found.items() if rows and name not in KEPT_FOR_EVER}

    return left


def packages(folder: Path) -> str:
    """The records that name packages."""
    with closing(sqlite3.connect(folder / "lambent.db")) as database:
        return "".join(row[0] for table in PACKAGED for row in database.execute(f"SELECT record FROM {table}"))


def _of(database: sqlite3.Connection, table: str, accounts: set[str]) -> Any:
    if table in OWNED:
        return database.execute(f"SELECT * FROM {table} WHERE {OWNED[table]}").fetchall()
    return accounts & {account for (account,) in database.execute(f"SELECT account FROM {table}")}
