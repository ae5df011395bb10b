"""The desk of a front: every call gets an answer, whatever becomes of it, and tasks are used again."""

from __future__ import annotations

import asyncio
import heapq
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.authority import Principal
from lambent.kernel.clock import SystemClock, VirtualClock, settle
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor
from lambent.wire.fronts.desk import Desk
from lambent.wire.fronts.link import Link
from lambent.wire.fronts.messages import Ask, FromServer, Gone, Hello, Output, Ping, Pong, Ready, Refusal
from lambent.wire.fronts.passage import Passage
from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.kernel.clock import Clock

PATIENCE_S = 20
CALLER = Principal("123456789012", "arn:aws:iam::123456789012:root", "123456789012")


def ask(number: int, kind: str) -> Ask:
    return Ask(number, "Invoke", "us-east-1", CALLER, "id", "localhost", {"kind": kind})


class Office:
    """A desk, the front's ends of its sockets, and whose desk it is."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any] | None] = []
        self.changes = 0
        self.given_back: list[tuple[socket.socket, bytes]] = []
        self.passage: Passage
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.link: Link[Any] = Link(FromServer, self.heard.put_nowait, lambda: None)

    async def perform(self, asked: Ask) -> dict[str, Any] | HttpResponse:
        self.tasks.append(asyncio.current_task())
        match asked.request["kind"]:
            case "refused":
                return HttpResponse(404, [("a", "b")], b"{}")
            case "bug":
                raise RuntimeError("as asked")
            case "unsendable":
                return {"value": object()}
        return {"value": asked.number}

    def returned(self, connection: socket.socket, read: bytes) -> None:
        self.given_back.append((connection, read))

    def changed(self) -> None:
        self.changes += 1

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()


class StandingClock(VirtualClock):
    """A clock on which time passes while nothing runs: what falls due meanwhile is seen at the end of it."""

    async def advance(self, seconds: float) -> None:
        self._elapsed += seconds
        while self._timers and self._timers[0][0] <= self._elapsed:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()
        await settle()


@asynccontextmanager
async def opened(clock: Clock | None = None) -> AsyncIterator[tuple[Office, Desk]]:
    """A desk whose front is ready."""
    link, passage = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    office, tasks = Office(), Supervisor(SystemClock())
    office.passage = Passage(passage[1], lambda lent, _read: lent.close(), lambda: None)
    desk = Desk(office, office.perform, clock or SystemClock(), tasks, passage[0])
    await asyncio.get_running_loop().create_connection(lambda: office.link, sock=link[1])
    office.link.send(Ready())
    await desk.open(link[0], Hello(Settings(), b"key", (), 30))
    assert isinstance(await office.next(), Hello)
    try:
        yield office, desk
    finally:
        desk.close()
        office.passage.close()
        await tasks.stop()


async def test_a_call_is_answered_and_so_is_one_that_is_refused() -> None:
    async with opened() as (office, _):
        office.link.send(ask(1, "plain"))
        assert await office.next() == Output(1, {"value": 1})
        office.link.send(ask(2, "refused"))
        assert await office.next() == Refusal(2, 404, [("a", "b")], b"{}")


@pytest.mark.parametrize("kind", ["bug", "unsendable"])
async def test_a_bug_is_answered_and_logged_and_the_next_call_is_served(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as (office, _):
        office.link.send(ask(1, kind))
        refusal = await office.next()
        assert (refusal.number, refusal.status) == (1, 500)
        assert "Invoke failed, request id" in caplog.text
        office.link.send(ask(2, "plain"))
        assert await office.next() == Output(2, {"value": 2})


async def test_one_task_answers_what_comes_one_after_the_other() -> None:
    async with opened() as (office, _):
        for number in range(5):
            office.link.send(ask(number, "plain"))
            await office.next()
        assert len(set(office.tasks)) == 1


async def test_the_connections_of_a_front_are_counted_until_it_is_gone() -> None:
    async with opened() as (office, desk):
        ours, theirs = socket.socketpair()
        for _ in range(3):
            desk.lend(theirs.fileno())
        office.link.send(Gone())
        office.link.send(ask(1, "plain"))
        await office.next()
        assert (desk.lent, office.changes) == (2, 1)
        office.link.close()
        async with asyncio.timeout(PATIENCE_S):
            await desk.gone.wait()
        assert (desk.lent, desk.ready, desk.free) == (0, False, False)
        ours.close()
        theirs.close()


async def test_a_front_that_answers_is_kept_and_asked_only_while_it_has_clients() -> None:
    clock = VirtualClock()
    async with opened(clock) as (office, desk):
        ours, theirs = socket.socketpair()
        await clock.advance(10 * limits.FRONT_PULSE_S)
        desk.lend(theirs.fileno())
        for _ in range(10):
            await clock.advance(limits.FRONT_PULSE_S)
            assert await office.next() == Ping()
            office.link.send(Pong())
            office.link.send(ask(1, "plain"))
            await office.next()  # what was sent before it has been heard
        assert desk.free
        office.link.send(Gone())
        office.link.send(ask(1, "plain"))
        await office.next()
        await clock.advance(10 * limits.FRONT_PULSE_S)
        assert office.heard.empty()
        ours.close()
        theirs.close()


async def test_a_front_that_does_not_answer_is_lent_no_more_and_then_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock()
    async with opened(clock) as (office, desk):
        ours, theirs = socket.socketpair()
        desk.lend(theirs.fileno())
        await clock.advance(limits.FRONT_PULSE_S)
        assert desk.free
        await clock.advance(limits.FRONT_PULSE_S)
        assert not desk.free
        office.link.send(Pong())
        office.link.send(ask(1, "plain"))
        while not isinstance(await office.next(), Output):
            pass
        assert desk.free
        await clock.advance(limits.FRONT_PULSES * limits.FRONT_PULSE_S)
        assert not desk.gone.is_set()
        await clock.advance(limits.FRONT_PULSE_S)
        async with asyncio.timeout(PATIENCE_S):
            await desk.gone.wait()
        assert "a front with 1 connections does not answer any more" in caplog.text
        ours.close()
        theirs.close()


async def test_a_server_that_has_stood_still_does_not_take_its_fronts_for_hung() -> None:
    clock = StandingClock()
    async with opened(clock) as (office, desk):
        ours, theirs = socket.socketpair()
        desk.lend(theirs.fileno())
        for _ in range(3):
            await clock.advance(100 * limits.FRONT_PULSE_S)
            assert await office.next() == Ping()
            assert not desk.gone.is_set()
            office.link.send(Pong())
            office.link.send(ask(1, "plain"))
            await office.next()
        ours.close()
        theirs.close()


async def test_what_a_front_has_given_back_before_its_end_is_not_lost() -> None:
    async with opened() as (office, desk):
        ours, theirs = socket.socketpair()
        asyncio.get_running_loop().remove_reader(desk._passage._socket.fileno())  # it looks at the link first
        for _ in range(3):
            desk.lend(theirs.fileno())
            office.passage.hand(theirs.fileno(), b"GET /")
        office.link.close()
        async with asyncio.timeout(PATIENCE_S):
            await desk.gone.wait()
        assert [read for _, read in office.given_back] == [b"GET /"] * 3
        assert desk.lent == 0
        for connection, _ in office.given_back:
            connection.close()
        ours.close()
        theirs.close()
