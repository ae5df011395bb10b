"""The delivery to an extension's listener: real sockets, virtual time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.telemetry import delivery as module
from lambent.compute.telemetry import schemas
from lambent.compute.telemetry.delivery import Delivery
from lambent.compute.telemetry.subscriptions import Buffering, Destination, Subscription
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor
from tests.compute.telemetry.listeners import PATIENCE_S, connect, http_listener, tcp_sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.compute.telemetry.events import Category, LogsDropped
    from lambent.compute.telemetry.wires import Connect

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Post:
    """A delivery and what is around it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.supervisor = Supervisor(self.clock)
        self.dropped: list[LogsDropped] = []
        self.deliveries: list[Delivery] = []

    def open(
        self,
        port: int,
        protocol: Any = "HTTP",
        types: tuple[Category, ...] = ("platform",),
        reach: Connect = connect,
        **destination: Any,
    ) -> Delivery:
        subscription = Subscription(
            "2022-07-01/telemetry",
            schemas.TELEMETRY["2022-12-13"],
            types,
            Buffering(),
            Destination(protocol, port, **destination),
        )
        found = Delivery("x", subscription, reach, self.clock, self.supervisor, self.dropped.append)
        self.deliveries.append(found)
        return found


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    post = Post()
    yield post
    for delivery in post.deliveries:
        delivery.close()
    await post.supervisor.stop()


def event(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "pad": "x" * size}, separators=(",", ":")).encode()


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [one["n"] for one in events if "n" in one]


async def test_a_batch_is_posted_when_its_time_has_come(post: Post) -> None:
    async with http_listener() as listener:
        delivery = post.open(listener.port, target="/a?b=1")
        for number in range(3):
            delivery.offer(event(number))
        await post.clock.advance(0.999)
        assert not listener.requests
        await post.clock.advance(0.001)
        await listener.until(lambda: bool(listener.requests))
        method, path, headers, body = listener.requests[0]
        assert (method, path) == ("POST", "/a?b=1")
        assert json.loads(body) == [{"n": number, "pad": ""} for number in range(3)]
        assert headers["Content-Type"] == "application/json"
        assert headers["Host"] == f"sandbox.localdomain:{listener.port}"
        assert headers["Sequence-Id"] == base64.b64encode(hashlib.sha256(body).digest()).decode()


async def test_the_connection_is_kept(post: Post) -> None:
    async with http_listener() as listener:
        delivery = post.open(listener.port, method="PUT")
        for number in range(5):
            delivery.offer(event(number))
            await delivery.flush()
        assert numbers(listener.events) == [0, 1, 2, 3, 4]
        assert {method for method, *_ in listener.requests} == {"PUT"}
        assert listener.connections == 1


async def test_a_listener_that_closes_after_each_request_is_connected_to_again(post: Post) -> None:
    async with http_listener("HTTP/1.0") as listener:
        delivery = post.open(listener.port)
        for number in range(3):
            delivery.offer(event(number))
            await delivery.flush()
        assert numbers(listener.events) == [0, 1, 2]
        assert listener.connections == 3


async def test_a_full_batch_does_not_wait(post: Post) -> None:
    async with http_listener() as listener:
        delivery = post.open(listener.port)
        delivery._most_items = 4
        for number in range(8):
            delivery.offer(event(number))
        await listener.until(lambda: len(listener.requests) == 2)
        assert [len(batch) for batch in listener.batches] == [4, 4]
        delivery.offer(event(8))
        await post.clock.advance(1.0)
        await listener.until(lambda: len(listener.requests) == 3)
        assert numbers(listener.events) == list(range(9))


async def test_bytes_fill_a_batch_as_well(post: Post) -> None:
    async with http_listener() as listener:
        delivery = post.open(listener.port)
        for number in range(7):
            delivery.offer(event(number, limits.TELEMETRY_BYTES // 4))
        await listener.until(lambda: bool(listener.requests))
        assert len(listener.batches[0]) == 4


async def test_tcp_gets_lines(post: Post) -> None:
    async with tcp_sink() as (sink, port):
        delivery = post.open(port, "TCP")
        for number in range(3):
            delivery.offer(event(number))
        await delivery.flush()
        delivery.offer(event(3))
        await delivery.flush()
        await sink.until(lambda: sink.data.count(b"\n") == 4)
        assert numbers(sink.events) == [0, 1, 2, 3]


async def test_a_refused_batch_is_counted_in_the_next_one(post: Post) -> None:
    async with http_listener() as listener:
        listener.statuses = [500]
        delivery = post.open(listener.port)
        delivery.offer(event(0))
        delivery.offer(event(1))
        await delivery.flush()
        assert len(listener.requests) == 1
        delivery.offer(event(2))
        await delivery.flush()
        told, last = listener.batches[1]
        assert last["n"] == 2
        assert told["type"] == "platform.logsDropped"
        assert told["record"] == {
            "droppedBytes": len(event(0)) * 2,
            "droppedRecords": 2,
            "reason": "could not send events: http request failed with status 500",
        }
        assert [one.dropped_records for one in post.dropped] == [2]
        delivery.offer(event(3))
        await delivery.flush()
        assert len(listener.batches[2]) == 1, "a loss is told once"


async def test_a_count_that_was_refused_itself_is_not_lost(post: Post) -> None:
    async with http_listener() as listener:
        listener.statuses = [400, 503]
        delivery = post.open(listener.port)
        for number in range(3):
            delivery.offer(event(number))
            await delivery.flush()
        told = listener.batches[2][0]["record"]
        assert told["droppedRecords"] == 2
        assert told["reason"].endswith("503")


async def test_an_idle_function_with_a_dead_listener_sends_nothing_more(post: Post) -> None:
    async with http_listener() as listener:
        listener.statuses = [500] * 100
        delivery = post.open(listener.port)
        delivery.offer(event(0))
        await delivery.flush()
        await post.clock.advance(1000)
        assert len(listener.requests) == 1
        delivery.close()
        assert [one.dropped_records for one in post.dropped] == [1]


async def test_who_does_not_take_platform_events_is_not_told_of_a_loss(post: Post) -> None:
    async with http_listener() as listener:
        listener.statuses = [500]
        delivery = post.open(listener.port, types=("function",))
        for number in range(2):
            delivery.offer(event(number))
            await delivery.flush()
        assert listener.batches[1] == [{"n": 1, "pad": ""}]
        delivery.close()
        assert [one.dropped_records for one in post.dropped] == [1], "the log says it all the same"


async def test_a_listener_may_come_late(post: Post) -> None:
    attempts = asyncio.Queue[int]()
    listening: list[int] = []

    async def late(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        attempts.put_nowait(port)
        if not listening:
            raise ConnectionRefusedError(111, "nobody listens")
        return await connect(listening[0])

    delivery = post.open(1, reach=late)
    delivery.offer(event(0))
    delivery.hurry()
    for pause in (0.1, 0.2):
        await attempts.get()
        await post.clock.advance(pause)
    async with http_listener() as listener:
        listening.append(listener.port)
        await post.clock.advance(0.4)
        await listener.until(lambda: bool(listener.requests))
        assert numbers(listener.events) == [0]
        assert not post.dropped


async def test_where_nobody_ever_listens_it_is_given_up(post: Post) -> None:
    attempts = []

    async def nobody(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        attempts.append(port)
        raise ConnectionRefusedError(111, "nobody listens")

    delivery = post.open(1, reach=nobody)
    delivery.offer(event(0))
    await post.clock.advance(10)
    assert len(attempts) == limits.TELEMETRY_ATTEMPTS
    delivery.close()
    assert post.dropped[0].reason == "could not send events: [Errno 111] nobody listens"


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", SWITCH],
    ids=["none", "no", "half", "another"],
)
async def test_what_is_no_answer_is_tried_again(post: Post, answer: bytes) -> None:
    tried = asyncio.Queue[bool]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()
        tried.put_nowait(True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        delivery = post.open(server.sockets[0].getsockname()[1])
        delivery.offer(event(0))
        delivery.hurry()
        async with asyncio.timeout(PATIENCE_S):
            for pause in (0.1, 0.2, 0.4):
                await tried.get()
                while not post.clock._timers:
                    await settle(1)
                await post.clock.advance(pause)
            await tried.get()
        delivery.close()


async def test_an_endless_answer_is_not_read_to_its_end(post: Post) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * (2 * limits.TELEMETRY_ANSWER_BYTES)
        )
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        delivery = post.open(server.sockets[0].getsockname()[1])
        delivery.offer(event(0))
        async with asyncio.timeout(PATIENCE_S):
            await delivery.flush()
        assert not post.dropped


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
async def test_a_listener_that_never_reads_costs_bounded_memory(post: Post, protocol: str) -> None:
    async with tcp_sink(reading=False) as (sink, port):
        delivery = post.open(port, protocol)
        size = 1_000
        for number in range(20_000):
            delivery.offer(event(number, size))
            if number % 100 == 0:
                await settle(2)
            assert delivery._waiting_bytes <= module._BATCHES_HELD * limits.TELEMETRY_BYTES
        assert sum(map(len, delivery._waiting)) == delivery._waiting_bytes
        assert delivery._lost.records > 10_000
        async with asyncio.timeout(PATIENCE_S):
            if protocol == "TCP":
                sink.open.set()
                await delivery.flush()
                delivery.offer(event(-1))
                await delivery.flush()
                await sink.until(lambda: b'"n":-1' in sink.data)
                found = numbers(sink.events)
                told = [one["record"] for one in sink.events if "record" in one]
                assert found[:-1] == sorted(found[:-1])
                assert sum(one["droppedRecords"] for one in told) + len(found) == 20_001
                assert {one["reason"] for one in told} == {module._TOO_SLOW}


async def test_flush_waits_for_the_answer(post: Post) -> None:
    asked, may = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]")
        asked.set()
        await may.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(PATIENCE_S):
        delivery = post.open(server.sockets[0].getsockname()[1])
        delivery.offer(event(0))
        flushed = post.supervisor.start("flush", delivery.flush())
        await asked.wait()
        assert not flushed.done()
        may.set()
        await flushed
        await delivery.flush()
