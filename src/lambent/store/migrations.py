"""Migrations: each service's numbered SQL files, applied in order, once, and never altered afterwards."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from lambent.store.errors import SchemaAltered, SchemaTooNew

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from lambent.store.api import Transaction

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations (
        service TEXT NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (service, number)
    )
"""


class Migration(msgspec.Struct, frozen=True):
    """One step of a service's schema."""

    service: str
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """What tells an altered migration from the one that was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.service}/{self.number:04}_{self.name}"


def load(service: str, folder: Traversable) -> list[Migration]:
    """The migrations of `service` in order. Raises SchemaAltered where a number is missing or used twice."""
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    found = []
    for position, entry in enumerate(files, start=1):
        parts = _NAME.fullmatch(entry.name)
        if parts is None or int(parts[1]) != position:
            raise SchemaAltered(f"migration {service}/{entry.name} is not {position:04}_what.sql, the next in order")
        found.append(Migration(service, position, parts[2], entry.read_text(encoding="utf-8")))
    return found


def migrate(tx: Transaction, schemas: Mapping[str, Traversable]) -> list[Migration]:
    """Apply what `tx`'s database does not have yet and return it; nothing is written where nothing is new.

    Raises SchemaTooNew where the database has what this program does not know, SchemaAltered where an applied
    migration reads differently now.
    """
    known = {(step.service, step.number): step for name, folder in schemas.items() for step in load(name, folder)}
    tx.run(_TABLE)
    applied = set()
    for service, number, name, sha256 in tx.all("SELECT service, number, name, sha256 FROM migrations"):
        _check(known.get((service, number)), f"{service}/{number:04}_{name}", sha256)
        applied.add((service, number))
    new = [step for key, step in known.items() if key not in applied]
    for step in new:
        _apply(tx, step)
    return new


def _check(step: Migration | None, name: str, sha256: str) -> None:
    if step is None:
        raise SchemaTooNew(f"the database has migration {name}, which this version of Lambent does not know; upgrade")
    if str(step) != name or step.sha256 != sha256:
        raise SchemaAltered(f"migration {name} was altered after it had been applied to this database")


def _apply(tx: Transaction, step: Migration) -> None:
    for statement in statements(step.sql):
        tx.run(statement)
    tx.run(
        "INSERT INTO migrations (service, number, name, sha256) VALUES (:service, :number, :name, :sha256)",
        service=step.service,
        number=step.number,
        name=step.name,
        sha256=step.sha256,
    )


def statements(script: str) -> Iterator[str]:
    """The statements of `script` one by one; a semicolon in a string, comment or trigger does not end one."""
    statement = ""
    for piece in script.strip().split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    rest = statement + script.strip().rpartition(";")[2]
    if rest.strip():
        yield rest.strip()
