"""The desk: the server's side of one front. It knows how many clients are there, and answers what they call."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits
from lambent.wire import heads
from lambent.wire.fronts.link import Link
from lambent.wire.fronts.messages import Ask, Finish, FromFront, Gone, Hello, Output, Ping, Pong, Ready, Refusal
from lambent.wire.fronts.passage import Passage
from lambent.wire.fronts.pulse import Pulse
from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from lambent.kernel.call import Response
    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor

    Performer = Callable[[Ask], Awaitable[Response | HttpResponse]]

log = logging.getLogger(__name__)


class Staff(Protocol):
    """Who has the desks."""

    def returned(self, connection: socket.socket, read: bytes) -> None:
        """A front gives a connection back, with what was read of it and not answered."""

    def changed(self) -> None:
        """A front has more connections, or fewer."""


class Desk:
    """Takes over both sockets. `perform` gives the output of a call, or the response that is its error."""

    def __init__(
        self, staff: Staff, perform: Performer, clock: Clock, tasks: Supervisor, passage: socket.socket
    ) -> None:
        self.lent = 0
        """The connections that the front has."""
        self.ready = False
        """Whether the front takes connections."""
        self.gone = asyncio.Event()
        """The front has hung up."""
        self.buried = asyncio.Event()
        """Its process has ended; its keeper's to set."""
        self._staff = staff
        self._perform = perform
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._link: Link[FromFront] = Link(FromFront, self._heard, self._lost)
        self._passage = Passage(passage, self._arrived, self._dropped)
        self._pulse = Pulse(clock, lambda: self.lent > 0, lambda: self._link.send(Ping()), self._hung)
        self._resting: list[asyncio.Future[Ask]] = []
        self._standing = asyncio.Event()

    async def open(self, link: socket.socket, hello: Hello) -> None:
        """Return when the front is ready, or has ended."""
        await self._loop.create_connection(lambda: self._link, sock=link)
        self._link.send(hello)
        await self._standing.wait()

    @property
    def free(self) -> bool:
        """Whether a connection can be lent."""
        return self.ready and not self._passage.blocked and not self._pulse.doubtful

    def lend(self, descriptor: int, read: bytes = b"") -> None:
        """Let the front serve a connection. The caller closes its own descriptor of it."""
        self.lent += 1
        self._pulse.watch()
        self._passage.hand(descriptor, read)

    def finish(self) -> None:
        """Have the front answer what is asked, and end."""
        self.ready = False
        self._link.send(Finish())

    def close(self) -> None:
        """Let go of both sockets; the front ends of it, if it has not. Harmless twice."""
        self.ready = False
        for rest in self._resting:
            rest.cancel()
        self._resting.clear()
        self._pulse.stop()
        self._passage.close()
        self._link.close()

    def _heard(self, message: FromFront) -> None:
        if isinstance(message, Ask):
            if self._resting:
                self._resting.pop().set_result(message)
            else:
                self._tasks.start("answer a front", self._work(message))
        elif isinstance(message, Gone):
            self.lent -= 1
            self._staff.changed()
        elif isinstance(message, Pong):
            self._pulse.answered()
        else:
            assert isinstance(message, Ready)
            self.ready = True
            self._standing.set()

    async def _work(self, ask: Ask) -> None:
        """Answer one call after the other: a task for each would cost more than many a call."""
        while True:
            try:
                self._answer(ask.number, await self._perform(ask))
            except Exception:
                log.exception("%s failed, request %s", ask.operation, ask.request_id)
                self._answer(ask.number, heads.plain(500)[0])  # somebody waits for it
            if len(self._resting) >= limits.FRONT_TASKS_RESTING or self.gone.is_set():
                return
            rest: asyncio.Future[Ask] = self._loop.create_future()
            self._resting.append(rest)
            ask = await rest

    def _answer(self, number: int, output: Response | HttpResponse) -> None:
        if isinstance(output, HttpResponse):
            assert isinstance(output.body, bytes), "no error is streamed"
            self._link.send(Refusal(number, output.status, output.headers, output.body))
        else:
            self._link.send(Output(number, output))

    def _arrived(self, connection: socket.socket, read: bytes) -> None:
        self.lent -= 1
        self._staff.returned(connection, read)

    def _dropped(self) -> None:
        log.warning("a connection was lost between the server and a front: there are too many descriptors")
        self.lent -= 1
        self._staff.changed()

    def _hung(self) -> None:
        log.error("a front with %d connections does not answer any more and is ended", self.lent)
        self._link.close()

    def _lost(self) -> None:
        self.gone.set()
        self._standing.set()
        self._passage.drain()
        self.lent = 0
        self.close()
