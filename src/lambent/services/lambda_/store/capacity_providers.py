"""Capacity providers in the store, and the functions and versions that are on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import Function, FunctionKey, Version
from lambent.services.lambda_.records.capacity_providers import CapacityProvider
from lambent.services.lambda_.store import versions

if TYPE_CHECKING:
    from lambent.services.lambda_.records.capacity_providers import ProviderKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(CapacityProvider).decode
_read_function = msgspec.json.Decoder(Function).decode
_read_version = msgspec.json.Decoder(Version).decode


def find(tx: Transaction, key: ProviderKey) -> CapacityProvider | None:
    """The capacity provider, or None."""
    row = tx.one(
        "SELECT record FROM lambda_capacity_provider WHERE account = :account AND region = :region AND name = :name",
        **_columns(key),
    )
    return None if row is None else _read(row[0])


def page(
    tx: Transaction, account: str, region: str, state: str | None, after: str, count: int
) -> list[CapacityProvider]:
    """Up to `count` capacity providers in that state, or any, whose names follow `after`, by name."""
    rows = tx.all(
        "SELECT record FROM lambda_capacity_provider WHERE account = :account AND region = :region AND name > :after"
        " AND (:state = '' OR state = :state) ORDER BY name LIMIT :count",
        account=account,
        region=region,
        state=state or "",
        after=after,
        count=count,
    )
    return [_read(row[0]) for row in rows]


def count(tx: Transaction, account: str, region: str) -> int:
    """How many the account has."""
    row = tx.one(
        "SELECT COUNT(*) FROM lambda_capacity_provider WHERE account = :account AND region = :region",
        account=account,
        region=region,
    )
    assert row is not None
    return int(row[0])


def unsettled(tx: Transaction, count: int) -> list[CapacityProvider]:
    """Up to `count` whose creation or deletion is not complete."""
    rows = tx.all(
        "SELECT record FROM lambda_capacity_provider WHERE state IN ('Pending', 'Deleting') LIMIT :count", count=count
    )
    return [_read(row[0]) for row in rows]


def insert(tx: Transaction, provider: CapacityProvider) -> None:
    """Store a new one; its name is free."""
    tx.run(
        "INSERT INTO lambda_capacity_provider (account, region, name, state, record)"
        " VALUES (:account, :region, :name, :state, :record)",
        **_row(provider),
    )


def update(tx: Transaction, provider: CapacityProvider) -> None:
    """Store the next state of one that exists."""
    tx.run(
        "UPDATE lambda_capacity_provider SET state = :state, record = :record"
        " WHERE account = :account AND region = :region AND name = :name",
        **_row(provider),
    )


def delete(tx: Transaction, key: ProviderKey) -> None:
    """Remove it, if it is there."""
    tx.run(
        "DELETE FROM lambda_capacity_provider WHERE account = :account AND region = :region AND name = :name",
        **_columns(key),
    )


def users(tx: Transaction, key: ProviderKey, after: tuple[str, int], count: int) -> list[Function | Version]:
    """Up to `count` of the functions and versions on it that follow the name and number `after`; a function itself has
    the number versions.FIRST."""
    rows = tx.all(
        "SELECT name, :first AS number, record FROM lambda_function WHERE provider = :provider AND name > :name"
        " UNION ALL SELECT name, number, record FROM lambda_version"
        " WHERE provider = :provider AND (name > :name OR (name = :name AND number > :number))"
        " ORDER BY name, number LIMIT :count",
        provider=key.arn(),
        name=after[0],
        number=after[1],
        first=versions.FIRST,
        count=count,
    )
    return [_read_function(row[2]) if row[1] == versions.FIRST else _read_version(row[2]) for row in rows]


def functions(tx: Transaction) -> list[FunctionKey]:
    """The functions of all accounts and regions that have a version on one."""
    rows = tx.all("SELECT DISTINCT account, region, name FROM lambda_version WHERE provider <> ''")
    return [FunctionKey(*row) for row in rows]


def functions_on(tx: Transaction, key: ProviderKey) -> list[FunctionKey]:
    """The functions that have a version on it."""
    rows = tx.all(
        "SELECT DISTINCT account, region, name FROM lambda_version WHERE provider = :provider AND provider <> ''",
        provider=key.arn(),
    )
    return [FunctionKey(*row) for row in rows]


def versions_of(tx: Transaction, key: FunctionKey) -> list[Version]:
    """The versions of a function that are on one."""
    rows = tx.all(
        "SELECT record FROM lambda_version"
        " WHERE account = :account AND region = :region AND name = :name AND provider <> '' ORDER BY number",
        account=key.account,
        region=key.region,
        name=key.name,
    )
    return [_read_version(row[0]) for row in rows]


def published(tx: Transaction, arn: str) -> int:
    """How many versions are on the one with that ARN."""
    row = tx.one("SELECT COUNT(*) FROM lambda_version WHERE provider = :provider AND provider <> ''", provider=arn)
    assert row is not None
    return int(row[0])


def _columns(key: ProviderKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "name": key.name}


def _row(provider: CapacityProvider) -> dict[str, str]:
    return {
        **_columns(provider.key),
        "state": provider.state,
        "record": msgspec.json.encode(provider).decode(),
    }
