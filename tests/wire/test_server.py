"""The HTTP server over real sockets: framing, pipelining, limits, slow and vanishing clients, both loops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.kernel import limits
from lambent.kernel.body import BodyBroken
from lambent.kernel.clock import SystemClock, VirtualClock, settle
from lambent.kernel.tasks import Supervisor
from lambent.wire.http import HttpRequest, HttpResponse
from lambent.wire.server import CannotListen, HttpServer
from tests.wire.raw import PATIENCE_S, echo, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.wire.connection import Connection
    from tests.wire.raw import RawClient, RawServer

HEAD = b"Host: here\r\n"
GET = b"GET /a?b=c HTTP/1.1\r\n" + HEAD + b"\r\n"
POST = b"POST /p HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: ignored\r\n\r\n"
)


def only_connection(server: RawServer) -> Connection:
    (door,) = server.server._filled
    (connection,) = door.connections
    return connection


def post(length: int, *more: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\n" + HEAD + b"".join(more) + b"Content-Length: %d\r\n\r\n" % length


async def test_a_request_is_answered_with_date_server_and_length() -> None:
    async with serving(echo) as server:
        answer = await (await server.connect()).ask(GET)
    assert answer.status == 200
    assert answer.headers["x-path"] == "/a"
    assert answer.headers["x-query"] == "b=c"
    assert answer.headers["server"] == "Lambent"
    assert answer.headers["date"].endswith("GMT")
    assert answer.headers["content-length"] == "0"
    assert "connection" not in answer.headers


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKED])
async def test_a_request_may_be_split_at_every_byte(request_bytes: bytes) -> None:
    async with serving(echo) as server:
        client = await server.connect()
        for at in range(1, len(request_bytes)):
            await client.send(request_bytes[:at])
            await settle(3)
            answer = await client.ask(request_bytes[at:])
            assert answer.status == 200
            assert answer.body == (b"" if request_bytes is GET else b"hello")
        await client.send(b"")
        for byte in request_bytes:
            await client.send(bytes([byte]))
            await settle(2)
        assert (await client.answer()).status == 200


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=st.lists(st.binary(max_size=3000), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 4000), min_size=1, max_size=30),
)
def test_any_sequence_of_requests_in_any_pieces_is_answered_in_order(bodies: list[bytes], cuts: list[int]) -> None:
    async def run() -> None:
        async with serving(echo) as server:
            client = await server.connect()
            stream = b"".join(post(len(body)) + body for body in bodies)
            at = 0
            for cut in cuts:
                await client.send(stream[at : at + cut])
                at += cut
                await settle(1)
            await client.send(stream[at:])
            assert [(await client.answer()).body for _ in bodies] == bodies

    asyncio.run(run())


async def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    running = 0
    order: list[str] = []

    async def handler(http: HttpRequest) -> HttpResponse:
        nonlocal running
        running += 1
        assert running == 1
        await settle(2)
        order.append(http.path)
        running -= 1
        return HttpResponse(200, [], http.path.encode())

    count = 3000
    async with serving(handler) as server:
        client = await server.connect()
        sending = asyncio.ensure_future(
            client.send(b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (n, HEAD) for n in range(count)))
        )
        answers = [(await client.answer()).body for _ in range(count)]
        await sending
    assert answers == [b"/%d" % n for n in range(count)]
    assert order == [f"/{n}" for n in range(count)]


async def test_the_line_of_pipelined_requests_is_bounded() -> None:
    seen = 0
    gate = asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        nonlocal seen
        seen += 1
        await gate.wait()
        return HttpResponse(200, [])

    async with serving(handler) as server:
        client = await server.connect()
        total = 20_000
        client.writer.write(GET * total)
        await settle(300)
        connection = only_connection(server)
        assert len(connection._jobs) <= limits.HTTP_PIPELINED + limits.HTTP_SLICE_BYTES // len(GET)
        assert connection._received < len(GET) * total // 2  # the client is held back
        gate.set()
        for _ in range(total):
            assert (await client.answer()).status == 200
    assert seen == total


class Flood:
    """A client that asks again and again and does not read, and a handler with long answers for it."""

    size = 50_000
    total = 1_000

    def __init__(self) -> None:
        self.answered = 0

    async def handler(self, _http: HttpRequest) -> HttpResponse:
        self.answered += 1
        return HttpResponse(200, [], bytes(self.size))

    async def ask(self, server: RawServer) -> tuple[RawClient, asyncio.Task[None]]:
        """Returns once the server answers no more."""
        client = await server.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] it is of both kinds
        asking = asyncio.ensure_future(client.send(GET * self.total))
        seen = -1
        while seen != self.answered or not seen:
            seen = self.answered
            await settle()
        return client, asking


async def test_who_asks_on_and_does_not_read_is_answered_no_further() -> None:
    flood = Flood()
    async with serving(flood.handler) as server:
        client, asking = await flood.ask(server)
        unsent = only_connection(server)._transport.get_write_buffer_size()
        assert unsent <= limits.HTTP_BODY_BUFFER_BYTES + flood.size + limits.HTTP_HEAD_BYTES
        assert flood.answered < flood.total // 4
        client.writer.transport.resume_reading()  # type: ignore[attr-defined] as above
        for _ in range(flood.total):
            assert len((await client.answer()).body) == flood.size
        await asking


async def test_who_asks_on_does_not_read_and_leaves_is_forgotten() -> None:
    flood = Flood()
    async with serving(flood.handler) as server:
        client, asking = await flood.ask(server)
        client.writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await server.server._nobody.wait()
        await asyncio.wait([asking])
        asking.exception()


def room_for_bodies(server: RawServer) -> int:
    """What is left for bodies that nobody has asked for."""
    return server.server.bodies.left


async def test_small_bodies_are_gathered_only_as_long_as_there_is_room_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "HTTP_BODIES_BYTES", 2_500)
    asked: list[int | None] = []

    async def handler(http: HttpRequest) -> HttpResponse:
        asked.append(http.body.length)
        return HttpResponse(200, [], await http.body.read(2_000))

    async with serving(handler) as server:
        clients = [await server.connect() for _ in range(3)]
        for client, length in zip(clients, (1_000, 1_001, 1_002), strict=True):
            await client.send(post(length) + b"a")
        await settle(500)
        assert asked == [1_002]  # is handed on as it comes
        assert room_for_bodies(server) == 499
        await clients[1].close()
        await clients[0].send(b"a" * 999)
        await clients[2].send(b"a" * 1_001)
        assert len((await clients[0].answer()).body) == 1_000
        assert len((await clients[2].answer()).body) == 1_002
        await settle(500)
        assert room_for_bodies(server) == 2_500


@pytest.mark.parametrize("ending", [b"NONSENSE\r\n\r\n", b""], ids=["refused", "lost"])
async def test_bodies_that_are_never_looked_at_are_counted_out(ending: bytes) -> None:
    gate = asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        await gate.wait()
        return HttpResponse(200, [])

    async with serving(handler) as server:
        whole = room_for_bodies(server)
        client = await server.connect()
        await client.send((post(1_000) + bytes(1_000)) * 3 + ending)
        await settle(500)
        assert room_for_bodies(server) == whole - 3_000
        client.writer.transport.abort()
        gate.set()
        async with asyncio.timeout(PATIENCE_S):
            await server.server._nobody.wait()
        assert room_for_bodies(server) == whole


async def test_requests_behind_a_long_body_are_no_part_of_it() -> None:
    bodies: list[bytes] = []

    async def handler(http: HttpRequest) -> HttpResponse:
        bodies.append(await http.body.read(limits.REQUEST_BODY_BYTES))
        return HttpResponse(200, [])

    long = b"x" * (3 * limits.HTTP_BODY_BUFFER_BYTES + 1)
    post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(long) + long
    async with serving(handler) as server:
        client = await server.connect()
        client.writer.write(post + GET * 2000 + post)
        for _ in range(2002):
            assert (await client.answer()).status == 200
    assert bodies == [long, *[b""] * 2000, long]


async def test_http_1_0_closes_unless_it_asks_for_more() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        answer = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.headers["connection"] == "keep-alive"
        answer = await client.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""


async def test_connection_close_is_honoured_and_what_follows_is_ignored() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n" + GET)
        answer = await client.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""


async def test_head_and_204_and_304_have_no_body() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        return HttpResponse(int(http.path[1:]), [], b"body" if http.path == "/200" else b"")

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(b"HEAD /200 HTTP/1.1\r\n" + HEAD + b"\r\n")
        answer = await client.answer(bodyless=True)
        assert answer.headers["content-length"] == "4"
        for status in (204, 304):
            answer = await client.ask(b"GET /%d HTTP/1.1\r\n%b\r\n" % (status, HEAD))
            assert answer.status == status
            assert "content-length" not in answer.headers
        assert (await client.ask(GET.replace(b"/a?b=c", b"/200"))).body == b"body"


async def test_an_absolute_target_is_taken_apart_and_its_authority_is_the_host() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [], f"{http.path} {http.query} {http.header('host')}".encode())

    async with serving(handler) as server:
        client = await server.connect()
        for target, expected in [
            (b"http://there:80/x/y?z=1", b"/x/y z=1 there:80"),
            (b"http://there", b"/  there"),
            (b"http://there?q=/a", b"/ q=/a there"),
            (b"/x//y?z=/?", b"/x//y z=/? here"),
        ]:
            assert (await client.ask(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HEAD))).body == expected
        await client.send(b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert (await client.answer()).body == b"*  here"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\x01: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
async def test_a_malformed_or_ambiguous_request_is_refused_and_nothing_after_it_is_read(
    head: bytes, status: int
) -> None:
    seen: list[str] = []

    async def handler(http: HttpRequest) -> HttpResponse:
        seen.append(http.path)
        return await echo(http)

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(head + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await client.answer()
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""
    assert "/smuggled" not in seen


async def test_an_error_after_good_requests_is_answered_after_them() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        await client.send(GET + POST + b"NONSENSE\r\n\r\n")
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 400]


@pytest.mark.parametrize("framing", [b"zz\r\n", b"3\nabc", b"fffffffffffffffff\r\n", b"-1\r\n", b"3\r\nabcd\r\n"])
async def test_broken_chunks_end_the_request(framing: bytes) -> None:
    async with serving(echo) as server:
        client = await server.connect()
        await client.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framing)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")


@pytest.mark.parametrize("pieces", [1, 7])
async def test_too_large_a_head_is_refused(pieces: int) -> None:
    async with serving(echo) as server:
        for head in (
            b"GET /" + b"a" * limits.HTTP_HEAD_BYTES + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
            b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * limits.HTTP_HEAD_BYTES + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n" * (limits.HTTP_HEADERS + 1) + b"\r\n",
            b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n" * (limits.HTTP_HEADERS * 50),
        ):
            client = await server.connect()
            size = -(-len(head) // pieces)
            for at in range(0, len(head), size):
                await client.send(head[at : at + size])
            assert (await client.answer()).status == 431


async def test_a_head_just_within_the_limits_is_taken() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        value = b"a" * (limits.HTTP_HEAD_BYTES - 200)
        assert (await client.ask(b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + value + b"\r\n\r\n")).status == 200
        many = b"".join(b"X%d: a\r\n" % n for n in range(limits.HTTP_HEADERS - 1))
        assert (await client.ask(b"GET / HTTP/1.1\r\n" + HEAD + many + b"\r\n")).status == 200
        body = b"b" * (limits.HTTP_BODY_BUFFER_BYTES - 1)
        assert (await client.ask(post(len(body)) + body)).body == body


async def test_endless_trailers_are_refused() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        await client.send(CHUNKED[:-2] + b"Trailer: again\r\n" * 10_000)
        assert (await client.answer()).status == 431
        assert await client.rest() == b""


@pytest.mark.parametrize("beginning", [b"0\r\nTrailer: ", b"0\r\n", b"5;"], ids=["value", "name", "extension"])
async def test_what_never_ends_between_the_bytes_of_a_body_is_refused(beginning: bytes) -> None:
    async with serving(echo) as server:
        client = await server.connect()
        head = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        await client.send(head + beginning)
        sending = asyncio.ensure_future(client.send(b"a" * (4 * limits.HTTP_HEAD_BYTES)))
        assert (await client.answer()).status in (400, 431)
        await sending


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
async def test_the_bodies_of_pipelined_requests_are_bounded_together(*, chunked: bool) -> None:
    gate = asyncio.Event()

    async def handler(http: HttpRequest) -> HttpResponse:
        await gate.wait()
        return HttpResponse(200, [], b"%d" % len(await http.body.read(limits.MIB)))

    body = bytes(limits.HTTP_BODY_BUFFER_BYTES - limits.HTTP_SLICE_BYTES)
    request = post(len(body)) + body
    if chunked:
        request = CHUNKED[: CHUNKED.index(b"3;")] + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    async with serving(handler) as server:
        client = await server.connect()
        total = 2 * limits.HTTP_PIPELINED
        sending = asyncio.ensure_future(client.send(request * total))
        await settle(2_000)
        connection = only_connection(server)
        assert len(connection._jobs) <= 3
        assert connection._received <= 6 * len(request)
        gate.set()
        for _ in range(total):
            assert (await client.answer()).body == b"%d" % len(body)
        await sending


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_goes_through_both_ways(chunked: bool) -> None:
    body = bytes(range(256)) * 28_000
    async with serving(echo) as server:
        client = await server.connect()
        if chunked:
            pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
            data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            head = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        else:
            head, data = post(len(body)), body
        for _ in range(2):
            sending = asyncio.ensure_future(client.send(head + data))
            assert (await client.answer()).body == body
            await sending


async def test_an_unread_body_holds_the_sender_back() -> None:
    gate = asyncio.Event()

    async def handler(http: HttpRequest) -> HttpResponse:
        await gate.wait()
        size = 0
        async for data in http.body:
            size += len(data)
        return HttpResponse(200, [], str(size).encode())

    size = 64 * limits.MIB
    async with serving(handler) as server:
        client = await server.connect()
        client.writer.write(post(size) + bytes(size))
        await settle(300)
        connection = only_connection(server)
        assert connection._received < limits.HTTP_BODY_BUFFER_BYTES + limits.MIB
        gate.set()
        assert (await client.answer()).body == str(size).encode()


async def test_tiny_chunks_do_not_pile_up() -> None:
    gate = asyncio.Event()

    async def handler(http: HttpRequest) -> HttpResponse:
        await gate.wait()
        return await echo(http)

    count = 200_000
    async with serving(handler) as server:
        client = await server.connect()
        client.writer.write(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        client.writer.write(b"1\r\na\r\n" * count + b"0\r\n\r\n")
        await settle(300)
        connection = only_connection(server)
        upload = connection._job.upload if connection._job else None
        assert upload is not None
        assert len(upload._chunks) < 50_000
        gate.set()
        assert (await client.answer()).body == b"a" * count


async def test_many_upgrades_in_one_piece_are_answered() -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost:a\r\nConnection:upgrade\r\nUpgrade:x\r\n\r\n"
    count = limits.HTTP_SLICE_BYTES // len(upgrade)
    async with serving(echo) as server:
        client = await server.connect()
        await client.send(upgrade * count)
        assert [(await client.answer()).status for _ in range(count)] == [200] * count


async def test_a_body_is_streamed_back_while_it_arrives() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            async for data in http.body:
                yield data.upper()

        return HttpResponse(200, [], parts())

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        status, headers = await client.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        chunks = client.chunks()
        for word in (b"one", b"two", b"three"):
            await client.send(b"%x\r\n%b\r\n" % (len(word), word))
            assert await anext(chunks) == word.upper()
        await client.send(b"0\r\n\r\n")
        assert await anext(chunks, None) is None


async def test_the_client_is_told_to_continue_only_when_its_body_is_wanted() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        return await echo(http) if http.path == "/" else HttpResponse(413, [], b"no")

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(post(5, b"Expect: 100-continue\r\n"))
        assert (await client.answer()).status == 100
        await client.send(b"hello")
        assert (await client.answer()).body == b"hello"
        await client.send(post(5, b"Expect: 100-continue\r\n").replace(b" / ", b" /refused "))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await client.rest() == b""


async def test_a_body_that_came_unasked_needs_no_invitation() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        answer = await client.ask(post(5, b"Expect: 100-continue\r\n") + b"hello")
        assert (answer.status, answer.body) == (200, b"hello")


async def test_too_long_a_body_is_refused_before_it_is_sent() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [], await http.body.read(1000))

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(post(300 * limits.MIB, b"Expect: 100-continue\r\n"))
        assert (await client.answer()).status == 413
        client = await server.connect()
        assert (await client.ask(post(2000) + bytes(2000))).status == 413
        assert (await client.ask(GET)).status == 200
        client = await server.connect()
        answer = await client.ask(
            b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + bytes(2000)
        )
        assert answer.status == 413


async def test_an_early_answer_reaches_a_client_that_is_still_sending() -> None:
    async def handler(_http: HttpRequest) -> HttpResponse:
        return HttpResponse(403, [], b"go away")

    size = 20 * limits.MIB
    async with serving(handler) as server:
        client = await server.connect()
        await client.send(post(size) + bytes(size))
        answer = await client.answer()
        assert (answer.status, answer.body, answer.headers["connection"]) == (403, b"go away", "close")
        assert await client.rest() == b""
        client = await server.connect()
        short = limits.HTTP_BODY_BUFFER_BYTES + 1
        assert (await client.ask(post(short) + bytes(short))).status == 403
        assert (await client.ask(GET)).status == 403  # a short rest is skipped and the connection lives


async def test_a_streamed_answer_is_sent_in_chunks_and_held_back_by_a_slow_reader() -> None:
    sent = 0

    async def handler(_http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(400):
                sent += 1
                yield bytes(100_000)

        return HttpResponse(200, [("Content-Type", "x/y")], parts())

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(GET)
        await settle(500)
        assert sent < 400
        answer = await client.answer()
        assert (len(answer.body), sent) == (40_000_000, 400)
        assert "content-length" not in answer.headers


async def test_a_streamed_answer_with_a_known_length_is_not_chunked() -> None:
    async def handler(http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"hel"
            yield b""
            yield b"lo" if http.path == "/a" else b"p"

        return HttpResponse(200, [("content-length", "5")], parts())

    async with serving(handler) as server:
        client = await server.connect()
        answer = await client.ask(GET)
        assert (answer.body, answer.headers["content-length"]) == (b"hello", "5")
        await client.send(GET.replace(b"GET", b"HEAD"))
        assert (await client.answer(bodyless=True)).headers["content-length"] == "5"
        await client.send(GET.replace(b"/a", b"/short"))
        status, _ = await client.head()
        assert status == 200
        assert await client.rest() == b"help"


async def test_http_1_0_gets_a_stream_until_the_connection_closes() -> None:
    async def handler(_http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"hel"
            yield b"lo"

        return HttpResponse(200, [], parts())

    async with serving(handler) as server:
        client = await server.connect()
        answer = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (answer.body, answer.headers["connection"]) == (b"hello", "close")


async def test_a_stream_that_fails_is_cut_so_that_the_client_notices(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"hello"
            raise RuntimeError("broken half-way")

        return HttpResponse(200, [], parts())

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(GET)
        await client.head()
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
    assert "broken half-way" in caplog.text


async def test_a_failing_handler_answers_500_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_http: HttpRequest) -> HttpResponse:
        raise RuntimeError("a bug")

    async with serving(handler) as server:
        client = await server.connect()
        assert (await client.ask(GET)).status == 500
        assert (await client.ask(GET)).status == 500
    assert "RuntimeError: a bug" in caplog.text


@pytest.mark.parametrize("header", [("X", "a\r\nSet-Cookie: b"), ("X\n", "a"), ("X", "a\0"), ("X", "\u20ac")])
async def test_a_header_that_would_break_the_response_is_never_sent(
    header: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_http: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [header], b"")

    async with serving(handler) as server:
        answer = await (await server.connect()).ask(GET)
        assert answer.status == 500
        assert "set-cookie" not in answer.headers
    assert caplog.records


async def test_a_client_that_leaves_does_not_stop_a_running_operation() -> None:
    started, gate, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        started.set()
        await gate.wait()
        finished.set()
        return HttpResponse(200, [])

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(GET)
        await started.wait()
        client.writer.transport.abort()
        await settle()
        gate.set()
        async with asyncio.timeout(PATIENCE_S):
            await finished.wait()


async def test_a_client_that_leaves_ends_a_stream() -> None:
    ended = asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            try:
                yield b"hello"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return HttpResponse(200, [], parts())

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(GET)
        await client.head()
        client.writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()


async def test_a_client_that_leaves_in_its_body_is_told_to_the_handler() -> None:
    told: asyncio.Future[BodyBroken] = asyncio.get_running_loop().create_future()

    async def handler(http: HttpRequest) -> HttpResponse:
        try:
            return await echo(http)
        except BodyBroken as broken:
            told.set_result(broken)
            raise

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(post(limits.MIB) + b"half")
        await settle()
        client.writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            assert "stopped sending" in str(await told)


async def test_a_client_that_only_stops_sending_still_gets_its_answer() -> None:
    gate = asyncio.Event()

    async def handler(http: HttpRequest) -> HttpResponse:
        await gate.wait()
        return await echo(http)

    async with serving(handler) as server:
        client = await server.connect()
        await client.send(POST)
        client.writer.write_eof()
        await settle()
        gate.set()
        assert (await client.answer()).body == b"hello"
        assert await client.rest() == b""


async def test_an_upgrade_is_not_taken_and_the_connection_goes_on() -> None:
    async with serving(echo) as server:
        client = await server.connect()
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
        await client.send(b"GET /1 HTTP/1.1\r\n" + HEAD + upgrade + b"\r\n" + post(5, upgrade) + b"hello" + GET)
        assert (await client.answer()).headers["x-path"] == "/1"
        assert (await client.answer()).body == b"hello"
        assert (await client.answer()).headers["x-path"] == "/a"


# Slow clients, on a clock that the test moves.


async def test_a_head_that_never_ends_is_cut() -> None:
    clock = VirtualClock()
    async with serving(echo, clock) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\n")
        for _ in range(int(limits.HTTP_HEAD_S // 10)):
            await client.send(b"X: a\r\n")  # a little now and then does not help
            await clock.advance(10)
        await clock.advance(3 * limits.HTTP_TICK_S)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")


@pytest.mark.parametrize("length", [1000, 10 * limits.MIB])
async def test_a_body_that_trickles_is_cut(length: int) -> None:
    clock = VirtualClock()
    async with serving(echo, clock) as server:
        client = await server.connect()
        await client.send(post(length))
        for _ in range(int(limits.HTTP_REQUEST_IDLE_S // 10) + 2):
            await client.send(b"a")
            await clock.advance(10)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_a_steady_body_may_take_its_time() -> None:
    clock = VirtualClock()
    async with serving(echo, clock) as server:
        client = await server.connect()
        parts = 20
        await client.send(post(parts * limits.HTTP_TRICKLE_BYTES))
        for _ in range(parts):
            await client.send(bytes(limits.HTTP_TRICKLE_BYTES))
            await clock.advance(limits.HTTP_REQUEST_IDLE_S - 2 * limits.HTTP_TICK_S)
        assert (await client.answer()).status == 200


async def test_an_idle_connection_is_closed_but_not_one_that_waits_for_us() -> None:
    clock = VirtualClock()
    gate = asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        await gate.wait()
        return HttpResponse(200, [])

    async with serving(handler, clock) as server:
        client = await server.connect()
        await client.send(GET)
        await settle()
        await clock.advance(10 * limits.HTTP_KEEP_ALIVE_S)
        gate.set()
        assert (await client.answer()).status == 200
        await clock.advance(limits.HTTP_KEEP_ALIVE_S - limits.HTTP_TICK_S)
        assert (await client.ask(GET)).status == 200
        await clock.advance(limits.HTTP_KEEP_ALIVE_S + 3 * limits.HTTP_TICK_S)
        assert await client.rest() == b""


async def test_a_client_that_does_not_read_is_cut() -> None:
    clock = VirtualClock()
    ended = asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(1_000_000)
            finally:
                ended.set()

        return HttpResponse(200, [], parts())

    async with serving(handler, clock) as server:
        client = await server.connect()
        await client.send(GET)
        await settle(500)
        assert not ended.is_set()
        await clock.advance(limits.HTTP_REQUEST_IDLE_S + 3 * limits.HTTP_TICK_S)
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()


@pytest.mark.parametrize(("taken", "cut"), [(1_000, True), (2 * limits.HTTP_TRICKLE_BYTES, False)])
async def test_who_reads_a_trickle_of_an_answer_is_cut_and_who_reads_slowly_is_not(taken: int, *, cut: bool) -> None:
    clock = VirtualClock()

    async def handler(_http: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [], bytes(20 * limits.MIB))

    async with serving(handler, clock) as server:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # so that little by little it is told of
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (server.host, server.port))
        await loop.sock_sendall(client, GET)
        await settle(500)
        connection = only_connection(server)
        for _ in range(int(limits.HTTP_REQUEST_IDLE_S // 10) + 3):
            left = taken
            while left and not connection._lost:
                async with asyncio.timeout(PATIENCE_S):
                    left -= len(await loop.sock_recv(client, left))
            await clock.advance(10)
        assert connection._lost == cut
        client.close()


async def test_a_client_that_goes_on_sending_after_its_refusal_is_cut() -> None:
    clock = VirtualClock()
    async with serving(echo, clock) as server:
        client = await server.connect()
        assert (await client.ask(b"NONSENSE\r\n\r\n")).status == 400
        await client.send(b"more")
        await clock.advance(limits.HTTP_LINGER_S + 3 * limits.HTTP_TICK_S)
        await client.rest()
        assert not server.server._filled


# Listening and closing.


async def test_a_port_in_use_and_a_bad_host_are_named() -> None:
    async with serving(echo) as server:
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1 port {server.port}: .*in use"):
            await HttpServer(echo, SystemClock()).start("127.0.0.1", server.port)
    with pytest.raises(CannotListen, match=r"no-such-host\.invalid"):
        await HttpServer(echo, SystemClock()).start("no-such-host.invalid", 0)
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        await HttpServer(echo, SystemClock()).start("192.0.2.1", 0)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_it_listens_on_ipv6() -> None:
    async with serving(echo, host="::1") as server:
        assert (await (await server.connect()).ask(GET)).status == 200


async def test_closing_lets_running_requests_finish_and_takes_no_new_ones() -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(http: HttpRequest) -> HttpResponse:
        if http.path == "/slow":
            started.set()
            await gate.wait()
        return HttpResponse(200, [], b"done")

    async with serving(handler) as server:
        idle, busy = await server.connect(), await server.connect()
        assert (await idle.ask(GET)).status == 200
        await busy.send(GET.replace(b"/a", b"/slow"))
        await started.wait()
        closing = asyncio.ensure_future(server.server.close())
        assert await idle.rest() == b""
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection(server.host, server.port)
        gate.set()
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        await closing


async def test_closing_cuts_what_does_not_finish(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async with serving(handler, clock) as server:
        client = await server.connect()
        await client.send(GET)
        await started.wait()
        closing = asyncio.ensure_future(server.server.close(patience=5))
        await clock.advance(6)
        await closing
        assert cancelled.is_set()
        assert await client.rest() == b""
    assert "1 requests were cut off" in caplog.text


async def test_connections_beyond_the_limit_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_CONNECTIONS", 2)
    async with serving(echo) as server:
        first, second = await server.connect(), await server.connect()
        assert (await first.ask(GET)).status == 200
        assert (await second.ask(GET)).status == 200
        third = await server.connect()
        assert (await third.answer()).status == 503
        assert await third.rest() == b""
        await first.close()
        await settle()
        assert (await (await server.connect()).ask(GET)).status == 200


async def test_nothing_is_logged_for_ordinary_clients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(echo) as server:
        client = await server.connect()
        await client.ask(GET)
        client.writer.transport.abort()
        client = await server.connect()
        await client.send(b"GET / HTT")
        client.writer.transport.abort()
        await settle()
    assert not caplog.records


# Further doors.


def listener() -> tuple[socket.socket, int]:
    made = socket.create_server(("127.0.0.1", 0))
    return made, made.getsockname()[1]


async def test_a_socket_that_others_have_made_is_served_like_the_servers_own() -> None:
    async with serving(echo) as server:
        made, port = listener()
        door = server.server.add(made, Supervisor(SystemClock()))
        client = await server.connect(port)
        assert (await client.ask(POST)).body == b"hello"
        door.close()
        door.close()
        assert await client.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await server.connect(port)
        assert (await (await server.connect()).ask(POST)).body == b"hello"
        assert len(server.server._doors) == 1


async def test_a_door_that_closes_lets_its_requests_finish() -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(_http: HttpRequest) -> HttpResponse:
        started.set()
        await gate.wait()
        return HttpResponse(200, [], b"done")

    async with serving(handler) as server:
        made, port = listener()
        door = server.server.add(made, Supervisor(SystemClock()))
        client = await server.connect(port)
        await client.send(GET)
        await started.wait()
        door.close()
        gate.set()
        assert (await client.answer()).body == b"done"
        assert await client.rest() == b""
        async with asyncio.timeout(PATIENCE_S):
            await server.server._nobody.wait()


@pytest.mark.parametrize("turns", range(4))
async def test_a_door_may_close_at_any_moment_of_its_first_visit(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(echo) as server:
        made, port = listener()
        door = server.server.add(made, Supervisor(SystemClock()))
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as visitor:
            await settle(turns)
            door.close()
            await settle()
            with contextlib.suppress(ConnectionResetError):
                told = await asyncio.to_thread(visitor.recv, 100)
                assert not told or b" 503 " in told
        assert len(server.server._doors) == 1
        with pytest.raises(ConnectionRefusedError):
            await server.connect(port)
    assert not caplog.records


async def test_a_crowd_at_one_door_shuts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_CONNECTIONS_ADDED", 2)
    async with serving(echo) as server:
        made, port = listener()
        server.server.add(made, Supervisor(SystemClock()))
        crowd = [await server.connect(port) for _ in range(2)]
        for client in crowd:
            assert (await client.ask(GET)).status == 200
        assert (await (await server.connect(port)).answer()).status == 503
        assert (await (await server.connect()).ask(GET)).status == 200


async def test_a_server_that_closes_closes_every_door() -> None:
    server = HttpServer(echo, SystemClock())
    await server.start("127.0.0.1", 0)
    ports = []
    for _ in range(200):
        made, port = listener()
        server.add(made, Supervisor(SystemClock()))
        ports.append(port)
    reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    await server.close(patience=1)
    assert await reader.read() == b""
    writer.close()
    for port in (ports[0], ports[-1]):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_stream_whose_head_cannot_be_sent_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    closed = []

    class Parts:
        def __aiter__(self) -> Parts:
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("nobody reads it")

        async def aclose(self) -> None:
            closed.append(self)

    async def handler(_http: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [("X", "a\r\nb")], Parts())

    async with serving(handler) as server:
        assert (await (await server.connect()).ask(GET)).status == 500
    assert len(closed) == 1
    assert caplog.records


# One task for a connection, and what is done before anybody is served.


async def test_one_task_answers_a_connection_and_ends_with_it() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    async def handler(_request: HttpRequest) -> HttpResponse:
        tasks.append(asyncio.current_task())
        return HttpResponse(200, [])

    async with serving(handler) as server:
        client = await server.connect()
        for _ in range(3):
            assert (await client.ask(GET)).status == 200
        await client.close()
        async with asyncio.timeout(PATIENCE_S):
            await server.server._nobody.wait()
        assert len(tasks) == 3
        (task,) = set(tasks)
        assert task is not None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([task])
        assert task.done()


async def test_a_cancelled_answer_ends_its_connection_only() -> None:
    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/p":
            raise asyncio.CancelledError
        return HttpResponse(200, [])

    async with serving(handler) as server:
        broken, sound = await server.connect(), await server.connect()
        await broken.send(POST)
        assert (await sound.ask(GET)).status == 200
        assert await broken.rest() == b""
        assert (await sound.ask(GET)).status == 200


async def test_who_connects_before_the_server_opens_waits_and_is_answered() -> None:
    server = HttpServer(echo, SystemClock())
    port = await server.bind("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    await settle()
    assert not server._doors
    await server.open()
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await server.close()


async def test_a_server_that_never_opens_lets_go_of_its_address() -> None:
    server = HttpServer(echo, SystemClock())
    port = await server.bind("127.0.0.1", 0)
    await server.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
