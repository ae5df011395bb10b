"""How many environments versions on managed instances are to have, in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records.capacity_providers import FunctionScaling

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

_read = msgspec.json.Decoder(FunctionScaling).decode


def find(tx: Transaction, key: FunctionKey, number: int) -> FunctionScaling | None:
    """What was asked for, or None."""
    row = tx.one(
        "SELECT record FROM lambda_function_scaling"
        " WHERE account = :account AND region = :region AND function = :function AND number = :number",
        **_columns(key),
        number=number,
    )
    return None if row is None else _read(row[0])


def put(tx: Transaction, scaling: FunctionScaling) -> None:
    """Store what is asked for, in place of what was for the same version."""
    tx.run(
        "INSERT INTO lambda_function_scaling (account, region, function, number, record)"
        " VALUES (:account, :region, :function, :number, :record)"
        " ON CONFLICT (account, region, function, number) DO UPDATE SET record = excluded.record",
        **_columns(scaling.key),
        number=scaling.number,
        record=msgspec.json.encode(scaling).decode(),
    )


def withdraw(tx: Transaction, key: FunctionKey, number: int) -> None:
    """Ask for nothing any more."""
    tx.run(
        "DELETE FROM lambda_function_scaling"
        " WHERE account = :account AND region = :region AND function = :function AND number = :number",
        **_columns(key),
        number=number,
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Ask for nothing any more for every version of the function."""
    tx.run(
        "DELETE FROM lambda_function_scaling WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
