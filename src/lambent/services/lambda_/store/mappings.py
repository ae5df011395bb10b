"""Event source mappings in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records.mappings import EventSourceMapping

if TYPE_CHECKING:
    from lambent.store.api import Transaction

_PAGE = (
    "SELECT record FROM lambda_mapping WHERE account = :account AND region = :region{} AND uuid > :after"
    " ORDER BY uuid LIMIT :size"
)
_OF_FUNCTION = " AND function = :function"
_OF_SOURCE = " AND source = :source"
"""Said only where it is asked for: an index is of no use to a query that may or may not ask."""

_read = msgspec.json.Decoder(EventSourceMapping).decode


def find(tx: Transaction, account: str, region: str, uuid: str) -> EventSourceMapping | None:
    """The mapping, or None."""
    row = tx.one(
        "SELECT record FROM lambda_mapping WHERE account = :account AND region = :region AND uuid = :uuid",
        account=account,
        region=region,
        uuid=uuid.lower(),
    )
    return None if row is None else _read(row[0])


def of_function(tx: Transaction, account: str, region: str, function_arn: str) -> list[EventSourceMapping]:
    """Every mapping that invokes what the ARN names."""
    rows = tx.all(
        "SELECT record FROM lambda_mapping WHERE account = :account AND region = :region AND function = :function",
        account=account,
        region=region,
        function=function_arn,
    )
    return [_read(row[0]) for row in rows]


def page(
    tx: Transaction, account: str, region: str, after: str, size: int, *, function_arn: str, source: str
) -> list[EventSourceMapping]:
    """Up to `size` mappings by UUID, beginning behind `after`: those of one function and of one source, where these
    are not empty."""
    rows = tx.all(
        _PAGE.format((_OF_FUNCTION if function_arn else "") + (_OF_SOURCE if source else "")),
        account=account,
        region=region,
        after=after,
        function=function_arn,
        source=source,
        size=size,
    )
    return [_read(row[0]) for row in rows]


def unsettled(tx: Transaction, size: int) -> list[EventSourceMapping]:
    """Up to `size` mappings of all accounts and regions of which a change is under way."""
    rows = tx.all("SELECT record FROM lambda_mapping WHERE settled = 0 LIMIT :size", size=size)
    return [_read(row[0]) for row in rows]


def insert(tx: Transaction, mapping: EventSourceMapping) -> None:
    """Store a new mapping."""
    tx.run(
        "INSERT INTO lambda_mapping (account, region, uuid, function, source, settled, record)"
        " VALUES (:account, :region, :uuid, :function, :source, :settled, :record)",
        **_row(mapping),
    )


def update(tx: Transaction, mapping: EventSourceMapping) -> None:
    """Store what a mapping that exists has become."""
    tx.run(
        "UPDATE lambda_mapping SET function = :function, source = :source, settled = :settled, record = :record"
        " WHERE account = :account AND region = :region AND uuid = :uuid",
        **_row(mapping),
    )


def delete(tx: Transaction, mapping: EventSourceMapping) -> None:
    """Remove the mapping."""
    tx.run(
        "DELETE FROM lambda_mapping WHERE account = :account AND region = :region AND uuid = :uuid",
        account=mapping.account,
        region=mapping.region,
        uuid=mapping.uuid,
    )


def _row(mapping: EventSourceMapping) -> dict[str, str | int]:
    return {
        "account": mapping.account,
        "region": mapping.region,
        "uuid": mapping.uuid,
        "function": mapping.function_arn,
        "source": mapping.source or "",
        "settled": int(mapping.settled),
        "record": msgspec.json.encode(mapping).decode(),
    }
