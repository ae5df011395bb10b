"""DNS for environments: questions asked at 127.0.0.1:53 inside go to this machine's name servers, as they are.

Each question leaves from a socket of its own, so that the port is as hard to guess as the kernel makes it, nothing but
the server that was asked can answer, and an answer finds its asker without a look into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.clock import deadline

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from lambent.compute.sandbox.egress.datagrams import Flows
    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor

log = logging.getLogger(__name__)

Server = tuple[str, int]

_PORT = 53
_IDENTITY_BYTES = 2
_LENGTH_BYTES = 2
_SMALLEST_BYTES = 12


class Servers:
    """The name servers that a resolv.conf(5) lists, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._servers: tuple[Server, ...] = ()

    def current(self) -> tuple[Server, ...]:
        """Host and port of each, the preferred one first. This machine's own where none is listed."""
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_ino, state.st_size)
            if seen != self._seen:
                self._servers = parse(self._path.read_text(encoding="utf-8", errors="replace"))
                self._seen = seen
        except FileNotFoundError:
            self._servers, self._seen = (), ()
        return self._servers or (("127.0.0.1", _PORT),)


def parse(text: str) -> tuple[Server, ...]:
    """The name servers in a resolv.conf(5); a line that makes no sense counts for nothing, as in the C library."""
    servers = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        with contextlib.suppress(ValueError):
            ip_address(words[1])
            servers.append((words[1], _PORT))
    return tuple(servers[: limits.DNS_SERVERS])


class Names:
    """The relay of one environment. It owns both sockets, which are non-blocking from now on."""

    def __init__(
        self, udp: socket.socket, tcp: socket.socket, servers: Servers, flows: Flows, clock: Clock, tasks: Supervisor
    ) -> None:
        self._udp = udp
        self._tcp = tcp
        self._servers = servers
        self._flows = flows
        self._clock = clock
        self._supervisor = tasks
        self._loop = asyncio.get_running_loop()
        self._questions: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.Task[None]] = set()
        self._open = True
        for listener in (udp, tcp):
            listener.setblocking(False)
        self._loop.add_reader(udp.fileno(), self._asked)
        self._listen()

    def close(self) -> None:
        """Answer nobody any more."""
        self._open = False
        for listener in (self._udp, self._tcp):
            self._loop.remove_reader(listener.fileno())
            listener.close()
        for task in (*self._questions, *self._clients):
            task.cancel()

    def _asked(self) -> None:
        for _ in range(limits.DATAGRAMS_PER_TURN):
            try:
                data, asker = self._udp.recvfrom(limits.DATAGRAM_BYTES)
            except OSError:  # nothing more for now, or an asker of before has closed its port
                return
            if not self._flows.forward(data, asker) and len(data) >= _SMALLEST_BYTES:
                self._start(self._questions, limits.DNS_QUESTIONS, self._relay(data, asker))

    def _listen(self) -> None:
        if self._open:
            self._loop.add_reader(self._tcp.fileno(), self._called)

    def _called(self) -> None:
        try:
            client, _ = self._tcp.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # it has gone away again
            return
        except OSError as error:
            # Out of descriptors or buffers: the listener stays readable, and to ask at once would spin.
            log.warning("the name relay of an environment cannot accept: %s", error.strerror)
            self._loop.remove_reader(self._tcp.fileno())
            self._clock.call_later(limits.DNS_PAUSE_S, self._listen)
            return
        client.setblocking(False)
        if not self._start(self._clients, limits.DNS_CLIENTS, self._converse(client)):
            client.close()

    def _start(self, among: set[asyncio.Task[None]], most: int, work: Coroutine[Any, Any, None]) -> bool:
        """Whether there was room. A question that is dropped is asked again."""
        if len(among) >= most:
            work.close()
            return False
        task = self._supervisor.start("dns", work)
        among.add(task)
        task.add_done_callback(among.discard)
        return True

    async def _relay(self, question: bytes, asker: tuple[str, int]) -> None:
        for server in self._servers.current():
            # A server that is silent, refuses or cannot be reached: the next one is asked.
            with contextlib.suppress(OSError):
                answer = await self._ask(question, server)
                self._udp.sendto(answer, asker)
                return
        log.debug("no name server answers")

    async def _ask(self, question: bytes, server: Server) -> bytes:
        with _socket(server, socket.SOCK_DGRAM) as upstream:
            async with deadline(self._clock, limits.DNS_ANSWER_S):
                await self._loop.sock_connect(upstream, server)
                upstream.send(question)
                while True:
                    answer = await self._loop.sock_recv(upstream, limits.DATAGRAM_BYTES)
                    if answer[:_IDENTITY_BYTES] == question[:_IDENTITY_BYTES]:
                        return answer

    async def _converse(self, client: socket.socket) -> None:
        """Questions over TCP, one after the other, until the client has had enough."""
        with client, contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                async with deadline(self._clock, limits.DNS_IDLE_S):
                    question = await self._message(client)
                answer = await self._ask_reliably(question)
                async with deadline(self._clock, limits.DNS_IDLE_S):
                    await self._loop.sock_sendall(client, _framed(answer))

    async def _ask_reliably(self, question: bytes) -> bytes:
        for server in self._servers.current():
            # As over UDP; one that hangs up in the middle has not answered.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError), _socket(server, socket.SOCK_STREAM) as up:
                async with deadline(self._clock, limits.DNS_ANSWER_S):
                    await self._loop.sock_connect(up, server)
                    await self._loop.sock_sendall(up, _framed(question))
                    return await self._message(up)
        raise TimeoutError("no name server answers")

    async def _message(self, peer: socket.socket) -> bytes:
        length = int.from_bytes(await self._exactly(peer, _LENGTH_BYTES), "big")
        return await self._exactly(peer, length)

    async def _exactly(self, peer: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = await self._loop.sock_recv(peer, count - len(data))
            if not piece:
                raise asyncio.IncompleteReadError(data, count)
            data += piece
        return data


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def _socket(server: Server, kind: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    return socket.socket(family, kind | socket.SOCK_NONBLOCK)
