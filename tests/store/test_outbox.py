"""The outbox: at least once, in order per target, no target in another's way, nothing lost in silence."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.store.outbox import Outbox, pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from lambent.store.api import Transaction
    from lambent.store.sqlite import SqliteStore

    Reopen = Callable[[], Awaitable[SqliteStore]]

T = TypeVar("T")

NEVER = 10**9


class Target:
    """Takes events and remembers them; refuses the first `refusals` attempts at an event that is named in them."""

    def __init__(self, refusals: dict[bytes, int] | None = None) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.attempts: list[bytes] = []
        self._refusals = dict(refusals or {})
        self._changed = asyncio.Condition()

    async def deliver(self, target: str, event: bytes) -> None:
        self.attempts.append(event)
        refused = self._refusals.get(event, 0)
        if refused:
            self._refusals[event] = refused - 1
        else:
            self.taken.append((target, event))
        async with self._changed:
            self._changed.notify_all()
        if refused:
            raise RuntimeError(f"refused {event.decode()}")

    async def wait(self, *, taken: int = 0, attempts: int = 0) -> None:
        async with self._changed, asyncio.timeout(30):
            await self._changed.wait_for(lambda: len(self.taken) >= taken and len(self.attempts) >= attempts)


async def send(store: SqliteStore, *events: tuple[str, bytes]) -> None:
    await store.write(lambda tx: [tx.send(target, event) for target, event in events])


async def waiting(store: SqliteStore) -> list[bytes]:
    rows = await store.read(lambda tx: tx.all("SELECT event FROM outbox ORDER BY id"))
    return [row[0] for row in rows]


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def until_empty(store: SqliteStore) -> None:
    async with asyncio.timeout(30):
        while await waiting(store):
            pass


class RestingClock(VirtualClock):
    """A clock that knows how often somebody has begun to rest on it."""

    def __init__(self) -> None:
        super().__init__()
        self._rests = 0
        self._changed = asyncio.Condition()

    async def sleep(self, delay: float) -> None:
        async with self._changed:
            self._rests += 1
            self._changed.notify_all()
        await super().sleep(delay)

    async def rests(self, count: int) -> None:
        async with self._changed, asyncio.timeout(30):
            await self._changed.wait_for(lambda: self._rests >= count)


async def attempts(store: SqliteStore, event: bytes) -> int:
    row = await store.read(lambda tx: tx.one("SELECT attempts FROM outbox WHERE event = :event", event=event))
    assert row is not None
    return int(row[0])


async def test_a_committed_event_leaves_and_is_forgotten(store: SqliteStore) -> None:
    target = Target()
    async with running(Outbox(store, target.deliver, VirtualClock())):
        await send(store, ("arn:a", b"1"))
        await target.wait(taken=1)
        await until_empty(store)
    assert target.taken == [("arn:a", b"1")]


async def test_events_left_by_an_earlier_run_leave_first(store: SqliteStore, reopen: Reopen) -> None:
    await send(store, ("arn:a", b"1"), ("arn:b", b"2"))
    again, target = await reopen(), Target()
    async with running(Outbox(again, target.deliver, VirtualClock())):
        await target.wait(taken=2)
        await send(again, ("arn:a", b"3"))
        await target.wait(taken=3)
        await until_empty(again)
    assert sorted(target.taken) == [("arn:a", b"1"), ("arn:a", b"3"), ("arn:b", b"2")]


async def test_the_events_of_a_target_arrive_in_the_order_of_their_commits(store: SqliteStore) -> None:
    target = Target()
    names = ["arn:a", "arn:b", "arn:c"]
    async with running(Outbox(store, target.deliver, VirtualClock())):
        for number in range(60):
            await send(store, *((name, b"%d" % number) for name in names))
        await target.wait(taken=180)
        await until_empty(store)
    for name in names:
        assert [event for taker, event in target.taken if taker == name] == [b"%d" % number for number in range(60)]


async def test_a_refused_event_is_tried_again_before_the_next_of_its_target(store: SqliteStore) -> None:
    clock, target = RestingClock(), Target({b"1": 3})
    async with running(Outbox(store, target.deliver, clock)):
        await send(store, ("arn:a", b"1"), ("arn:a", b"2"))
        for failed in range(1, 4):
            await clock.rests(failed)
            assert target.attempts == [b"1"] * failed
            await clock.advance(pause(failed))
        await target.wait(taken=2)
        await until_empty(store)
    assert target.attempts == [b"1"] * 4 + [b"2"]


async def test_a_failing_target_holds_up_nobody_else(store: SqliteStore) -> None:
    target = Target({b"poison": NEVER})
    async with running(Outbox(store, target.deliver, VirtualClock())):
        await send(store, ("arn:bad", b"poison"), ("arn:bad", b"behind"), ("arn:good", b"1"))
        await target.wait(taken=1)
        await send(store, ("arn:good", b"2"))
        await target.wait(taken=2)
    assert target.taken == [("arn:good", b"1"), ("arn:good", b"2")]


async def test_many_failing_targets_take_no_places_while_they_rest(store: SqliteStore) -> None:
    count = 2 * limits.OUTBOX_CONCURRENCY
    target = Target({b"poison": NEVER})
    async with running(Outbox(store, target.deliver, VirtualClock())):
        await send(store, *((f"arn:bad:{number}", b"poison") for number in range(count)))
        await target.wait(attempts=count)
        await send(store, ("arn:good", b"1"))
        await target.wait(taken=1)


async def test_an_event_that_is_never_taken_ends_with_the_dead_and_frees_its_target(store: SqliteStore) -> None:
    clock, target = RestingClock(), Target({b"poison": limits.OUTBOX_ATTEMPTS})
    outbox = Outbox(store, target.deliver, clock)
    async with running(outbox):
        await send(store, ("arn:a", b"poison"), ("arn:a", b"behind"))
        for failed in range(1, limits.OUTBOX_ATTEMPTS):
            await clock.rests(failed)
            assert await attempts(store, b"poison") == failed
            await clock.advance(pause(failed))
        await target.wait(taken=1)
        await until_empty(store)
        assert target.taken == [("arn:a", b"behind")]
        (dead,) = await outbox.dead()
        assert (dead.target, dead.event, dead.attempts) == ("arn:a", b"poison", limits.OUTBOX_ATTEMPTS)
        assert dead.error == "RuntimeError: refused poison"

        assert await outbox.revive(dead.id) is True
        await target.wait(taken=2)
        await until_empty(store)
    assert target.taken[-1] == ("arn:a", b"poison")
    assert await outbox.dead() == []
    assert await outbox.revive(dead.id) is False


async def test_attempts_are_remembered_over_a_restart(store: SqliteStore, reopen: Reopen) -> None:
    clock, target = RestingClock(), Target({b"poison": NEVER})
    async with running(Outbox(store, target.deliver, clock)):
        await send(store, ("arn:a", b"poison"))
        await clock.rests(1)
    again = await reopen()
    async with running(Outbox(again, target.deliver, clock)):
        await clock.rests(2)
    assert await attempts(again, b"poison") == 2


async def test_an_event_whose_deletion_was_cut_off_is_delivered_again(store: SqliteStore) -> None:
    taken, stay = asyncio.Event(), asyncio.Event()

    async def take_and_hang(target: str, event: bytes) -> None:
        taken.set()
        await stay.wait()

    await send(store, ("arn:a", b"1"))
    async with running(Outbox(store, take_and_hang, VirtualClock())):
        await taken.wait()
    assert await waiting(store) == [b"1"]
    target = Target()
    async with running(Outbox(store, target.deliver, VirtualClock())):
        await target.wait(taken=1)
        await until_empty(store)


async def test_a_delivery_that_hangs_is_given_a_deadline(store: SqliteStore) -> None:
    clock, started, ended = RestingClock(), asyncio.Event(), asyncio.Event()

    async def hang(target: str, event: bytes) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await send(store, ("arn:a", b"1"))
    async with running(Outbox(store, hang, clock)):
        await started.wait()
        await clock.advance(limits.OUTBOX_DELIVERY_S - 1)
        assert not ended.is_set()
        await clock.advance(1)
        assert ended.is_set()
        await clock.rests(1)
        assert await attempts(store, b"1") == 1


async def test_deliveries_at_one_time_are_bounded(store: SqliteStore) -> None:
    now, most, full, go_on = 0, 0, asyncio.Event(), asyncio.Event()
    count = 3 * limits.OUTBOX_CONCURRENCY

    async def deliver(target: str, event: bytes) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == limits.OUTBOX_CONCURRENCY:
            full.set()
        await go_on.wait()
        now -= 1

    await send(store, *((f"arn:{number}", b"") for number in range(count)))
    async with running(Outbox(store, deliver, VirtualClock())):
        await full.wait()
        go_on.set()
        await until_empty(store)
    assert most == limits.OUTBOX_CONCURRENCY


class LateReads:
    """A store whose first empty answer to a lane arrives only after the worker has heard of the next commit."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._asked = 0
        self._heard = asyncio.Event()
        self.empty = asyncio.Event()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        answer = await self._store.read(work)
        if answer is None and not self.empty.is_set():
            self.empty.set()
            await self._heard.wait()
        return answer

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.write(work)

    async def sent(self) -> set[str]:
        self._asked += 1
        if self._asked == 3:  # the two commits of the test have both been acted on
            self._heard.set()
        return await self._store.sent()


async def test_an_event_that_comes_while_its_lane_ends_is_not_left_behind(store: SqliteStore) -> None:
    late, target = LateReads(store), Target()
    async with running(Outbox(late, target.deliver, VirtualClock())):
        await send(store, ("arn:a", b"1"))
        await late.empty.wait()
        await send(store, ("arn:a", b"2"))
        await target.wait(taken=2)


async def test_a_failing_store_ends_the_run_and_the_next_run_goes_on(store: SqliteStore, reopen: Reopen) -> None:
    target, entered, go_on = Target(), asyncio.Event(), asyncio.Event()

    async def slow(name: str, event: bytes) -> None:
        entered.set()
        await go_on.wait()

    await send(store, ("arn:a", b"1"))
    task = asyncio.create_task(Outbox(store, slow, VirtualClock()).run())
    await entered.wait()
    again = await reopen()
    go_on.set()
    with pytest.raises(ExceptionGroup):
        await task
    async with running(Outbox(again, target.deliver, VirtualClock())):
        await target.wait(taken=1)
        await until_empty(again)


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [pause(failed) for failed in range(1, limits.OUTBOX_ATTEMPTS)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert max(pauses) == pause(NEVER) == limits.OUTBOX_RETRY_MAX_S
    assert 10 * 60 < sum(pauses) < 15 * 60
