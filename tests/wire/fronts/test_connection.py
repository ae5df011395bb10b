"""A client's connection in a front: how long a request may take before the connection is the server's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.wire.fronts.connection import FrontConnection

if TYPE_CHECKING:
    import asyncio

    from lambent.wire.fronts.screen import Passed, Screen, Wanted
    from lambent.wire.http import HttpRequest

HEAD = b"POST /f/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


class Front:
    """The owner of connections, and the screen that wants every request."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.screen = cast("Screen", self)
        self.handed: list[bytes] = []

    def wants(self, http: HttpRequest) -> Wanted:
        return cast("Wanted", http)

    def ask(self, connection: FrontConnection, passed: Passed, host: str) -> None:
        raise AssertionError

    def hand_back(self, connection: FrontConnection, descriptor: int, read: bytes) -> None:
        self.handed.append(read)

    def closed(self, connection: FrontConnection) -> None:
        raise AssertionError

    def stamp(self) -> bytes:
        return b""


class Transport:
    """As far as a connection that is not answered needs one."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self.aborted = False

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
        """Nothing comes by itself."""

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
