"""The policies of layer versions in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.records.layer_permissions import LayerPolicy

if TYPE_CHECKING:
    from lambent.services.lambda_.records import LayerKey
    from lambent.store.api import Transaction


def find(tx: Transaction, key: LayerKey, number: int) -> LayerPolicy | None:
    """The policy of the layer version, or None."""
    row = tx.one(
        "SELECT document, revision_id FROM lambda_layer_policy"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )
    return None if row is None else LayerPolicy(*row)


def put(tx: Transaction, key: LayerKey, number: int, policy: LayerPolicy) -> None:
    """Store a policy in place of what was there."""
    tx.run(
        "INSERT INTO lambda_layer_policy (account, region, name, number, revision_id, document)"
        " VALUES (:account, :region, :name, :number, :revision_id, :document)"
        " ON CONFLICT (account, region, name, number)"
        " DO UPDATE SET revision_id = excluded.revision_id, document = excluded.document",
        **_columns(key),
        number=number,
        revision_id=policy.revision_id,
        document=policy.document,
    )


def delete(tx: Transaction, key: LayerKey, number: int) -> None:
    """Remove the policy, if it is there."""
    tx.run(
        "DELETE FROM lambda_layer_policy"
        " WHERE account = :account AND region = :region AND name = :name AND number = :number",
        **_columns(key),
        number=number,
    )


def _columns(key: LayerKey) -> dict[str, str]:
    return {"account": key.account, "region": key.region, "name": key.name}
