"""What every engine promises: whole transactions, durable before the answer, seen by every later read."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from lambent.kernel import limits
from lambent.store.errors import ConstraintBroken, StoreClosed, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.store.api import Row, Transaction
    from lambent.store.sqlite import SqliteStore

    Reopen = Callable[[], Awaitable[SqliteStore]]

INSERT = "INSERT INTO accounts (name, balance, record) VALUES (:name, :balance, :record)"


def insert(tx: Transaction, name: str, balance: int = 0, record: bytes | None = None) -> int:
    return tx.run(INSERT, name=name, balance=balance, record=record)


def names(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.all("SELECT name FROM accounts ORDER BY name")]


class Refused(Exception):
    """What a work of these tests raises."""


def insert_and_refuse(tx: Transaction, name: str) -> None:
    insert(tx, name)
    raise Refused(name)


class Gate:
    """A work that holds the writer until the test lets it go on, so that others queue up behind it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._open = threading.Event()

    def work(self, tx: Transaction) -> str:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self._open.wait(30)
        return "through"

    def open(self) -> None:
        self._open.set()


async def held(store: SqliteStore) -> tuple[Gate, asyncio.Task[str]]:
    """A gate that the writer stands in, and the task that waits for it."""
    gate = Gate()
    task = asyncio.create_task(store.write(gate.work))
    await gate.entered.wait()
    return gate, task


async def test_a_write_returns_its_result_and_a_read_sees_it(store: SqliteStore) -> None:
    assert await store.write(partial(insert, name="a", balance=7, record=b"\x00\xff")) == 1
    row = await store.read(lambda tx: tx.one("SELECT name, balance, record FROM accounts WHERE name = :n", n="a"))
    assert row == ("a", 7, b"\x00\xff")


async def test_what_is_not_there_is_none_or_an_empty_list(store: SqliteStore) -> None:
    assert await store.read(lambda tx: tx.one("SELECT 1 FROM accounts")) is None
    assert await store.read(lambda tx: tx.all("SELECT 1 FROM accounts")) == []
    assert await store.write(lambda tx: tx.run("DELETE FROM accounts")) == 0


async def test_run_counts_the_rows_it_changed(store: SqliteStore) -> None:
    for name in "abc":
        await store.write(partial(insert, name=name))
    assert await store.write(lambda tx: tx.run("UPDATE accounts SET balance = 1 WHERE name <> :n", n="a")) == 2
    ignored = INSERT + " ON CONFLICT (name) DO NOTHING"
    assert await store.write(lambda tx: tx.run(ignored, name="a", balance=0, record=None)) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    text=some.text(alphabet=some.characters(exclude_categories=["Cs"])),
    number=some.integers(-(2**63), 2**63 - 1),
    record=some.none() | some.binary(),
)
async def test_values_come_back_as_they_were_stored(
    store: SqliteStore, text: str, number: int, record: bytes | None
) -> None:
    def work(tx: Transaction) -> Row | None:
        tx.run("DELETE FROM accounts")
        insert(tx, text, number, record)
        return tx.one("SELECT name, balance, record FROM accounts")

    assert await store.write(work) == (text, number, record)


async def test_an_exception_undoes_the_whole_work_and_reaches_the_caller(store: SqliteStore) -> None:
    with pytest.raises(Refused, match="a"):
        await store.write(partial(insert_and_refuse, name="a"))
    assert await store.read(names) == []


async def test_an_exception_undoes_only_its_own_work_of_a_group(store: SqliteStore) -> None:
    gate, first = await held(store)
    works = [insert_and_refuse if number % 3 == 0 else insert for number in range(9)]
    tasks = [asyncio.create_task(store.write(partial(work, name=str(n)))) for n, work in enumerate(works)]
    await asyncio.sleep(0)
    gate.open()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(answer) for answer in answers[1:]] == [Refused, int, int] * 3
    assert await store.read(names) == ["1", "2", "4", "5", "7", "8"]


async def test_a_work_of_a_group_sees_what_was_done_before_it(store: SqliteStore) -> None:
    gate, first = await held(store)
    tasks = [asyncio.create_task(store.write(partial(insert, name="same"))) for _ in range(2)]
    await asyncio.sleep(0)
    gate.open()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, int, ConstraintBroken]


async def test_concurrent_writes_lose_no_update(store: SqliteStore) -> None:
    def increment(tx: Transaction) -> None:
        (balance,) = tx.one("SELECT balance FROM accounts WHERE name = 'a'")
        tx.run("UPDATE accounts SET balance = :balance WHERE name = 'a'", balance=balance + 1)

    await store.write(partial(insert, name="a"))
    await asyncio.gather(*(store.write(increment) for _ in range(1000)))
    assert await store.read(lambda tx: tx.one("SELECT balance FROM accounts")) == (1000,)


async def test_every_acknowledged_write_is_in_every_later_read(store: SqliteStore) -> None:
    async def client(name: str) -> None:
        await store.write(partial(insert, name=name))
        for balance in range(50):
            await store.write(
                lambda tx: tx.run("UPDATE accounts SET balance = :b WHERE name = :n", b=balance, n=name)  # noqa: B023
            )
            seen = await store.read(lambda tx: tx.one("SELECT balance FROM accounts WHERE name = :n", n=name))
            assert seen == (balance,)

    await asyncio.gather(*(client(str(number)) for number in range(8)))


async def test_a_read_keeps_its_snapshot_while_others_write(store: SqliteStore) -> None:
    loop, entered, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def work(tx: Transaction) -> tuple[list[str], list[str]]:
        before = names(tx)
        loop.call_soon_threadsafe(entered.set)
        assert go_on.wait(30)
        return before, names(tx)

    reading = asyncio.create_task(store.read(work))
    await entered.wait()
    await store.write(partial(insert, name="late"))
    go_on.set()
    assert await reading == ([], [])
    assert await store.read(names) == ["late"]


async def test_a_read_never_sees_half_of_a_work(store: SqliteStore) -> None:
    def transfer(tx: Transaction) -> None:
        tx.run("UPDATE accounts SET balance = balance - 1 WHERE name = 'a'")
        tx.run("UPDATE accounts SET balance = balance + 1 WHERE name = 'b'")

    await store.write(lambda tx: (insert(tx, "a"), insert(tx, "b")))
    writing = asyncio.gather(*(store.write(transfer) for _ in range(300)))
    while not writing.done():
        assert await store.read(lambda tx: tx.one("SELECT SUM(balance) FROM accounts")) == (0,)
    await writing


async def test_a_read_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        await store.read(partial(insert, name="a"))
    with pytest.raises(StoreError):
        await store.read(lambda tx: tx.send("arn:aws:sqs:us-east-1:000000000000:q", b""))
    assert await store.read(names) == []
    assert await store.write(partial(insert, name="a")) == 1


async def test_a_read_that_raises_leaves_its_thread_usable(store: SqliteStore) -> None:
    def fail(tx: Transaction) -> None:
        tx.all("SELECT 1 FROM accounts")
        raise Refused

    for _ in range(3 * limits.STORE_READERS):
        with pytest.raises(Refused):
            await store.read(fail)
    assert await store.read(names) == []


async def test_a_broken_constraint_has_a_name_of_its_own_and_tells_no_values(store: SqliteStore) -> None:
    await store.write(partial(insert, name="a"))
    with pytest.raises(ConstraintBroken) as broken:
        await store.write(partial(insert, name="a", record=b"secret"))
    assert "INSERT INTO accounts" in str(broken.value)
    assert "secret" not in str(broken.value)


async def test_foreign_keys_are_held(store: SqliteStore) -> None:
    with pytest.raises(ConstraintBroken):
        await store.write(lambda tx: tx.run("INSERT INTO entries (account, number) VALUES ('nobody', 1)"))


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT 1 FROM nowhere", "SELECT :absent"])
async def test_a_wrong_statement_raises_the_stores_own_error(store: SqliteStore, sql: str) -> None:
    with pytest.raises(StoreError, match=sql):
        await store.write(lambda tx: tx.run(sql))
    with pytest.raises(StoreError, match=sql):
        await store.read(lambda tx: tx.one(sql))
    with pytest.raises(StoreError, match=sql):
        await store.read(lambda tx: tx.all(sql))


async def test_a_work_may_raise_what_no_future_takes(store: SqliteStore) -> None:
    for run in (store.read, store.write):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await run(lambda tx: next(iter(())))


async def test_a_write_cancelled_before_its_turn_leaves_nothing(store: SqliteStore) -> None:
    gate, first = await held(store)
    cancelled = asyncio.create_task(store.write(partial(insert, name="cancelled")))
    kept = asyncio.create_task(store.write(partial(insert, name="kept")))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    gate.open()
    assert await first == "through"
    assert await kept == 1
    assert await store.read(names) == ["kept"]


async def test_a_write_cancelled_during_its_turn_harms_nobody(store: SqliteStore) -> None:
    gate, first = await held(store)
    kept = asyncio.create_task(store.write(partial(insert, name="kept")))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open()
    assert await kept == 1
    assert await store.write(partial(insert, name="later")) == 1
    assert await store.read(names) == ["kept", "later"]


async def test_more_callers_than_the_queue_holds_wait_their_turn(store: SqliteStore) -> None:
    count = limits.STORE_QUEUE + 500
    answers = await asyncio.gather(*(store.write(partial(insert, name=str(n))) for n in range(count)))
    assert answers == [1] * count
    assert await store.read(lambda tx: tx.one("SELECT COUNT(*) FROM accounts")) == (count,)


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(store: SqliteStore, reopen: Reopen) -> None:
    gate, first = await held(store)
    accepted = [asyncio.create_task(store.write(partial(insert, name=str(n)))) for n in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        await store.write(partial(insert, name="late"))
    gate.open()
    await closing
    assert await first == "through"
    assert await asyncio.gather(*accepted) == [1] * 20
    with pytest.raises(StoreClosed):
        await store.read(names)
    await store.close()
    assert len(await (await reopen()).read(names)) == 20


async def test_what_was_written_is_there_after_reopening(store: SqliteStore, reopen: Reopen) -> None:
    await store.write(partial(insert, name="a", record=b"kept"))
    again = await reopen()
    assert await again.read(lambda tx: tx.one("SELECT record FROM accounts")) == (b"kept",)


async def test_a_commit_with_events_tells_their_targets_once(store: SqliteStore) -> None:
    def work(tx: Transaction) -> None:
        tx.send("arn:one", b"1")
        tx.send("arn:two", b"2")
        tx.send("arn:two", b"3")

    await store.write(work)
    assert await store.sent() == {"arn:one", "arn:two"}
    asking = asyncio.create_task(store.sent())
    await store.write(partial(insert, name="no event"))
    assert not asking.done()
    await store.write(lambda tx: tx.send("arn:three", b"4"))
    assert await asking == {"arn:three"}


async def test_an_event_of_an_undone_work_does_not_exist(store: SqliteStore) -> None:
    def work(tx: Transaction) -> None:
        tx.send("arn:one", b"1")
        raise Refused

    with pytest.raises(Refused):
        await store.write(work)
    assert await store.read(lambda tx: tx.all("SELECT * FROM outbox")) == []


async def test_statements_are_counted(store: SqliteStore) -> None:
    before = store.statements
    await asyncio.sleep(0)
    assert store.statements == before
    await store.read(names)
    read = store.statements
    assert read > before
    await store.write(partial(insert, name="a"))
    assert store.statements > read
