"""Published versions in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import LATEST_PUBLISHED_NUMBER, Function, Version

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

FIRST = LATEST_PUBLISHED_NUMBER - 1
"""The number that `$LATEST` has in lists: it stands before all that is published."""

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
    """Up to `count` functions and versions that follow the name and number `after`; a function itself has the number
    FIRST."""
    rows = tx.all(
        "SELECT name, :first AS number, record FROM lambda_function"
        " WHERE account = :account AND region = :region AND name > :name"
        " UNION ALL SELECT name, number, record FROM lambda_version"
        " WHERE account = :account AND region = :region AND (name > :name OR (name = :name AND number > :number))"
        " ORDER BY name, number LIMIT :count",
        account=account,
        region=region,
        name=after[0],
        number=after[1],
        first=FIRST,
        count=count,
    )
    return [_read_function(row[2]) if row[1] == FIRST else _read(row[2]) for row in rows]


def number(one: Function | Version) -> int:
    """Where `one` stands among the versions of its function."""
    return one.number if isinstance(one, Version) else FIRST


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


def unsummed(tx: Transaction, account: str, region: str) -> int:
    """The bytes of each version's zip whose row does not tell them."""
    rows = tx.all(
        "SELECT record FROM lambda_version WHERE account = :account AND region = :region AND code_size IS NULL",
        account=account,
        region=region,
    )
    return sum(_read(row[0]).configuration.code_size for row in rows)


def put(tx: Transaction, version: Version) -> None:
    """Store a new version, in place of the one that may have had its number."""
    tx.run(
        "INSERT INTO lambda_version (account, region, name, number, pending, code_size, provider, record)"
        " VALUES (:account, :region, :name, :number, :pending, :code_size, :provider, :record)"
        " ON CONFLICT (account, region, name, number)"
        " DO UPDATE SET pending = excluded.pending, code_size = excluded.code_size,"
        " provider = excluded.provider, record = excluded.record",
        **_row(version),
    )


def update(tx: Transaction, version: Version) -> None:
    """Store the next state of a version that exists."""
    tx.run(
        "UPDATE lambda_version SET pending = :pending, code_size = :code_size, record = :record"
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
        "code_size": version.configuration.code_size,
        "provider": version.configuration.provider_arn,
        "record": msgspec.json.encode(version).decode(),
    }
