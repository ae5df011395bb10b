"""A front: what runs in a process of its own, takes clients over from the server and asks it for what they call."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lambent.wire import heads
from lambent.wire.fronts.connection import FrontConnection
from lambent.wire.fronts.link import Link
from lambent.wire.fronts.messages import Ask, Finish, FromServer, Gone, Hello, Output, Ping, Pong, Ready, Refusal
from lambent.wire.fronts.passage import Passage
from lambent.wire.http import HttpResponse
from lambent.wire.stamp import Stamp

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from lambent.kernel.call import Response
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor
    from lambent.wire.fronts.screen import Passed, Screen


log = logging.getLogger(__name__)


class Front:
    """Serves until the server says so, or is gone. `screen` makes the screen of what the server says first."""

    def __init__(self, screen: Callable[[Hello], Screen], clock: Clock, ids: Ids, tasks: Supervisor) -> None:
        self.clock = clock
        self.screen: Screen
        self._make_screen = screen
        self._ids = ids
        self._tasks = tasks
        self._stamp = Stamp(clock)
        self.stamp = self._stamp.lines
        self._loop = asyncio.get_running_loop()
        self._link: Link[FromServer] = Link(FromServer, self._heard, self._lost)
        self._passage: Passage | None = None
        self._connections: set[FrontConnection] = set()
        self._asked: dict[int, tuple[FrontConnection, Passed, str]] = {}
        self._number = 0
        self._finishing = False
        self._over = asyncio.Event()

    async def serve(self, link: socket.socket, passage: socket.socket) -> None:
        """Serve over these two; returns when there is nothing left to do."""
        self._passage = Passage(passage, self._arrived, self._dropped)
        await self._loop.create_connection(lambda: self._link, sock=link)
        await self._over.wait()
        await self._passage.flush()
        self._passage.close()
        self._link.close()

    # What the connections ask.

    def ask(self, connection: FrontConnection, passed: Passed, host: str) -> None:
        self._number = number = self._number + 1
        request_id = self._ids.uuid()
        self._asked[number] = connection, passed, request_id
        operation, trace = passed.codec.operation, passed.trace
        self._link.send(
            Ask(number, operation, passed.region, passed.principal, request_id, host, passed.request, trace)
        )

    def hand_back(self, connection: FrontConnection, descriptor: int, read: bytes) -> None:
        assert self._passage is not None
        self._connections.discard(connection)
        self._passage.hand(descriptor, read)
        self._look_for_end()

    def closed(self, connection: FrontConnection) -> None:
        self._connections.discard(connection)
        self._link.send(Gone())
        self._look_for_end()

    # What the server tells.

    def _heard(self, message: FromServer) -> None:
        match message:
            case Output(number, output):
                connection, passed, request_id = self._asked.pop(number)
                connection.answer(_response(passed, output, request_id))
            case Hello():
                self.screen = self._make_screen(message)
                self._link.send(Ready())
            case Finish():
                self._finishing = True
                for connection in list(self._connections):
                    connection.finish()
                self._look_for_end()
            case Refusal(number, status, headers, body):
                connection, _, _ = self._asked.pop(number)
                connection.answer(HttpResponse(status, headers, body))
            case Ping():
                self._link.send(Pong())

    def _lost(self) -> None:
        self._over.set()  # without the server there is nobody to ask, and nobody who would know of the clients

    def _dropped(self) -> None:
        log.warning("a connection was lost between the server and a front: there are too many descriptors")
        self._link.send(Gone())

    def _arrived(self, connection: socket.socket, read: bytes) -> None:
        self._tasks.start("take a connection over", self._take(connection, read))

    async def _take(self, connection: socket.socket, read: bytes) -> None:
        taken = FrontConnection(self, read)
        self._connections.add(taken)
        await self._loop.connect_accepted_socket(lambda: taken, connection)
        if self._finishing:
            taken.finish()

    def _look_for_end(self) -> None:
        if self._finishing and not self._connections:
            self._over.set()


def _response(passed: Passed, output: Response, request_id: str) -> HttpResponse:
    try:
        return passed.codec.encode(output, request_id)
    except Exception:
        log.exception("%s cannot be answered, request %s", passed.codec.operation, request_id)
        return heads.plain(500)[0]  # as the server would have it
