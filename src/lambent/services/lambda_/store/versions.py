"""Published versions in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import Function, Version

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(Version).decode
_read_function = msgspec.json.Decoder(Function).decode


def find(tx: Transaction, key: FunctionKey, number: int) -> Version | None:
    """The version, or None."""
    row = tx.one(
        "SELECT record FROM lambda_version"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )
    return None if row is None else _read(row[0])


def page(tx: Transaction, key: FunctionKey, after: int, count: int) -> list[Version]:
    """Up to `count` versions whose numbers follow `after`, in order."""
    rows = tx.all(
        "SELECT record FROM lambda_version WHERE account = :account AND region = :region AND name = :name"
        " AND number > :after ORDER BY number LIMIT :count",
        **_columns(key),
        after=after,
        count=count,
    )
    return [_read(row[0]) for row in rows]


def page_of_all(
    tx: Transaction, account: str, region: str, after: tuple[str, int], count: int
) -> list[Function | Version]:
    """Up to `count` functions and versions that follow the name and number `after`; a function itself is number 0."""
    rows = tx.all(
        "SELECT name, 0 AS number, record FROM lambda_function"
        " WHERE account = :account AND region = :region AND name > :name"
        " UNION ALL SELECT name, number, record FROM lambda_version"
        " WHERE account = :account AND region = :region AND (name > :name OR (name = :name AND number > :number))"
        " ORDER BY name, number LIMIT :count",
        account=account,
        region=region,
        name=after[0],
        number=after[1],
        count=count,
    )
    return [_read(row[2]) if row[1] else _read_function(row[2]) for row in rows]


def of(tx: Transaction, key: FunctionKey) -> list[Version]:
    """Every version of the function."""
    rows = tx.all(
        "SELECT record FROM lambda_version WHERE account = :account AND region = :region AND name = :name",
        **_columns(key),
    )
    return [_read(row[0]) for row in rows]


def pending(tx: Transaction, key: FunctionKey) -> list[Version]:
    """The versions of the function that cannot be invoked yet."""
    rows = tx.all(
        "SELECT record FROM lambda_version"
        " WHERE pending = 1 AND account = :account AND region = :region AND name = :name",
        **_columns(key),
    )
    return [_read(row[0]) for row in rows]


def every_pending(tx: Transaction) -> list[Version]:
    """The versions of all accounts and regions that cannot be invoked yet."""
    return [_read(row[0]) for row in tx.all("SELECT record FROM lambda_version WHERE pending = 1")]


def packages(tx: Transaction) -> set[str]:
    """The digests of the zips that all versions need."""
    return {digest for row in tx.all("SELECT record FROM lambda_version") for digest in _read(row[0]).packages}


def sizes(tx: Transaction, account: str, region: str) -> list[int]:
    """The bytes of each version's zip."""
    rows = tx.all(
        "SELECT record FROM lambda_version WHERE account = :account AND region = :region",
        account=account,
        region=region,
    )
    return [_read(row[0]).configuration.code_size for row in rows]


def insert(tx: Transaction, version: Version) -> None:
    """Store a new version; its number is free."""
    tx.run(
        "INSERT INTO lambda_version (account, region, name, number, pending, record)"
        " VALUES (:account, :region, :name, :number, :pending, :record)",
        **_row(version),
    )


def update(tx: Transaction, version: Version) -> None:
    """Store the next state of a version that exists."""
    tx.run(
        "UPDATE lambda_version SET pending = :pending, record = :record"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_row(version),
    )


def delete(tx: Transaction, key: FunctionKey, number: int) -> None:
    """Remove the version, if it is there."""
    tx.run(
        "DELETE FROM lambda_version"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove every version of the function."""
    tx.run(
        "DELETE FROM lambda_version WHERE account = :account AND region = :region AND name = :name",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _row(version: Version) -> dict[str, str | int]:
    return {
        **_columns(version.key),
        "number": version.number,
        "pending": int(version.state == "Pending"),
        "record": msgspec.json.encode(version).decode(),
    }
