"""The queue in memory beside a store that answers when the test lets it: what happens in between is not lost, nor
done twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor
from lambent.services.lambda_.queue.events import Queue
from lambent.services.lambda_.records.events import Envelope, Event, Line
from lambent.services.lambda_.rules.async_outcomes import Done, Retry, Wait
from lambent.services.lambda_.store import events
from lambent.services.lambda_.store.events import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DONE = Done("Success")
REFUSED = Wait(everywhere=False, until_ms=10**15)


def line(number: int) -> Line:
    return Line(id=number, account="0" * 12, region="us-east-1", function=f"f{number}", qualifier=None)


def event(number: int, of: int = 1, size: int = 2) -> Event:
    return Event(number, line(of), Envelope(request_id=str(number), accepted_ms=0), b"1" * size)


class SlowStore:
    """Answers each question for a page with what the test says, when it says so."""

    def __init__(self, *lines: Line) -> None:
        self._lines = list(lines)
        self.asked: list[asyncio.Future[Page]] = []

    async def read(self, work: Any) -> Any:
        if work is events.lines:
            return self._lines
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def page(self, *found: Event, more: bool = False, next_ms: int | None = None) -> None:
        """Answer the question that was asked first."""
        self.asked.pop(0).set_result(Page(list(found), more, next_ms))
        await settle()


class Site:
    """A queue whose events run until the test says what came of them."""

    def __init__(self, store: SlowStore) -> None:
        self.store = store
        self.clock = VirtualClock(0)
        self.running: dict[int, asyncio.Future[Any]] = {}
        self.runs: list[int] = []
        self._supervisor = Supervisor(self.clock)
        reader: Any = store
        self.queue = Queue(reader, self.clock, self._supervisor)

    async def open(self) -> None:
        self._supervisor.start("queue", self.queue.run(self._attempt))
        await settle()

    async def close(self) -> None:
        await self._supervisor.stop()

    async def take(self, *taken: Event) -> None:
        for each in taken:
            self.queue.take(each)
        await settle()

    async def end(self, number: int, verdict: Any = DONE) -> None:
        """The event has come to its end, or has not."""
        give = self.running.pop(number)
        if isinstance(verdict, Exception):
            give.set_exception(verdict)
        else:
            give.set_result(verdict)
        await settle()

    async def _attempt(self, taken: Event) -> Any:
        self.runs.append(taken.id)
        self.running[taken.id] = asyncio.get_running_loop().create_future()
        return await self.running[taken.id]


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    made = Site(SlowStore(*getattr(request, "param", ())))
    await made.open()
    yield made
    await made.close()


ONE_LINE = pytest.mark.parametrize("site", [(line(1),)], indirect=True, ids=["one line"])


@ONE_LINE
async def test_what_ends_while_the_store_is_read_does_not_run_again(site: Site) -> None:
    await site.take(event(1))
    await site.end(1)
    await site.store.page(event(1), event(2))
    assert site.runs == [1, 2]


@ONE_LINE
async def test_what_is_accepted_while_the_store_is_read_runs_once(site: Site) -> None:
    await site.store.page(event(1), more=True)
    await site.take(event(2))
    await site.store.page(event(2), event(3))
    assert site.runs == [1, 2, 3]


@ONE_LINE
async def test_what_is_put_off_while_the_store_is_read_waits_until_it_is_due(site: Site) -> None:
    await site.store.page(event(1), more=True)
    await site.end(1, Retry(60_000))
    await site.store.page(event(1))
    assert site.runs == [1]
    await site.clock.advance(59)
    assert site.store.asked == []
    await site.clock.advance(1)
    await site.store.page(event(1))
    assert site.runs == [1, 1]


@ONE_LINE
async def test_what_was_read_before_a_change_is_read_again(site: Site) -> None:
    site.queue.changed(line(1).key)
    await site.store.page(event(1))
    assert site.runs == []
    await site.store.page(event(2))
    assert site.runs == [2]


@ONE_LINE
async def test_a_store_that_fails_is_asked_again_after_a_rest(site: Site) -> None:
    site.store.asked.pop().set_exception(OSError("the disk"))
    await settle()
    assert site.store.asked == []
    await site.clock.advance(limits.ASYNC_PAUSE_MIN_S)
    await site.store.page(event(1))
    assert site.runs == [1]


@ONE_LINE
async def test_a_line_that_rests_is_not_in_memory(site: Site) -> None:
    await site.store.page(event(1), event(2))
    await site.end(1, REFUSED)
    await site.end(2, REFUSED)
    assert (site.queue._held, site.queue._held_bytes) == (0, 0)
    await site.clock.advance(limits.ASYNC_PAUSE_MIN_S)
    await site.store.page(event(1), event(2))
    assert site.runs == [1, 2, 1]
    await site.end(1)
    assert site.runs == [1, 2, 1, 2]


async def test_a_line_that_cannot_run_makes_room_for_one_that_can(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASYNC_HELD", 4)
    await site.take(event(1))
    site.queue._lines[1].window.close()
    await site.take(event(2), event(3), event(4))
    assert site.runs == [1]
    await site.take(event(5, of=2))
    await site.store.page(event(5, of=2))
    assert site.runs == [1, 5]
    await site.end(1)
    await site.store.page(event(2), event(3), event(4))
    assert site.runs == [1, 5, 2, 3]


async def test_a_line_of_which_nothing_runs_is_read_though_others_fill_the_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ASYNC_HELD", 4)
    site.queue._window._limit = site.queue._window._most = 1
    await site.take(event(1), event(2), event(3), event(4))
    await site.take(event(5, of=2))
    assert site.runs == [1]
    await site.store.page(event(5, of=2))
    assert site.runs == [1, 5]
    await site.store.page(event(2), event(3), event(4))
    await site.end(5)
    await site.end(1)
    for number in (2, 3, 4):
        assert site.runs[-1] == number
        await site.end(number)
    assert site.queue._lines == {}


async def test_bytes_are_bounded_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASYNC_HELD_BYTES", 10)
    await site.take(event(1, size=10), event(2, size=10))
    assert site.queue._held_bytes == 10
    await site.end(1)
    await site.store.page(event(2, size=10))
    assert site.runs == [1, 2]


async def test_a_server_that_stops_starts_nothing_more(site: Site) -> None:
    await site.take(event(1))
    await site.end(1, None)
    await site.take(event(2))
    assert site.runs == [1]


async def test_one_timer_rings_for_the_line_that_is_next(site: Site) -> None:
    await site.take(event(1), event(2, of=2))
    await site.end(1, Retry(30_000))
    await site.end(2, Retry(10_000))
    await site.clock.advance(10)
    await site.store.page(event(2, of=2))
    await site.end(2)
    assert site.store.asked == []
    await site.clock.advance(20)
    await site.store.page(event(1))
    assert site.runs == [1, 2, 2, 1]
