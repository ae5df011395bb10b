"""The plans of the queries that read chunks: each walks one index in order, whatever else the tables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.services.logs.rules.positions import Window
from lambent.services.logs.store import chunks

if TYPE_CHECKING:
    from tests.services.logs.conftest import Bench


class Explained:
    """A transaction that keeps the plan of every query."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.plans: list[str] = []

    def all(self, sql: str, **values: Any) -> list[Any]:
        self.plans.append("; ".join(row[3] for row in self._tx.all(f"EXPLAIN QUERY PLAN {sql}", **values)))
        found: list[Any] = self._tx.all(sql, **values)
        return found


@pytest.mark.parametrize(
    ("backward", "way", "column"), [(False, "up", "first_event_ms"), (True, "down", "last_event_ms")]
)
@pytest.mark.parametrize("prefix", ["", "a"])
async def test_a_search_walks_the_index_that_gives_its_order(
    bench: Bench, backward: bool, way: str, column: str, prefix: str
) -> None:
    def plan(tx: Any) -> str:
        explained = Explained(tx)
        list(chunks.of_group(explained, 1, prefix, Window.of_times(5, 10), backward=backward))  # type: ignore[arg-type]
        return explained.plans[0]

    assert await bench.store.read(plan) == (
        f"SEARCH c USING INDEX logs_chunk_of_group_{way} (group_id=? AND {column}>? AND {column}<?); "
        "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)"
    )
