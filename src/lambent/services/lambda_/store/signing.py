"""Code signing configurations in the store, and which functions use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.signing import SigningConfig, SigningKey

if TYPE_CHECKING:
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(SigningConfig).decode


def find(tx: Transaction, key: SigningKey) -> SigningConfig | None:
    """The configuration, or None."""
    row = tx.one(
        "SELECT record FROM lambda_signing WHERE account = :account AND region = :region AND id = :id",
        **_columns(key),
    )
    return None if row is None else _read(row[0])


def page(tx: Transaction, account: str, region: str, after: str, count: int) -> list[SigningConfig]:
    """Up to `count` configurations whose ids follow `after`, by id."""
    rows = tx.all(
        "SELECT record FROM lambda_signing WHERE account = :account AND region = :region AND id > :after"
        " ORDER BY id LIMIT :count",
        account=account,
        region=region,
        after=after,
        count=count,
    )
    return [_read(row[0]) for row in rows]


def put(tx: Transaction, config: SigningConfig) -> None:
    """Store a configuration, new or in place of what it was."""
    tx.run(
        "INSERT INTO lambda_signing (account, region, id, record) VALUES (:account, :region, :id, :record)"
        " ON CONFLICT (account, region, id) DO UPDATE SET record = excluded.record",
        **_columns(config.key),
        record=msgspec.json.encode(config).decode(),
    )


def delete(tx: Transaction, key: SigningKey) -> None:
    """Remove the configuration, which no function uses."""
    tx.run(
        "DELETE FROM lambda_signing WHERE account = :account AND region = :region AND id = :id",
        **_columns(key),
    )


def of(tx: Transaction, key: FunctionKey) -> SigningConfig | None:
    """The configuration that the function uses, or None."""
    row = tx.one(
        "SELECT id FROM lambda_function_signing WHERE account = :account AND region = :region AND function = :function",
        **_function(key),
    )
    return None if row is None else find(tx, SigningKey(key.account, key.region, row[0]))


def users(tx: Transaction, key: SigningKey, after: str, count: int) -> list[FunctionKey]:
    """Up to `count` functions that use the configuration and whose names follow `after`, by name."""
    rows = tx.all(
        "SELECT account, region, function FROM lambda_function_signing"
        " WHERE account = :account AND region = :region AND id = :id AND function > :after"
        " ORDER BY function LIMIT :count",
        **_columns(key),
        after=after,
        count=count,
    )
    return [FunctionKey(*row) for row in rows]


def attach(tx: Transaction, key: FunctionKey, config: SigningConfig) -> None:
    """Let the function use a configuration of its account and region, in place of another."""
    tx.run(
        "INSERT INTO lambda_function_signing (account, region, function, id)"
        " VALUES (:account, :region, :function, :id)"
        " ON CONFLICT (account, region, function) DO UPDATE SET id = excluded.id",
        **_function(key),
        id=config.id,
    )


def detach(tx: Transaction, key: FunctionKey) -> None:
    """Let the function use none."""
    tx.run(
        "DELETE FROM lambda_function_signing WHERE account = :account AND region = :region AND function = :function",
        **_function(key),
    )


def _columns(key: SigningKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "id": key.id}


def _function(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
