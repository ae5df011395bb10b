"""The reception: the server accepts every connection itself and has a front serve it, or serves it where none can."""

from __future__ import annotations

import asyncio
import errno
import socket
from functools import partial
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.wire.fronts.received import Received

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.tasks import Supervisor
    from lambent.wire.fronts.lobby import Lobby
    from lambent.wire.server import Door

_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Reception:
    """Accepts at `listener`, which it takes over, what comes through `door`."""

    def __init__(self, listener: socket.socket, door: Door, lobby: Lobby, clock: Clock, tasks: Supervisor) -> None:
        self._listener = listener
        self._door = door
        self._lobby = lobby
        self._clock = clock
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._pause: Timer | None = None
        self._open = True
        self._listen()

    def close(self) -> None:
        """Accept nothing more. Harmless twice."""
        if self._open:
            self._open = False
            if self._pause is not None:
                self._pause.cancel()
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()

    def serve(self, connection: socket.socket, read: bytes = b"") -> None:
        """Serve a connection here, of which `read` was read already."""
        self._tasks.start("serve a connection", self._serve(connection, read))

    def _listen(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(limits.ACCEPTED_PER_TURN):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as failure:
                if failure.errno not in _FULL:
                    raise
                self._loop.remove_reader(self._listener.fileno())
                self._pause = self._clock.call_later(limits.ACCEPT_RETRY_S, self._listen)
                return
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._door.has_room and self._lobby.lend(connection.fileno()):
            connection.close()
        else:
            self.serve(connection)

    async def _serve(self, connection: socket.socket, read: bytes) -> None:
        make = partial(Received, self._door, read, self._lobby.lend)
        _, received = await self._loop.connect_accepted_socket(make, connection)
        if not self._open:
            received.finish()
