"""The HTTP/1.1 server: it listens, counts connections and closes them in good order; `connection` speaks HTTP.

Every listening socket is a door. The doors of a server lead to one handler, and each has a limit of its own, so that
whoever stands at one of them does not shut the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.wire.budget import Budget
from lambent.wire.connection import Connection
from lambent.wire.stamp import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor
    from lambent.wire.http import Handler

log = logging.getLogger(__name__)

_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class CannotListen(Exception):
    """The address cannot be listened on: taken, unknown, or not allowed."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


class Listening(Protocol):
    """What accepts connections."""

    def close(self) -> None:
        """Accept nothing more."""


class Door:
    """Some listening sockets and the connections that came through them; the owner of each of these.

    `elsewhere` counts those that came through it and are served by others.
    """

    def __init__(self, server: HttpServer, limit: int, elsewhere: Callable[[], int] | None = None) -> None:
        self.handler = server.handler
        self.clock = server.clock
        self.stamp = server.stamp
        self.bodies = server.bodies
        self.connections: set[Connection] = set()
        self._server = server
        self._limit = limit
        self._elsewhere = elsewhere
        self._listening: list[Listening] = []
        self._closed = False

    async def listen(self, listener: socket.socket) -> None:
        """Accept connections on `listener`, which is the door's to close from now on."""
        if self._over():
            listener.close()
            return
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), sock=listener, backlog=limits.HTTP_BACKLOG)
        self._listening.append(server)
        if self._over():
            self.close()

    def attend(self, listening: Listening) -> None:
        """Accept what `listening` accepts, until the door is closed."""
        self._listening.append(listening)

    @property
    def has_room(self) -> bool:
        """Whether one more may come."""
        return self._count() < self._limit

    def close(self) -> None:
        """Accept nothing more, and close each connection once what it has asked is answered. Harmless twice."""
        self._closed = True
        for server in self._listening:
            server.close()
        self._listening.clear()
        for connection in list(self.connections):
            connection.finish()
        self._server.closed(self)

    def _over(self) -> bool:
        return self._closed

    def opened(self, connection: Connection) -> bool:
        """Take note of a new connection; False where there are too many, and where the door has been closed since it
        was accepted."""
        self.connections.add(connection)
        self._server.filled(self)
        return not self._closed and self._count() <= self._limit

    def _count(self) -> int:
        return len(self.connections) + (0 if self._elsewhere is None else self._elsewhere())

    def gone(self, connection: Connection) -> None:
        """Forget a connection that is closed and whose last request is finished."""
        self.connections.discard(connection)
        if not self.connections:
            self._server.emptied(self)


class HttpServer:
    """Serves one handler on every address of one host name, and on sockets that others have made."""

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self.handler = handler
        self.clock = clock
        self._bound: list[socket.socket] = []
        self._doors: set[Door] = set()
        self._filled: set[Door] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self.stamp = Stamp(clock).lines
        self.bodies = Budget(limits.HTTP_BODIES_BYTES)

    async def bind(self, host: str, port: int) -> int:
        """Take the address and return the port; 0 takes a free one. Who connects waits until `open`. Raises
        CannotListen."""
        self._bound = await _bind(host, port)
        number: int = self._bound[0].getsockname()[1]
        return number

    async def open(self) -> None:
        """Answer whoever connects, and who waits since `bind`."""
        door = self.door()
        for listener in self.bound():
            await door.listen(listener)

    def bound(self) -> list[socket.socket]:
        """What `bind` has made, for the caller to listen with; once."""
        bound, self._bound = self._bound, []
        return bound

    def door(self, elsewhere: Callable[[], int] | None = None) -> Door:
        """The main door, with nothing that it listens at yet. `elsewhere` as a Door has it."""
        return self._door(limits.HTTP_CONNECTIONS, elsewhere)

    async def start(self, host: str, port: int) -> int:
        """`bind` and `open` in one."""
        number = await self.bind(host, port)
        await self.open()
        return number

    def add(self, listener: socket.socket, tasks: Supervisor) -> Door:
        """Serve, from when somebody first comes, on a TCP socket that listens already, until the door is closed;
        `listener` is the server's from now on.

        Costs next to nothing until then, and takes no more connections than one program needs.
        """
        door = self._door(limits.HTTP_CONNECTIONS_ADDED)
        door.attend(_Unused(listener, lambda: tasks.start("serve a further socket", door.listen(listener))))
        return door

    async def close(self, patience: float = limits.STOP_PATIENCE_S) -> None:
        """Accept nothing more, let running requests finish within `patience` seconds, then cut them."""
        while self._bound:
            self._bound.pop().close()
        for door in list(self._doors):
            door.close()
        with contextlib.suppress(TimeoutError):
            async with deadline(self.clock, patience):
                await self._nobody.wait()
        left = [connection for door in self._filled for connection in door.connections]
        tasks = [task for connection in left if (task := connection.abort())]
        if tasks:
            log.warning("%d requests were cut off after %.0f s", len(tasks), patience)
            await asyncio.wait(tasks, timeout=patience)

    def filled(self, door: Door) -> None:
        """Somebody came through `door`."""
        self._filled.add(door)
        self._nobody.clear()

    def emptied(self, door: Door) -> None:
        """The last one who came through `door` has gone."""
        self._filled.discard(door)
        if not self._filled:
            self._nobody.set()

    def closed(self, door: Door) -> None:
        """Nobody comes through `door` any more."""
        self._doors.discard(door)

    def _door(self, limit: int, elsewhere: Callable[[], int] | None = None) -> Door:
        door = Door(self, limit, elsewhere)
        self._doors.add(door)
        return door


class _Unused:
    """A listening socket through which nobody has come yet. `come` is called once somebody has, and takes it over."""

    def __init__(self, listener: socket.socket, come: Callable[[], object]) -> None:
        self._listener = listener
        self._come = come
        self._waits = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener.fileno(), self._used)

    def close(self) -> None:
        if self._waits:
            self._wait_no_more()
            self._listener.close()

    def _used(self) -> None:
        self._wait_no_more()
        self._come()

    def _wait_no_more(self) -> None:
        self._waits = False
        self._loop.remove_reader(self._listener.fileno())


async def _bind(host: str, port: int) -> list[socket.socket]:
    """A listening socket per address of `host`, all on one port. Raises CannotListen."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as failure:
        raise CannotListen(host, port, _reason(failure)) from failure
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in found:
        try:
            sockets.append(_listener(family, (address[0], port, *address[2:])))
        except OSError as failure:
            if failure.errno in _ABSENT:
                absent = failure
                continue
            for listener in sockets:
                listener.close()
            raise CannotListen(host, port, _reason(failure)) from failure
        port = sockets[0].getsockname()[1]
    if not sockets:
        assert absent is not None
        raise CannotListen(host, port, _reason(absent)) from absent
    return sockets


def _listener(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(limits.HTTP_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _reason(failure: Exception) -> str:
    return getattr(failure, "strerror", None) or str(failure)
