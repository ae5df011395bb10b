"""The lobby: the fronts as the server knows them, started and kept, each with the connections that it is lent."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.wire.fronts.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor
    from lambent.wire.fronts.desk import Performer
    from lambent.wire.fronts.messages import Hello

log = logging.getLogger(__name__)


class FrontLost(Exception):
    """A front has ended by itself."""


class Lobby:
    """`fronts` further processes, each started by `spawn` with the descriptors of its link and its passage, and started
    anew where one ends. While there is none the server does their work."""

    def __init__(
        self,
        fronts: int,
        spawn: Callable[[int, int], Awaitable[asyncio.subprocess.Process]],
        perform: Performer,
        hello: Callable[[], Hello],
        clock: Clock,
        tasks: Supervisor,
    ) -> None:
        self.take: Callable[[socket.socket, bytes], None]
        """What serves a connection that comes back from a front."""
        self._fronts = fronts
        self._spawn = spawn
        self._perform = perform
        self._hello = hello
        self._clock = clock
        self._tasks = tasks
        self._desks: set[Desk] = set()
        self._closing = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def lent(self) -> int:
        """The connections that fronts have."""
        return sum(desk.lent for desk in self._desks)

    @property
    def ready(self) -> int:
        """The fronts that take connections."""
        return sum(desk.ready for desk in self._desks)

    async def open(self) -> None:
        """Start the fronts; returns when each is ready, or has failed once."""
        begun = [asyncio.Event() for _ in range(self._fronts)]
        for number, event in enumerate(begun):
            self._tasks.keep(f"front {number}", partial(self._keep, event))
        for event in begun:
            await event.wait()

    def lend(self, descriptor: int, read: bytes = b"") -> bool:
        """Have a front serve a connection; False where none can. The caller closes its own descriptor of it."""
        free = [desk for desk in self._desks if desk.free]
        if not free:
            return False
        min(free, key=lambda desk: desk.lent).lend(descriptor, read)
        return True

    def returned(self, connection: socket.socket, read: bytes) -> None:
        self.changed()
        self.take(connection, read)

    def changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def until(self, true: Callable[[], bool]) -> None:
        """Return once `true` is; it is asked after each change of the fronts and of what they have."""
        while not true():
            change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change

    async def close(self, patience: float = limits.STOP_PATIENCE_S) -> None:
        """Lend nothing more, let the fronts answer what is asked within `patience` seconds, then end them."""
        self._closing = True
        desks = list(self._desks)
        for desk in desks:
            desk.finish()
        try:
            async with deadline(self._clock, patience):
                for desk in desks:
                    await desk.gone.wait()
        except TimeoutError:
            log.warning("the fronts have not finished within %.0f s", patience)
        for desk in desks:
            desk.close()
            await desk.buried.wait()

    async def _keep(self, begun: asyncio.Event) -> None:
        """One front, for as long as it lives. Raises FrontLost where that is shorter than the server's life."""
        if self._closing:
            return
        try:
            with ExitStack() as ours, ExitStack() as theirs:
                link, passage = _pair(socket.SOCK_STREAM, ours, theirs), _pair(socket.SOCK_SEQPACKET, ours, theirs)
                process = await self._spawn(link[1].fileno(), passage[1].fileno())
                ours.pop_all()
        except BaseException:
            begun.set()
            raise
        code = await self._attend(process, link[0], passage[0], begun)
        if not self._closing:
            raise FrontLost(f"a front has ended with {code}")

    async def _attend(
        self, process: asyncio.subprocess.Process, link: socket.socket, passage: socket.socket, begun: asyncio.Event
    ) -> int:
        """The front's exit code, once it has ended. Raises TimeoutError for one that does not get ready."""
        link.setblocking(False)
        desk = Desk(self, self._perform, self._clock, self._tasks, passage)
        self._desks.add(desk)
        try:
            async with deadline(self._clock, limits.FRONT_START_S):
                await desk.open(link, self._hello())
            self.changed()
            begun.set()
            await desk.gone.wait()
        finally:
            self._desks.discard(desk)
            self.changed()
            desk.close()
            if process.returncode is None:
                process.kill()
            code = await process.wait()
            desk.buried.set()
            begun.set()
        return code


def _pair(kind: socket.SocketKind, ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Two ends of a socket, each in the hands of one of these."""
    pair = socket.socketpair(socket.AF_UNIX, kind)
    return ours.enter_context(pair[0]), theirs.enter_context(pair[1])
