"""Numbers that only grow: of groups, streams and chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.store.api import Transaction


def take(tx: Transaction, count: int = 1) -> int:
    """The first of `count` numbers that nobody else gets."""
    tx.run("UPDATE logs_counter SET value = value + :count", count=count)
    row = tx.one("SELECT value FROM logs_counter")
    assert row is not None
    last: int = row[0]
    return last - count + 1
