"""The state of a durable execution in pages: what its function is told when it begins, and asks for after that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits, page
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from lambent.services.lambda_.records.durable import Execution, Operation
    from lambent.store.api import Transaction


def state(
    tx: Transaction, execution: Execution, after: int, count: int, *, least: int = 0, seen: int | None = None
) -> tuple[list[Operation], str | None]:
    """Up to `count` operations that follow the ordinal `after`, of as many bytes as an invocation takes, but at least
    `least` of them; with `seen`, of those that have changed since that change. And the marker that asks for the rest:
    GetDurableExecutionState takes it, whoever gave it."""
    size = limits.DURABLE_PAGE_BYTES
    found, more = durable.operations(tx, execution.id, after, count, size, least=least, seen=seen)
    cursor = [found[-1].ordinal if found else after, *([] if seen is None else [seen])]
    return found, page.token([*cursor]) if more else None
