"""The Runtime API of one environment: accepts its guests' connections and is handed its events."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from lambent.compute.runtime_api import routes
from lambent.compute.runtime_api.connection import Connection
from lambent.compute.runtime_api.parts import Parts
from lambent.kernel import limits
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from lambent.compute.extensions.registry import Extensions
    from lambent.compute.runtime_api.api import About, Host
    from lambent.compute.runtime_api.parts import Machine
    from lambent.compute.runtime_api.request import Intake, Request
    from lambent.kernel.clock import Clock

log = logging.getLogger(__name__)


class RuntimeApi:
    """Serves HTTP/1.1 on `door`, a listening socket that it takes over, until `close`. It costs next to nothing until
    somebody connects. `runtime` hears the runtime, where that speaks HTTP; `connections` may be open at once."""

    def __init__(
        self,
        door: socket.socket,
        *,
        clock: Clock,
        about: About,
        runtime: Machine,
        host: Host,
        extensions: Extensions,
        connections: int = limits.RUNTIME_API_CONNECTIONS,
    ) -> None:
        self._door = door
        self._clock = clock
        self._tasks = Supervisor(clock)
        self._parts = Parts(about=about, host=host, runtime=runtime, extensions=extensions, tasks=self._tasks)
        self._arrived: set[Connection] = set()
        self._connections: set[Connection] = set()
        self._most = connections
        self._open = True
        self._loop = asyncio.get_running_loop()
        door.setblocking(False)
        self._serve()

    def close(self) -> None:
        """Stop serving, cut every connection and tell nothing more; harmless twice."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._door.fileno())
            self._door.close()
            self._parts.runtime.end()
            for connection in self._connections:
                connection.abort()
            self._connections.clear()

    # What a connection asks.

    def opened(self, connection: Connection) -> bool:
        if not self._open:
            return False
        self._connections.add(connection)
        return True

    def gone(self, connection: Connection) -> None:
        self._arrived.discard(connection)
        self._connections.discard(connection)

    def begin(self, request: Request) -> Intake:
        return routes.begin(self._parts, request)

    def _serve(self) -> None:
        if self._open:
            self._loop.add_reader(self._door.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(limits.RUNTIME_API_ACCEPTED_PER_TURN):
            try:
                accepted, _ = self._door.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors or buffers: the listener stays readable, and to ask at once would spin.
                log.warning("the Runtime API of %s cannot accept: %s", self._parts.about.name, error.strerror)
                self._loop.remove_reader(self._door.fileno())
                self._clock.call_later(limits.RUNTIME_API_PAUSE_S, self._serve)
                return
            self._receive(accepted)

    def _receive(self, accepted: socket.socket) -> None:
        if len(self._arrived) >= self._most:
            accepted.close()
            return
        accepted.setblocking(False)
        connection = Connection(self)
        self._arrived.add(connection)
        self._tasks.start("runtime-api-connection", self._adopt(accepted, connection))

    async def _adopt(self, accepted: socket.socket, connection: Connection) -> None:
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            accepted.close()  # it has gone already
            self.gone(connection)
