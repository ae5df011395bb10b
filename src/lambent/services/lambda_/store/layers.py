"""Layers and their versions in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import LayerVersion

if TYPE_CHECKING:
    from lambent.services.lambda_.records import LayerKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(LayerVersion).decode


def find(tx: Transaction, key: LayerKey, number: int) -> LayerVersion | None:
    """The layer version, or None."""
    row = tx.one(
        "SELECT record FROM lambda_layer_version"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )
    return None if row is None else _read(row[0])


def below(tx: Transaction, key: LayerKey, number: int, count: int) -> list[LayerVersion]:
    """Up to `count` versions with numbers lower than `number`, the newest first."""
    rows = tx.all(
        "SELECT record FROM lambda_layer_version WHERE account = :account AND region = :region AND name = :name"
        " AND number < :number ORDER BY number DESC LIMIT :count",
        **_columns(key),
        number=number,
        count=count,
    )
    return [_read(row[0]) for row in rows]


def names(tx: Transaction, account: str, region: str, after: str, count: int) -> list[str]:
    """Up to `count` names of layers that follow `after`, those that have no version left included."""
    rows = tx.all(
        "SELECT name FROM lambda_layer WHERE account = :account AND region = :region AND name > :after"
        " ORDER BY name LIMIT :count",
        account=account,
        region=region,
        after=after,
        count=count,
    )
    return [str(row[0]) for row in rows]


def packages(tx: Transaction) -> set[str]:
    """The digests of the zips of all layer versions."""
    return {_read(row[0]).sha256 for row in tx.all("SELECT record FROM lambda_layer_version")}


def unsummed(tx: Transaction, account: str, region: str) -> int:
    """The bytes of each layer version's zip whose row does not tell them."""
    rows = tx.all(
        "SELECT record FROM lambda_layer_version WHERE account = :account AND region = :region AND code_size IS NULL",
        account=account,
        region=region,
    )
    return sum(_read(row[0]).size for row in rows)


def next_number(tx: Transaction, key: LayerKey) -> int:
    """The number of the layer's next version. None is given twice."""
    tx.run(
        "INSERT INTO lambda_layer (account, region, name, last_version) VALUES (:account, :region, :name, 1)"
        " ON CONFLICT (account, region, name) DO UPDATE SET last_version = lambda_layer.last_version + 1",
        **_columns(key),
    )
    row = tx.one(
        "SELECT last_version FROM lambda_layer WHERE account = :account AND region = :region AND name = :name",
        **_columns(key),
    )
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, version: LayerVersion) -> None:
    """Store a new layer version; its number is free."""
    tx.run(
        "INSERT INTO lambda_layer_version (account, region, name, number, code_size, record)"
        " VALUES (:account, :region, :name, :number, :code_size, :record)",
        **_columns(version.key),
        number=version.number,
        code_size=version.size,
        record=msgspec.json.encode(version).decode(),
    )


def delete(tx: Transaction, key: LayerKey, number: int) -> None:
    """Remove the layer version, if it is there."""
    tx.run(
        "DELETE FROM lambda_layer_version"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )


def _columns(key: LayerKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "name": key.name}
