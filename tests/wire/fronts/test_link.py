"""The link and the passage of a front: what is sent arrives whole, however it is cut, and its end is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.authority import Principal, Session
from lambent.kernel.clock import settle
from lambent.wire.fronts.link import Link
from lambent.wire.fronts.messages import Ask, Finish, FromFront, FromServer, Gone, Output, Ready, Refusal
from lambent.wire.fronts.passage import Passage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE_S = 20
CALLER = Principal("123456789012", "arn:aws:iam::123456789012:root", "123456789012", Session(tags={"a": "b"}))
ASK = Ask(7, "Invoke", "eu-west-1", CALLER, "id", "localhost:4566", {"FunctionName": "f", "Payload": b"\x00{}"})


class Heard:
    """One end of a link, and what it has heard."""

    def __init__(self, kind: Any) -> None:
        self.messages: list[Any] = []
        self.lost = asyncio.Event()
        self.link: Link[Any] = Link(kind, self.messages.append, self.lost.set)


def frames(messages: Sequence[Any]) -> bytes:
    """What goes over the wire for `messages`."""
    written: list[bytes] = []

    class Transport:
        def write(self, data: bytes) -> None:
            written.append(bytes(data))

    sender = Heard(FromServer)
    sender.link.connection_made(Transport())  # type: ignore[arg-type]
    for message in messages:
        sender.link.send(message)
    return b"".join(written)


async def test_what_a_front_says_arrives_wherever_it_is_cut() -> None:
    said = [Ready(), ASK, Gone(), Gone(), ASK]
    data = frames(said)
    for size in range(1, len(data) + 1):
        heard = Heard(FromFront)
        for start in range(0, len(data), size):
            heard.link.data_received(data[start : start + size])
        assert heard.messages == said, size


async def test_what_the_server_says_arrives() -> None:
    output = {"StatusCode": 200, "FunctionError": None, "Payload": b"x" * 1_000_000}
    said = [Output(1, output), Refusal(2, 404, [("Name", "value")], b"{}"), Finish()]
    data = frames(said)
    heard = Heard(FromServer)
    for start in range(0, len(data), 65536):
        heard.link.data_received(data[start : start + 65536])
    assert heard.messages == said


async def test_a_message_beyond_the_limit_is_not_waited_for() -> None:
    heard = Heard(FromServer)
    with pytest.raises(ValueError, match="over a link"):
        heard.link.data_received((limits.FRONT_MESSAGE_BYTES + 1).to_bytes(4, "big"))


async def test_the_end_of_a_link_is_told_at_both_ends_and_sending_after_it_is_harmless() -> None:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    here, there = Heard(FromServer), Heard(FromFront)
    await loop.create_connection(lambda: here.link, sock=ours)
    await loop.create_connection(lambda: there.link, sock=theirs)
    here.link.close()
    async with asyncio.timeout(PATIENCE_S):
        await here.lost.wait()
        await there.lost.wait()
    here.link.send(Gone())
    here.link.close()


class Passed:
    """One end of a passage, and what has come through it."""

    def __init__(self, ours: socket.socket) -> None:
        self.arrived: asyncio.Queue[tuple[socket.socket, bytes]] = asyncio.Queue()
        self.dropped = asyncio.Queue[None]()
        self.passage = Passage(
            ours,
            lambda connection, read: self.arrived.put_nowait((connection, read)),
            lambda: self.dropped.put_nowait(None),
        )


@contextlib.contextmanager
def no_descriptor_free() -> Iterator[None]:
    """This process can open nothing more."""
    least = os.dup(0)
    os.close(least)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("size", [0, 1, 65_532, 65_533, 400_000])
async def test_connections_arrive_in_order_with_what_was_read_of_them(size: int) -> None:
    here, there = map(Passed, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    pairs = [socket.socketpair() for _ in range(5)]
    read = os.urandom(size)
    for ours, theirs in pairs:
        here.passage.hand(theirs.fileno(), read)
        theirs.close()
        ours.send(b"later")
    for ours, _ in pairs:
        async with asyncio.timeout(PATIENCE_S):
            connection, came = await there.arrived.get()
        assert came == read
        assert not connection.get_inheritable()
        assert connection.recv(5) == b"later"
        connection.send(b"answer")
        connection.close()
        assert ours.recv(6) == b"answer"
        assert ours.recv(1) == b""
        ours.close()
    here.passage.close()
    there.passage.close()


async def test_a_passage_that_is_full_or_has_no_other_end_is_blocked() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = Passed(ours)
    client, connection = socket.socketpair()
    while not here.passage.blocked:
        here.passage.hand(connection.fileno(), bytes(60_000))
    connection.close()
    there = Passed(theirs)
    async with asyncio.timeout(PATIENCE_S):
        while here.passage.blocked:
            (await there.arrived.get())[0].close()
    there.passage.close()
    await settle()
    assert here.passage.blocked
    here.passage.close()
    here.passage.close()
    client.close()


@pytest.mark.parametrize("size", [7, 100_000])
async def test_what_was_read_of_a_connection_that_cannot_be_taken_is_never_anothers(size: int) -> None:
    here, there = map(Passed, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    (ours, lost), (other, theirs) = socket.socketpair(), socket.socketpair()
    with no_descriptor_free():
        here.passage.hand(lost.fileno(), b"a" * size)
        async with asyncio.timeout(PATIENCE_S):
            await there.dropped.get()
            await settle()
    lost.close()
    assert ours.recv(1) == b""
    here.passage.hand(theirs.fileno(), b"theirs")
    async with asyncio.timeout(PATIENCE_S):
        connection, came = await there.arrived.get()
    assert came == b"theirs"
    assert (there.arrived.qsize(), there.dropped.qsize(), here.dropped.qsize()) == (0, 0, 0)
    for each in (here.passage, there.passage, connection, ours, other, theirs):
        each.close()


async def test_a_connection_that_cannot_be_put_off_is_told_to_be_lost() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = Passed(ours)
    client, connection = socket.socketpair()
    while not here.passage.blocked:
        here.passage.hand(connection.fileno(), bytes(60_000))
    with no_descriptor_free():
        here.passage.hand(connection.fileno(), b"")
    assert here.dropped.qsize() == 1
    here.passage.close()
    for each in (theirs, client, connection):
        each.close()


async def test_an_end_that_reads_no_more_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    here = Heard(FromFront)
    await asyncio.get_running_loop().create_connection(lambda: here.link, sock=ours)
    here.link.send(Output(1, {"Payload": bytes(4_000_000)}))
    here.link.close()
    async with asyncio.timeout(PATIENCE_S):
        await here.lost.wait()
    theirs.close()


async def test_what_is_still_to_be_handed_over_is_waited_for() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = Passed(ours)
    client, connection = socket.socketpair()
    await here.passage.flush()
    count = 0
    while not here.passage.blocked:
        here.passage.hand(connection.fileno(), bytes(60_000))
        count += 1
    flushing = asyncio.ensure_future(here.passage.flush())
    await settle()
    assert not flushing.done()
    there = Passed(theirs)
    async with asyncio.timeout(PATIENCE_S):
        await flushing
        here.passage.close()
        for _ in range(count):
            (await there.arrived.get())[0].close()
    there.passage.close()
    for each in (client, connection):
        each.close()


async def test_who_takes_nothing_any_more_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = Passed(ours)
    client, connection = socket.socketpair()
    while not here.passage.blocked:
        here.passage.hand(connection.fileno(), bytes(60_000))
    flushing = asyncio.ensure_future(here.passage.flush())
    await settle()
    theirs.close()
    async with asyncio.timeout(PATIENCE_S):
        await flushing
    here.passage.close()
    for each in (client, connection):
        each.close()


async def test_what_an_end_has_handed_over_arrives_though_it_has_left_something_unread() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here, there = Passed(ours), Passed(theirs)
    asyncio.get_running_loop().remove_reader(theirs.fileno())
    client, connection = socket.socketpair()
    here.passage.hand(connection.fileno(), b"unread")
    for read in (b"first", b"last"):
        there.passage.hand(connection.fileno(), read)
    there.passage.close()
    here.passage.drain()
    for read in (b"first", b"last"):
        arrived, told = here.arrived.get_nowait()
        assert told == read
        arrived.close()
    for each in (client, connection):
        each.close()
