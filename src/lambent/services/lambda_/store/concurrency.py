"""Reserved and provisioned concurrency in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import FunctionKey, Provision

if TYPE_CHECKING:
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(Provision).decode


def reserved(tx: Transaction, key: FunctionKey) -> int | None:
    """The function's reserved concurrent executions; None where it has no reservation."""
    row = tx.one(
        "SELECT executions FROM lambda_reservation"
        " WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )
    return None if row is None else int(row[0])


def reserve(tx: Transaction, key: FunctionKey, executions: int) -> None:
    """Give the function a reservation in place of the one that it may have."""
    tx.run(
        "INSERT INTO lambda_reservation (account, region, function, executions)"
        " VALUES (:account, :region, :function, :executions)"
        " ON CONFLICT (account, region, function) DO UPDATE SET executions = excluded.executions",
        **_columns(key),
        executions=executions,
    )


def release(tx: Transaction, key: FunctionKey) -> None:
    """Take the function's reservation away, if it has one."""
    tx.run(
        "DELETE FROM lambda_reservation WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def claimed(tx: Transaction, account: str, region: str) -> dict[str, int]:
    """What each function holds of the account's executions, by name: its reservation, or where it has none what is
    provisioned for it. What is provisioned for a function with a reservation comes out of that."""
    rows = tx.all(
        "SELECT function, executions, 1 AS reservation FROM lambda_reservation"
        " WHERE account = :account AND region = :region"
        " UNION ALL SELECT function, SUM(requested), 0 AS reservation FROM lambda_provision"
        " WHERE account = :account AND region = :region GROUP BY function ORDER BY reservation",
        account=account,
        region=region,
    )
    return {str(row[0]): int(row[1]) for row in rows}


def provision(tx: Transaction, key: FunctionKey, qualifier: str) -> Provision | None:
    """What is wanted ready for the version or alias, or None."""
    row = tx.one(
        "SELECT record FROM lambda_provision"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier,
    )
    return None if row is None else _read(row[0])


def provisions(tx: Transaction, key: FunctionKey) -> list[Provision]:
    """Everything that is wanted ready for the function, by qualifier."""
    rows = tx.all(
        "SELECT record FROM lambda_provision"
        " WHERE account = :account AND region = :region AND function = :function ORDER BY qualifier",
        **_columns(key),
    )
    return [_read(row[0]) for row in rows]


def put(tx: Transaction, wanted: Provision) -> None:
    """Store what is wanted ready, in place of what was wanted for the same version or alias."""
    tx.run(
        "INSERT INTO lambda_provision (account, region, function, qualifier, requested, record)"
        " VALUES (:account, :region, :function, :qualifier, :requested, :record)"
        " ON CONFLICT (account, region, function, qualifier)"
        " DO UPDATE SET requested = excluded.requested, record = excluded.record",
        **_columns(wanted.key),
        qualifier=wanted.qualifier,
        requested=wanted.requested,
        record=msgspec.json.encode(wanted).decode(),
    )


def withdraw(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """Want nothing ready for the version or alias any more."""
    tx.run(
        "DELETE FROM lambda_provision"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier,
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove what the function has of both."""
    release(tx, key)
    tx.run(
        "DELETE FROM lambda_provision WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def keys(tx: Transaction) -> list[FunctionKey]:
    """The functions of all accounts and regions that have something of either."""
    rows = tx.all(
        "SELECT account, region, function FROM lambda_reservation"
        " UNION SELECT account, region, function FROM lambda_provision"
    )
    return [FunctionKey(*row) for row in rows]


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
