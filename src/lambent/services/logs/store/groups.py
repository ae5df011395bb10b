"""Log groups in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.logs import errors
from lambent.services.logs.records import Group, GroupRecord
from lambent.services.logs.rules.names import after_prefix
from lambent.services.logs.store import counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambent.store.api import Row, Transaction

_COLUMNS = "id, account, region, name, created_ms, retention, size, record"
_read = msgspec.json.Decoder(GroupRecord).decode


def _group(row: Row) -> Group:
    number, account, region, name, created_ms, retention, size, record = row
    return Group(number, account, region, name, created_ms, retention, size, _read(record))


def _text(record: GroupRecord) -> str:
    return msgspec.json.encode(record).decode()


def find(tx: Transaction, account: str, region: str, name: str | None) -> Group | None:
    """The group by its name, or None."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM logs_group WHERE account = :account AND region = :region AND name = :name",  # noqa: S608
        account=account,
        region=region,
        name=name,
    )
    return None if row is None else _group(row)


def need(tx: Transaction, account: str, region: str, name: str | None) -> Group:
    """The group by its name. Raises ResourceNotFoundException."""
    group = find(tx, account, region, name)
    if group is None:
        raise errors.no_group()
    return group


def add(tx: Transaction, account: str, region: str, name: str, created_ms: int, record: GroupRecord) -> int:
    """Add a group and return its number. Raises ResourceAlreadyExistsException."""
    if find(tx, account, region, name) is not None:
        raise errors.group_exists()
    number = counter.take(tx)
    tx.run(
        "INSERT INTO logs_group (id, account, region, name, created_ms, size, record)"
        " VALUES (:id, :account, :region, :name, :created_ms, 0, :record)",
        id=number,
        account=account,
        region=region,
        name=name,
        created_ms=created_ms,
        record=_text(record),
    )
    return number


def delete(tx: Transaction, group: Group) -> None:
    """Delete the group at once; a worker clears its streams and chunks away."""
    tx.run("DELETE FROM logs_group WHERE id = :id", id=group.id)
    tx.run("INSERT INTO logs_deleted (id, kind) VALUES (:id, 'group')", id=group.id)


def page(
    tx: Transaction, account: str, region: str, *, after: str = "", prefix: str = "", part: str = "", limit: int
) -> list[Group]:
    """The groups after the name `after`, in order, whose names start with `prefix` and contain `part`."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM logs_group"  # noqa: S608
        " WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :bound"
        " AND (:part = '' OR replace(name, :part, '') <> name) ORDER BY name LIMIT :limit",
        account=account,
        region=region,
        after=after,
        prefix=prefix,
        bound=after_prefix(prefix),
        part=part,
        limit=limit,
    )
    return [_group(row) for row in rows]


def named(tx: Transaction, account: str, region: str, names: Sequence[str]) -> list[Group]:
    """Those of the groups `names` that exist, in order of name."""
    found = (find(tx, account, region, name) for name in sorted(set(names)))
    return [group for group in found if group is not None]


def keeping(tx: Transaction) -> list[tuple[int, int]]:
    """The number and the retention in days of every group that has one."""
    return [(row[0], row[1]) for row in tx.all("SELECT id, retention FROM logs_group WHERE retention IS NOT NULL")]


def set_retention(tx: Transaction, group: Group, days: int | None) -> None:
    """Keep events for `days`, for ever where None."""
    tx.run("UPDATE logs_group SET retention = :days WHERE id = :id", days=days, id=group.id)


def set_record(tx: Transaction, group: Group, record: GroupRecord) -> None:
    """Store what else is known of the group."""
    tx.run("UPDATE logs_group SET record = :record WHERE id = :id", record=_text(record), id=group.id)


def grow(tx: Transaction, group_id: int, size: int) -> None:
    """Count `size` more bytes, or fewer where negative."""
    tx.run("UPDATE logs_group SET size = size + :size WHERE id = :id", size=size, id=group_id)
