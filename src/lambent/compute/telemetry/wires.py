"""How batches of events reach an extension's listener: HTTP requests or a TCP connection, inside the environment."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import httptools

from lambent.compute.telemetry.subscriptions import HOST
from lambent.kernel import limits

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Sequence

    from lambent.compute.telemetry.subscriptions import Destination

Connect = Callable[[int], Awaitable["tuple[StreamReader, StreamWriter]"]]
"""Connects to a port of 127.0.0.1 as the environment's processes see it. Raises OSError where nobody listens."""


class Refused(Exception):
    """The listener has answered that it does not take the batch; once more would be no use."""


class Wire(Protocol):
    """A way to one listener. It connects when it has to."""

    async def send(self, events: Sequence[bytes]) -> None:
        """Send a batch, and wait until the listener has it, or for TCP has room for it. Raises OSError where it could
        not be delivered, Refused where it was not taken."""

    def close(self) -> None:
        """Let go of the connection; the next batch makes another."""


def wire(destination: Destination, connect: Connect) -> Wire:
    """The way to `destination`."""
    return Lines(destination, connect) if destination.protocol == "TCP" else Posts(destination, connect)


class _Connection:
    """A connection that is made when it is needed."""

    def __init__(self, port: int, connect: Connect) -> None:
        self._port = port
        self._connect = connect
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def streams(self) -> tuple[StreamReader, StreamWriter]:
        if self._streams is None:
            self._streams = await self._connect(self._port)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Lines:
    """TCP: events as lines of JSON. Nobody says whether they arrive; a full pipe holds the sender up."""

    def __init__(self, destination: Destination, connect: Connect) -> None:
        self._connection = _Connection(destination.port, connect)

    async def send(self, events: Sequence[bytes]) -> None:
        _, writer = await self._connection.streams()
        writer.write(b"\n".join(events) + b"\n")
        await writer.drain()

    def close(self) -> None:
        self._connection.close()


class Posts:
    """HTTP/1.1: each batch is a request with a JSON array."""

    def __init__(self, destination: Destination, connect: Connect) -> None:
        self._connection = _Connection(destination.port, connect)
        self._head = (
            f"{destination.method} {destination.target} HTTP/1.1\r\nHost: {HOST}:{destination.port}\r\n"
            "Content-Type: application/json\r\n"
        )

    async def send(self, events: Sequence[bytes]) -> None:
        body = b"[" + b",".join(events) + b"]"
        # RAPID names a batch by its digest, so that a listener can tell one that is sent again.
        sequence = base64.b64encode(hashlib.sha256(body).digest()).decode()
        head = f"{self._head}Sequence-Id: {sequence}\r\nContent-Length: {len(body)}\r\n\r\n"
        reader, writer = await self._connection.streams()
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        answer = await _answer(reader)
        if not answer.reusable:
            self._connection.close()
        if answer.status >= 400:
            raise Refused(f"http request failed with status {answer.status}")

    def close(self) -> None:
        self._connection.close()


class _Answer:
    """What a listener answers; only the status counts."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.reusable = False
        self.complete = False

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200
        self.reusable = self.parser.should_keep_alive()


async def _answer(reader: StreamReader) -> _Answer:
    """Read an answer, at most TELEMETRY_ANSWER_BYTES of it. Raises OSError where none comes or it is no HTTP."""
    answer = _Answer()
    size = 0
    while not answer.complete and size < limits.TELEMETRY_ANSWER_BYTES:
        data = await reader.read(limits.TELEMETRY_READ_BYTES)
        if not data:
            break
        size += len(data)
        try:
            answer.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ConnectionError(f"the answer is no HTTP: {error}") from None
    if answer.status < 200:
        raise ConnectionError("the connection was closed without an answer")
    return answer
