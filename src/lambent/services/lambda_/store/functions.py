"""Functions in the store: their `$LATEST`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import Function

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_decoder = msgspec.json.Decoder(Function)


def find(tx: Transaction, key: FunctionKey) -> Function | None:
    """The function, or None."""
    row = tx.one(
        "SELECT record FROM lambda_function WHERE account = :account AND region = :region AND name = :name",
        account=key.account,
        region=key.region,
        name=key.name,
    )
    return None if row is None else _decoder.decode(row[0])


def page(tx: Transaction, account: str, region: str, after: str, count: int) -> list[Function]:
    """Up to `count` functions whose names follow `after`, by name."""
    rows = tx.all(
        "SELECT record FROM lambda_function WHERE account = :account AND region = :region AND name > :after"
        " ORDER BY name LIMIT :count",
        account=account,
        region=region,
        after=after,
        count=count,
    )
    return [_decoder.decode(row[0]) for row in rows]


def unsettled(tx: Transaction, count: int) -> list[Function]:
    """Up to `count` functions whose creation or update is not complete."""
    rows = tx.all("SELECT record FROM lambda_function WHERE settled = 0 LIMIT :count", count=count)
    return [_decoder.decode(row[0]) for row in rows]


def packages(tx: Transaction) -> set[str]:
    """The digests of the zips that all functions need."""
    return {
        digest for row in tx.all("SELECT record FROM lambda_function") for digest in _decoder.decode(row[0]).packages
    }


def unsummed(tx: Transaction, account: str, region: str) -> int:
    """The bytes of each function's zip whose row does not tell them."""
    rows = tx.all(
        "SELECT record FROM lambda_function WHERE account = :account AND region = :region AND code_size IS NULL",
        account=account,
        region=region,
    )
    return sum(_decoder.decode(row[0]).configuration.code_size for row in rows)


def count(tx: Transaction, account: str, region: str) -> int:
    """How many functions there are."""
    row = tx.one(
        "SELECT COUNT(*) FROM lambda_function WHERE account = :account AND region = :region",
        account=account,
        region=region,
    )
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, function: Function) -> bool:
    """Store a new function; False where its name is taken."""
    return (
        tx.run(
            "INSERT INTO lambda_function (account, region, name, settled, code_size, provider, record)"
            " VALUES (:account, :region, :name, :settled, :code_size, :provider, :record) ON CONFLICT DO NOTHING",
            **_columns(function),
        )
        == 1
    )


def update(tx: Transaction, function: Function) -> None:
    """Store the next state of a function that exists."""
    tx.run(
        "UPDATE lambda_function SET settled = :settled, code_size = :code_size, provider = :provider, record = :record"
        " WHERE account = :account AND region = :region AND name = :name",
        **_columns(function),
    )


def delete(tx: Transaction, key: FunctionKey) -> bool:
    """Remove the function; False where there is none."""
    return (
        tx.run(
            "DELETE FROM lambda_function WHERE account = :account AND region = :region AND name = :name",
            account=key.account,
            region=key.region,
            name=key.name,
        )
        == 1
    )


def _columns(function: Function) -> dict[str, str | int]:
    return {
        "account": function.account,
        "region": function.region,
        "name": function.name,
        "settled": int(function.settled),
        "code_size": function.configuration.code_size,
        "provider": function.configuration.provider_arn,
        "record": msgspec.json.encode(function).decode(),
    }
