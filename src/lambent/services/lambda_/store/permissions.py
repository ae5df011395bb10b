"""The policies of functions, versions and aliases in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.records import FunctionKey

if TYPE_CHECKING:
    from lambent.store.api import Transaction


def find(tx: Transaction, key: FunctionKey, qualifier: str | None) -> str | None:
    """The policy of a version or alias, or with no `qualifier` of the function itself; None where it has none."""
    row = tx.one(
        "SELECT document FROM lambda_policy"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier or "",
    )
    return None if row is None else str(row[0])


def of(tx: Transaction, key: FunctionKey) -> dict[str, str]:
    """Every policy that belongs to the function by qualifier, its own by the empty one."""
    rows = tx.all(
        "SELECT qualifier, document FROM lambda_policy"
        " WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )
    return {str(row[0]): str(row[1]) for row in rows}


def denying(tx: Transaction) -> list[FunctionKey]:
    """The functions of all accounts and regions with a policy that may deny something: it has the word in it."""
    rows = tx.all(
        "SELECT DISTINCT account, region, function FROM lambda_policy WHERE document LIKE :word", word='%"Deny"%'
    )
    return [FunctionKey(*row) for row in rows]


def put(tx: Transaction, key: FunctionKey, qualifier: str | None, document: str) -> None:
    """Store a policy in place of what was there."""
    tx.run(
        "INSERT INTO lambda_policy (account, region, function, qualifier, document)"
        " VALUES (:account, :region, :function, :qualifier, :document)"
        " ON CONFLICT (account, region, function, qualifier) DO UPDATE SET document = excluded.document",
        **_columns(key),
        qualifier=qualifier or "",
        document=document,
    )


def delete(tx: Transaction, key: FunctionKey, qualifier: str | None) -> None:
    """Remove the policy, if it is there."""
    tx.run(
        "DELETE FROM lambda_policy"
        " WHERE account = :account AND region = :region AND function = :function AND qualifier = :qualifier",
        **_columns(key),
        qualifier=qualifier or "",
    )


def delete_all(tx: Transaction, key: FunctionKey) -> None:
    """Remove every policy that belongs to the function."""
    tx.run(
        "DELETE FROM lambda_policy WHERE account = :account AND region = :region AND function = :function",
        **_columns(key),
    )


def _columns(key: FunctionKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "function": key.name}
