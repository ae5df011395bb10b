"""The tables of the queue: what is asked of them often is answered by an index, whatever waits in them."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.events import Envelope, Event, Line
from lambent.services.lambda_.store import events
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lambent.store.api import Transaction

KEY = FunctionKey("000000000000", "us-east-1", "f")
LINE = Line(id=1, account=KEY.account, region=KEY.region, function=KEY.name, qualifier=None)
ENVELOPE = Envelope(request_id="r", accepted_ms=5)
EVENT = Event(1, LINE, ENVELOPE, b"{}")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path, {"lambda": files("lambent.services.lambda_") / "schema"})
    await opened.write(_line)
    yield opened
    await opened.close()


def _line(tx: Transaction) -> None:
    sql = "INSERT INTO lambda_event_line (account, region, function, qualifier) VALUES (:account, :region, :name, '')"
    tx.run(sql, account=KEY.account, region=KEY.region, name=KEY.name)


class Explained:
    """A transaction that remembers how the engine goes about each statement."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.plans: list[tuple[str, str]] = []

    def one(self, sql: str, **values: Any) -> Any:
        self._explain(sql, values)
        return self._tx.one(sql, **values)

    def all(self, sql: str, **values: Any) -> Any:
        self._explain(sql, values)
        return self._tx.all(sql, **values)

    def run(self, sql: str, **values: Any) -> int:
        self._explain(sql, values)
        return self._tx.run(sql, **values)

    def _explain(self, sql: str, values: dict[str, Any]) -> None:
        self.plans += [(sql, str(row[3])) for row in self._tx.all(f"EXPLAIN QUERY PLAN {sql}", **values)]


WORK: dict[str, Callable[[Any], Any]] = {
    "accept": lambda tx: events.append(tx, events.open_line(tx, KEY, None) or LINE, ENVELOPE, b"{}"),
    "read a page": lambda tx: events.page(tx, LINE, 10, {1}, 1),
    "ask whether it waits": lambda tx: events.waits(tx, EVENT),
    "ask what is configured": lambda tx: events.settings(tx, LINE, failing=True),
    "postpone": lambda tx: events.postpone(tx, EVENT, ENVELOPE, 7),
    "delete": lambda tx: events.delete(tx, EVENT),
    "ask what is deserted": events.deserted,
    "forget": lambda tx: events.forget(tx, KEY),
    "close a line": lambda tx: events.close_line(tx, KEY, "live"),
}


@pytest.mark.parametrize("work", WORK)
async def test_no_table_is_scanned(store: SqliteStore, work: str) -> None:
    def explained(tx: Transaction) -> list[tuple[str, str]]:
        watched = Explained(tx)
        WORK[work](watched)
        return watched.plans

    plans = await store.write(explained)
    assert plans
    assert [(sql, plan) for sql, plan in plans if re.match(r"SCAN (?!.*USING (COVERING )?INDEX)", plan)] == []
    assert [(sql, plan) for sql, plan in plans if "TEMP B-TREE" in plan] == []


async def test_a_page_is_what_is_due_and_not_held(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASYNC_PAGE", 3)

    def fill(tx: Transaction) -> None:
        for due_ms in (5, 1, 9, 2, 3, 4):
            event = events.append(tx, LINE, ENVELOPE, b"{}")
            events.postpone(tx, event, ENVELOPE, due_ms)

    await store.write(fill)
    page = await store.read(lambda tx: events.page(tx, LINE, 5, {4}, 1))
    assert ([event.id for event in page.events], page.more, page.next_ms) == ([2, 5, 6], True, 9)
    page = await store.read(lambda tx: events.page(tx, LINE, 5, {2, 4, 5, 6}, 4))
    assert ([event.id for event in page.events], page.more, page.next_ms) == ([1], False, 9)


async def test_a_page_is_bounded_in_bytes_but_never_empty(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASYNC_LINE_BYTES", 10)

    def fill(tx: Transaction) -> None:
        for size in (11, 4, 4, 4):
            events.append(tx, LINE, ENVELOPE, b"1" * size)

    await store.write(fill)
    for held, expected, more in (set(), [1], True), ({1}, [2, 3], True), ({1, 2, 3}, [4], False):
        page = await store.read(lambda tx, held=held: events.page(tx, LINE, 5, held, len(held)))
        assert ([event.id for event in page.events], page.more) == (expected, more)


async def test_what_is_deserted_goes_in_parts(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASYNC_REMOVED", 4)

    def fill(tx: Transaction) -> None:
        for _ in range(10):
            events.append(tx, LINE, ENVELOPE, b"{}")

    await store.write(fill)
    await store.write(lambda tx: events.forget(tx, KEY))
    assert await store.read(lambda tx: events.page(tx, LINE, 9, set(), 0)) == events.Page([], more=False, next_ms=None)
    rounds = 0
    while await store.read(events.deserted):
        assert await store.write(events.sweep) in (True, False)
        rounds += 1
    assert rounds == 2
    assert (
        await store.read(lambda tx: tx.all("SELECT id FROM lambda_event UNION SELECT id FROM lambda_event_line")) == []
    )
