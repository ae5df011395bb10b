"""How much of packages an account has in the store: the zip of every function, version and layer version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.store import functions, layers, versions

if TYPE_CHECKING:
    from lambent.store.api import Transaction


def stored(tx: Transaction, account: str, region: str) -> int:
    """Bytes, equal packages counted as often as they are used."""
    row = tx.one(
        "SELECT SUM(code_size) FROM ("
        "SELECT code_size FROM lambda_function WHERE account = :account AND region = :region"
        " UNION ALL SELECT code_size FROM lambda_version WHERE account = :account AND region = :region"
        " UNION ALL SELECT code_size FROM lambda_layer_version WHERE account = :account AND region = :region"
        ") AS sizes",
        account=account,
        region=region,
    )
    summed = 0 if row is None or row[0] is None else int(row[0])
    unsummed = (read(tx, account, region) for read in (functions.unsummed, versions.unsummed, layers.unsummed))
    return summed + sum(unsummed)
