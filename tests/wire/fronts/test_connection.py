"""A client's connection in a front: how long a request may take before the connection is the server's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.wire.fronts.connection import FrontConnection
from lambent.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    import asyncio

    from lambent.wire.fronts.screen import Passed, Screen, Wanted

HEAD = b"POST /f/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


class Front:
    """The owner of connections, and the screen that wants every request."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.screen = cast("Screen", self)
        self.handed: list[bytes] = []
        self.asked: list[bytes] = []

    def wants(self, http: HttpRequest) -> Wanted:
        return cast("Wanted", Head(http))

    def let_through(self, _wanted: Wanted, body: bytes) -> Passed:
        return cast("Passed", body)

    def ask(self, connection: FrontConnection, passed: Passed, host: str) -> None:
        self.asked.append(cast("bytes", passed))

    def hand_back(self, connection: FrontConnection, descriptor: int, read: bytes) -> None:
        self.handed.append(read)

    def closed(self, connection: FrontConnection) -> None:
        """Nobody counts them here."""

    def stamp(self) -> bytes:
        return b""


class Head(NamedTuple):
    """What the screen makes of one."""

    http: HttpRequest


class Transport:
    """As far as a connection that is not answered needs one."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self.aborted = False
        self.reading = True

    def get_extra_info(self, name: str) -> Any:
        assert name == "socket"
        return self._socket

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, data: bytes) -> None:
        """The client takes it at once."""

    def abort(self) -> None:
        self.aborted = True
        self._socket.close()


async def test_who_sends_byte_after_byte_has_no_more_time_than_others() -> None:
    front, transport = Front(), Transport()
    connection = FrontConnection(front, b"")
    connection.connection_made(cast("asyncio.Transport", transport))
    for at in range(3):
        connection.data_received(HEAD[at : at + 1])
        await front.clock.advance(limits.FRONT_PATIENCE_S / 4)
    connection.data_received(HEAD[3:])
    assert not front.handed
    await front.clock.advance(limits.FRONT_PATIENCE_S / 4)
    assert front.handed == [HEAD]
    assert transport.aborted
    connection.connection_lost(None)


async def test_who_asks_on_and_on_is_held_back_until_most_of_it_is_answered() -> None:
    front, transport = Front(), Transport()
    connection = FrontConnection(front, b"")
    connection.connection_made(cast("asyncio.Transport", transport))
    request = HEAD + b"123456789"
    count = 2 * limits.HTTP_BODY_BUFFER_BYTES // len(request)
    connection.data_received(request * count)
    assert transport.reading
    connection.data_received(request)
    assert not transport.reading
    for answered in range(1, count + 1):
        assert front.asked == [b"123456789"] * answered
        assert transport.reading == ((count + 1 - answered) * len(request) <= limits.HTTP_BODY_BUFFER_BYTES)
        connection.answer(HttpResponse(200, [], b""))
    connection.answer(HttpResponse(200, [], b""))
    assert len(front.asked) == count + 1
    transport.abort()
    connection.connection_lost(None)
