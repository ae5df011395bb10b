"""Aliases in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import Alias

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(Alias).decode


def find(tx: Transaction, key: FunctionKey, name: str) -> Alias | None:
    """The alias, or None."""
    row = tx.one(
        "SELECT record FROM lambda_alias"
        " WHERE account = :account AND region = :region AND function = :function AND name = :name",
        **_columns(key),
        name=name,
    )
    return None if row is None else _read(row[0])


def of(tx: Transaction, key: FunctionKey) -> list[Alias]:
    """Every alias of the function, by name."""
    rows = tx.all(
        "SELECT record FROM lambda_alias WHERE account = :account AND region = :region AND function = :function"
        " ORDER BY name",
        **_columns(key),
    )
    return [_read(row[0]) for row in rows]


def count(tx: Transaction, key: FunctionKey) -> int:
    """How many aliases the function has."""
    row = tx.one(
        "SELECT COUNT(*) FROM lambda_alias WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, alias: Alias) -> None:
    """Store a new alias; its name is free."""
    tx.run(
        "INSERT INTO lambda_alias (account, region, function, name, record)"
        " VALUES (:account, :region, :function, :name, :record)",
        **_row(alias),
    )


def update(tx: Transaction, alias: Alias) -> None:
    """Store what an alias that exists has become."""
    tx.run(
        "UPDATE lambda_alias SET record = :record"
        " WHERE account = :account AND region = :region AND function = :function AND name = :name",
        **_row(alias),
    )


def delete(tx: Transaction, key: FunctionKey, name: str) -> None:
    """Remove the alias, if it is there."""
    tx.run(
        "DELETE FROM lambda_alias"
        " WHERE account = :account AND region = :region AND function = :function AND name = :name",
        **_columns(key),
        name=name,
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove every alias of the function."""
    tx.run(
        "DELETE FROM lambda_alias WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}


def _row(alias: Alias) -> dict[str, str]:
    return {**_columns(alias.key), "name": alias.name, "record": msgspec.json.encode(alias).decode()}
