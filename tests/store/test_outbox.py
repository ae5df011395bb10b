"""The outbox: at least once, in order per target, no target in another's way, nothing lost in silence."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from lambent.kernel import limits
from lambent.kernel.arn import Arn
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from lambent.kernel.targets import NO_ATTRIBUTES, Attribute, NoSuchTarget, Sender, Targets
from lambent.store.dead import DeadEvents
from lambent.store.outbox import Outbox, pause
from tests.inboxes import Message, Recipient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from lambent.store.api import Transaction
    from lambent.store.sqlite import SqliteStore

    Reopen = Callable[[], Awaitable[SqliteStore]]
    Sent = tuple[str, Sender | None, Mapping[str, Attribute]]

T = TypeVar("T")

NEVER = 10**9


class Road:
    """All targets, with or without order; `take` is what becomes of an event."""

    def __init__(self, take: Callable[[str, bytes], Awaitable[None]], *, ordered: bool = True) -> None:
        self._take = take
        self._ordered = ordered
        self.with_them: list[Sent] = []

    def ordered(self, arn: str) -> bool:
        return self._ordered

    async def deliver(
        self,
        arn: str,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        self.with_them.append((trace, sender, attributes))
        await self._take(arn, event)


class Target(Road):
    """Takes events and remembers them; refuses the first `refusals` attempts at an event that is named in them."""

    def __init__(
        self, refusals: dict[bytes, int] | None = None, error: Exception | None = None, *, ordered: bool = True
    ) -> None:
        super().__init__(self._remember, ordered=ordered)
        self.taken: list[tuple[str, bytes]] = []
        self.attempts: list[bytes] = []
        self._refusals = dict(refusals or {})
        self._error = error
        self._changed = asyncio.Condition()

    async def _remember(self, target: str, event: bytes) -> None:
        self.attempts.append(event)
        refused = self._refusals.get(event, 0)
        if refused:
            self._refusals[event] = refused - 1
        else:
            self.taken.append((target, event))
        async with self._changed:
            self._changed.notify_all()
        if refused:
            raise self._error or RuntimeError(f"refused {event.decode()}")

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
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, ("arn:a", b"1"))
        await target.wait(taken=1)
        await until_empty(store)
    assert target.taken == [("arn:a", b"1")]


async def test_events_left_by_an_earlier_run_leave_first(store: SqliteStore, reopen: Reopen) -> None:
    await send(store, ("arn:a", b"1"), ("arn:b", b"2"))
    again, target = await reopen(), Target()
    async with running(Outbox(again, target, VirtualClock())):
        await target.wait(taken=2)
        await send(again, ("arn:a", b"3"))
        await target.wait(taken=3)
        await until_empty(again)
    assert sorted(target.taken) == [("arn:a", b"1"), ("arn:a", b"3"), ("arn:b", b"2")]


async def test_the_events_of_a_target_arrive_in_the_order_of_their_commits(store: SqliteStore) -> None:
    target = Target()
    names = ["arn:a", "arn:b", "arn:c"]
    async with running(Outbox(store, target, VirtualClock())):
        for number in range(60):
            await send(store, *((name, b"%d" % number) for name in names))
        await target.wait(taken=180)
        await until_empty(store)
    for name in names:
        assert [event for taker, event in target.taken if taker == name] == [b"%d" % number for number in range(60)]


async def test_a_refused_event_is_tried_again_before_the_next_of_its_target(store: SqliteStore) -> None:
    clock, target = RestingClock(), Target({b"1": 3})
    async with running(Outbox(store, target, clock)):
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
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, ("arn:bad", b"poison"), ("arn:bad", b"behind"), ("arn:good", b"1"))
        await target.wait(taken=1)
        await send(store, ("arn:good", b"2"))
        await target.wait(taken=2)
    assert target.taken == [("arn:good", b"1"), ("arn:good", b"2")]


async def test_many_failing_targets_take_no_places_while_they_rest(store: SqliteStore) -> None:
    count = 2 * limits.OUTBOX_CONCURRENCY
    target = Target({b"poison": NEVER})
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, *((f"arn:bad:{number}", b"poison") for number in range(count)))
        await target.wait(attempts=count)
        await send(store, ("arn:good", b"1"))
        await target.wait(taken=1)


async def test_an_event_that_is_never_taken_ends_with_the_dead_and_frees_its_target(store: SqliteStore) -> None:
    clock, target = RestingClock(), Target({b"poison": limits.OUTBOX_ATTEMPTS})
    dead_events = DeadEvents(store)
    async with running(Outbox(store, target, clock)):
        await send(store, ("arn:a", b"poison"), ("arn:a", b"behind"))
        for failed in range(1, limits.OUTBOX_ATTEMPTS):
            await clock.rests(failed)
            assert await attempts(store, b"poison") == failed
            await clock.advance(pause(failed))
        await target.wait(taken=1)
        await until_empty(store)
        assert target.taken == [("arn:a", b"behind")]
        (dead,) = await dead_events.page()
        assert (dead.target, dead.size, dead.attempts) == ("arn:a", len(b"poison"), limits.OUTBOX_ATTEMPTS)
        assert dead.error == "RuntimeError: refused poison"
        assert dead.died_ms == int(clock.time() * 1000)
        assert await dead_events.content(dead.id) == b"poison"

        assert await dead_events.revive(dead.id) is True
        await target.wait(taken=2)
        await until_empty(store)
    assert target.taken[-1] == ("arn:a", b"poison")
    assert await dead_events.page() == []
    assert await dead_events.content(dead.id) is None
    assert await dead_events.revive(dead.id) is False


async def test_attempts_are_remembered_over_a_restart(store: SqliteStore, reopen: Reopen) -> None:
    clock, target = RestingClock(), Target({b"poison": NEVER})
    async with running(Outbox(store, target, clock)):
        await send(store, ("arn:a", b"poison"))
        await clock.rests(1)
    again = await reopen()
    async with running(Outbox(again, target, clock)):
        await clock.rests(2)
    assert await attempts(again, b"poison") == 2


async def test_an_event_whose_deletion_was_cut_off_is_delivered_again(store: SqliteStore) -> None:
    taken, stay = asyncio.Event(), asyncio.Event()

    async def take_and_hang(target: str, event: bytes) -> None:
        taken.set()
        await stay.wait()

    await send(store, ("arn:a", b"1"))
    async with running(Outbox(store, Road(take_and_hang), VirtualClock())):
        await taken.wait()
    assert await waiting(store) == [b"1"]
    target = Target()
    async with running(Outbox(store, target, VirtualClock())):
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
    async with running(Outbox(store, Road(hang), clock)):
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
    async with running(Outbox(store, Road(deliver), VirtualClock())):
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
        if answer == [] and not self.empty.is_set():
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
    async with running(Outbox(late, target, VirtualClock())):
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
    task = asyncio.create_task(Outbox(store, Road(slow), VirtualClock()).run())
    await entered.wait()
    again = await reopen()
    go_on.set()
    with pytest.raises(ExceptionGroup):
        await task
    async with running(Outbox(again, target, VirtualClock())):
        await target.wait(taken=1)
        await until_empty(again)


async def test_what_goes_with_an_event_arrives_with_it_also_after_a_death(store: SqliteStore) -> None:
    sender = Sender(service="sns.amazonaws.com", arn="arn:aws:sns:us-east-1:000000000000:t", account="000000000000")
    attributes = {"ErrorCode": Attribute("Number", "200"), "ErrorMessage": Attribute("String", "why \u03bb")}
    target = Target({b"1": 1}, AwsError("ResourceNotFoundException", "gone"))
    dead_events = DeadEvents(store)
    async with running(Outbox(store, target, VirtualClock())):
        await store.write(lambda tx: tx.send("arn:a", b"1", "Root=1", sender, attributes))
        await until_empty(store)
        (dead,) = await dead_events.page()
        await dead_events.revive(dead.id)
        await target.wait(taken=1)
        await send(store, ("arn:a", b"2"))
        await target.wait(taken=2)
    assert target.with_them == [("Root=1", sender, attributes)] * 2 + [("", None, {})]


async def test_an_event_from_before_there_were_envelopes_still_leaves(store: SqliteStore) -> None:
    target = Target()
    await store.write(lambda tx: tx.run("INSERT INTO outbox (target, event) VALUES ('arn:a', X'31')"))
    async with running(Outbox(store, target, VirtualClock())):
        await target.wait(taken=1)
    assert target.with_them == [("", None, {})]


HOPELESS = [
    NoSuchTarget(Arn.parse("arn:aws:sqs:us-east-1:000000000000:queue")),
    AwsError("ResourceNotFoundException", "Function not found"),
]


@pytest.mark.parametrize("error", HOPELESS, ids=["no such service", "no such function"])
async def test_what_no_attempt_can_bring_there_is_not_tried_again(
    store: SqliteStore, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target({b"hopeless": NEVER}, error)
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, ("arn:a", b"hopeless"), ("arn:a", b"behind"))
        await target.wait(taken=1)
        await until_empty(store)
    assert target.attempts == [b"hopeless", b"behind"]
    (dead,) = await DeadEvents(store).page()
    assert dead.attempts == 1
    assert str(error) in dead.error
    assert any(str(error) in record.message for record in caplog.records)


@pytest.mark.parametrize("arn", ["arn::sqs:us-east-1:000000000000:queue", "arn:aws:sqs:"])
async def test_what_is_no_arn_stops_no_other(store: SqliteStore, arn: str) -> None:
    targets, taken = Targets(), asyncio.Queue[Message]()
    targets.register("lambda", Recipient(taken.put_nowait))
    async with running(Outbox(store, targets, VirtualClock())):
        await send(store, (arn, b"nowhere"), ("arn:aws:lambda:us-east-1:000000000000:function:f", b"event"))
        async with asyncio.timeout(30):
            assert (await taken.get()).body == b"event"
        await until_empty(store)
    (dead,) = await DeadEvents(store).page()
    assert (dead.target, dead.attempts) == (arn, 1)


async def test_events_without_order_leave_together_and_a_slow_target_keeps_no_other(store: SqliteStore) -> None:
    now, most, go_on, taken = 0, 0, asyncio.Event(), asyncio.Event()

    async def take(target: str, event: bytes) -> None:
        nonlocal now, most
        if target == "arn:good":
            taken.set()
            return
        now += 1
        most = max(most, now)
        await go_on.wait()
        now -= 1

    await send(store, *(("arn:slow", b"%d" % number) for number in range(100)))
    async with running(Outbox(store, Road(take, ordered=False), VirtualClock())):
        await send(store, *(("arn:slower", b"%d" % number) for number in range(100)))
        await send(store, ("arn:good", b"1"))
        async with asyncio.timeout(30):
            await taken.wait()
        go_on.set()
        await until_empty(store)
    assert 2 < most <= 2 + limits.OUTBOX_ABREAST


async def test_of_events_without_order_only_the_refused_stay(store: SqliteStore) -> None:
    clock, target = RestingClock(), Target({b"3": 1}, ordered=False)
    async with running(Outbox(store, target, clock)):
        await send(store, *(("arn:a", b"%d" % number) for number in range(6)))
        await clock.rests(1)
        assert await attempts(store, b"3") == 1
        await clock.advance(pause(1))
        await target.wait(taken=6)
        await until_empty(store)
    assert sorted(event for _, event in target.taken) == [b"%d" % number for number in range(6)]
    assert target.attempts.count(b"3") == 2


async def test_the_dead_are_kept_up_to_a_number(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DEAD_EVENTS", 5)
    monkeypatch.setattr(limits, "DEAD_EVENTS_SWEPT", 1)
    target = Target({b"%d" % number: NEVER for number in range(20)}, HOPELESS[0])
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, *(("arn:a", b"%d" % number) for number in range(20)))
        await until_empty(store)
    kept = [await DeadEvents(store).content(event.id) for event in await DeadEvents(store).page()]
    assert kept == [b"%d" % number for number in range(15, 20)]


async def test_the_dead_are_kept_up_to_a_size(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DEAD_EVENTS_BYTES", 25)
    monkeypatch.setattr(limits, "DEAD_EVENTS_SWEPT", 1)
    target = Target({b"%010d" % number: NEVER for number in range(5)}, HOPELESS[0])
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, *(("arn:a", b"%010d" % number) for number in range(5)))
        await until_empty(store)
    assert len(await DeadEvents(store).page()) == 2


async def test_all_the_dead_are_revived_or_forgotten_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OUTBOX_PAGE", 3)
    target = Target({b"%d" % number: 2 for number in range(8)}, HOPELESS[0])
    dead_events = DeadEvents(store)
    async with running(Outbox(store, target, VirtualClock())):
        await send(store, *(("arn:a", b"%d" % number) for number in range(8)))
        await until_empty(store)
        assert await dead_events.revive_all() == 8
        await target.wait(attempts=16)
        await until_empty(store)
        (first, *_) = await dead_events.page(count=8)
        assert await dead_events.forget(first.id) is True
        assert await dead_events.forget(first.id) is False
        assert await dead_events.forget_all() == 7
    assert await dead_events.page() == []
    assert target.taken == []


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [pause(failed) for failed in range(1, limits.OUTBOX_ATTEMPTS)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert max(pauses) == pause(NEVER) == limits.OUTBOX_RETRY_MAX_S
    assert 10 * 60 < sum(pauses) < 15 * 60
