"""HTTP as guests may write it, and what ends a connection."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any

import pytest

from lambent.compute.extensions.registry import Extensions
from lambent.compute.runtime_api.runtime import Runtime
from lambent.compute.runtime_api.server import RuntimeApi
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.ids import SeededIds
from tests.compute.runtime_api.harness import REQUEST_ID, RUNTIME, Bench, Environment, Guest, about, event

PING = "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n"
LARGE_BYTES = 64 * limits.MIB
"""More than the kernel holds between two ends of a connection."""
RESPONSE = f"POST {RUNTIME}/invocation/{REQUEST_ID}/response HTTP/1.1\r\nHost: x\r\n"


async def test_a_request_may_come_byte_by_byte(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    for byte in f"{RESPONSE}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n".encode():
        guest.writer.write(bytes([byte]))
        await guest.writer.drain()
    assert (await guest.answer()).status == 202
    assert await bench.environment.hears() == ("answered", 1, b"hello")


async def test_a_client_that_waits_for_leave_is_asked_to_go_on(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(f"{RESPONSE}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
    assert await guest.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    guest.writer.write(b"ok")
    assert (await guest.answer()).status == 202


@pytest.mark.parametrize(
    "framing", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
async def test_an_upgrade_that_is_offered_is_not_taken(bench: Bench, framing: str) -> None:
    guest = await bench.guest()
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAE\r\n"
    guest.writer.write(f"{PING}{offer}\r\n".encode())
    assert (await guest.answer()).body == b"pong"
    await bench.running(guest)
    guest.writer.write(f"{RESPONSE}{offer}{framing}".encode())
    assert (await guest.answer()).status == 202
    assert await bench.environment.hears() == ("answered", 1, b"hello")
    assert (await guest.call("GET", "/2018-06-01/ping")).body == b"pong"


@pytest.mark.parametrize("head", [f"{PING}Connection: close\r\n\r\n", "GET /2018-06-01/ping HTTP/1.0\r\n\r\n"])
async def test_a_connection_ends_where_its_client_wants_it(bench: Bench, head: str) -> None:
    guest = await bench.guest()
    guest.writer.write(head.encode())
    answer = await guest.answer()
    assert (answer.body, answer.headers["connection"]) == (b"pong", "close")
    assert await guest.closed() == b""


async def test_an_answer_before_others_says_nothing_of_an_end(bench: Bench) -> None:
    assert "connection" not in (await (await bench.guest()).call("GET", "/2018-06-01/ping")).headers


async def test_lines_may_lack_their_carriage_returns(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(f"{RESPONSE}Content-Length: 2\r\n\r\nok".replace("\r", "").encode())
    assert (await guest.answer()).status == 202
    assert await bench.environment.hears() == ("answered", 1, b"ok")


async def test_what_is_not_http_is_refused(bench: Bench) -> None:
    guest = await bench.guest()
    guest.writer.write(b"hello there\r\n\r\n")
    assert (await guest.closed()).startswith(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")


async def test_an_answer_with_broken_framing_fails(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(f"{RESPONSE}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode())
    assert (await guest.closed()).startswith(b"HTTP/1.1 400 ")
    assert (await bench.environment.hears())[3] == "Runtime.TruncatedResponse"


async def test_an_error_cause_of_almost_a_megabyte_fits_in_a_header(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    cause = {"Lambda_Runtime_Function_XRay_Error_Cause": "x" * (limits.MIB - 1)}
    answer = await guest.call("POST", f"{RUNTIME}/invocation/{REQUEST_ID}/error", b"{}", **cause)
    assert answer.status == 202


@pytest.mark.parametrize(
    "head",
    [
        f"{PING}X: {'x' * 2 * limits.MIB}\r\n\r\n",
        PING + "".join(f"X{number}: 1\r\n" for number in range(300)) + "\r\n",
        f"{RESPONSE}Transfer-Encoding: chunked\r\n\r\n0\r\nX: {'x' * 2 * limits.MIB}\r\n\r\n",
    ],
    ids=["long", "many", "trailer"],
)
async def test_an_endless_head_is_refused(bench: Bench, head: str) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    guest.writer.write(head.encode())
    assert b"HTTP/1.1 431 " in await _rest(guest)


async def test_two_requests_at_once_end_the_connection(bench: Bench) -> None:
    guest = await bench.guest()
    guest.writer.write(f"{PING}\r\n{PING}\r\n".encode())
    assert await _rest(guest) == b""


async def test_many_upgrades_at_once_end_the_connection(bench: Bench) -> None:
    bugs: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
    guest = await bench.guest()
    guest.writer.write(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" * 2000)
    assert await _rest(guest) == b""
    assert bugs == []


async def test_a_guest_that_does_not_read_is_not_heard_until_it_does(bench: Bench) -> None:
    guest, other = await bench.guest(), await bench.guest()
    await guest.send("GET", f"{RUNTIME}/invocation/next")
    assert await bench.environment.hears() == ("ready",)
    bench.runtime.event(event(payload=bytes(LARGE_BYTES)))
    await guest.send("POST", f"{RUNTIME}/invocation/{REQUEST_ID}/response", b"made up")
    assert (await other.call("GET", "/2018-06-01/ping")).body == b"pong"
    assert bench.environment.told.empty()
    assert len((await guest.answer()).body) == LARGE_BYTES
    assert (await guest.answer()).status == 202
    assert await bench.environment.hears() == ("answered", 1, b"made up")


async def test_one_connection_too_many_is_closed_and_room_is_made_by_those_that_end(bench: Bench) -> None:
    guests = [await bench.guest() for _ in range(limits.RUNTIME_API_CONNECTIONS)]
    for guest in guests:
        assert (await guest.call("GET", "/2018-06-01/ping")).status == 200
    assert await _rest(await bench.guest()) == b""
    guests[0].writer.write_eof()
    assert await guests[0].closed() == b""
    await settle()
    assert (await (await bench.guest()).call("GET", "/2018-06-01/ping")).status == 200


async def _rest(guest: Guest) -> bytes:
    """What comes until the connection ends, however it ends."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := await asyncio.wait_for(guest.reader.read(65536), 10):
            received += data
    return received


async def test_a_door_that_cannot_be_opened_is_tried_again_later() -> None:
    clock, environment = VirtualClock(), Environment()
    door = _Stuck(socket.create_server(("127.0.0.1", 0)))
    about_it = about()
    extensions = Extensions(about_it, (), environment, SeededIds())
    api = RuntimeApi(
        door,  # type: ignore[arg-type] # as much of a socket as is used
        clock=clock,
        about=about_it,
        runtime=Runtime(environment),
        host=environment,
        extensions=extensions,
    )
    guest = Guest(*await asyncio.open_connection(*door.listener.getsockname()))
    await guest.send("GET", "/2018-06-01/ping")
    await settle()
    assert door.refused == 1
    await clock.advance(limits.RUNTIME_API_PAUSE_S)
    assert (await guest.answer()).body == b"pong"
    api.close()
    guest.writer.close()
    await settle()


class _Stuck:
    """A listening socket whose first connection finds no free descriptor."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        if not self.refused:
            self.refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.listener, name)
