"""Function URLs in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records.urls import FunctionUrl

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(FunctionUrl).decode


def find(tx: Transaction, key: FunctionKey, qualifier: str) -> FunctionUrl | None:
    """The URL of the function, or of its alias `qualifier`, or None."""
    row = tx.one(
        "SELECT record FROM lambda_url"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier,
    )
    return None if row is None else _read(row[0])


def named(tx: Transaction, name: str) -> FunctionUrl | None:
    """The URL whose host starts with `name`, or None."""
    row = tx.one("SELECT record FROM lambda_url WHERE name = :name", name=name)
    return None if row is None else _read(row[0])


def page(tx: Transaction, key: FunctionKey, after: str, count: int) -> list[FunctionUrl]:
    """Up to `count` URLs of the function whose qualifiers follow `after`, its own before those of its aliases."""
    rows = tx.all(
        "SELECT record FROM lambda_url"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier > :after"
        " ORDER BY qualifier LIMIT :count",
        **_columns(key),
        after=after,
        count=count,
    )
    return [_read(row[0]) for row in rows]


def insert(tx: Transaction, url: FunctionUrl) -> None:
    """Store a new URL; its function or alias has none."""
    tx.run(
        "INSERT INTO lambda_url (account, region, function, qualifier, name, record)"
        " VALUES (:account, :region, :function, :qualifier, :name, :record)",
        **_columns(url.key),
        qualifier=url.qualifier,
        name=url.name,
        record=_written(url),
    )


def update(tx: Transaction, url: FunctionUrl) -> None:
    """Store what a URL that exists has become."""
    tx.run("UPDATE lambda_url SET record = :record WHERE name = :name", name=url.name, record=_written(url))


def delete(tx: Transaction, key: FunctionKey, qualifier: str) -> bool:
    """Remove the URL; False where there is none."""
    return (
        tx.run(
            "DELETE FROM lambda_url"
            " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
            **_columns(key),
            qualifier=qualifier,
        )
        == 1
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove every URL of the function."""
    tx.run(
        "DELETE FROM lambda_url WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}


def _written(url: FunctionUrl) -> str:
    return msgspec.json.encode(url).decode()
