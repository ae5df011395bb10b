"""The configurations of asynchronous invocation in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records.event_invoke import EventInvokeConfig

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(EventInvokeConfig).decode


def find(tx: Transaction, key: FunctionKey, qualifier: str) -> EventInvokeConfig | None:
    """What is configured for the version or alias, or None."""
    row = tx.one(
        "SELECT record FROM lambda_event_invoke"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier,
    )
    return None if row is None else _read(row[0])


def page(tx: Transaction, key: FunctionKey, after: str, size: int) -> list[EventInvokeConfig]:
    """Up to `size` configurations of the function by qualifier, beginning behind `after`."""
    rows = tx.all(
        "SELECT record FROM lambda_event_invoke"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier > :after"
        " ORDER BY qualifier LIMIT :size",
        **_columns(key),
        after=after,
        size=size,
    )
    return [_read(row[0]) for row in rows]


def put(tx: Transaction, config: EventInvokeConfig) -> None:
    """Store a configuration in place of the one that the version or alias may have."""
    tx.run(
        "INSERT INTO lambda_event_invoke (account, region, function, qualifier, record)"
        " VALUES (:account, :region, :function, :qualifier, :record)"
        " ON CONFLICT (account, region, function, qualifier) DO UPDATE SET record = excluded.record",
        **_columns(config.key),
        qualifier=config.qualifier,
        record=msgspec.json.encode(config).decode(),
    )


def delete(tx: Transaction, key: FunctionKey, qualifier: str) -> bool:
    """Remove what is configured for the version or alias; whether there was something."""
    return bool(
        tx.run(
            "DELETE FROM lambda_event_invoke"
            " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
            **_columns(key),
            qualifier=qualifier,
        )
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove everything that is configured for the function."""
    tx.run(
        "DELETE FROM lambda_event_invoke WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
