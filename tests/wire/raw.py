"""A client that speaks HTTP in raw bytes, and a server for it: what the HTTP suites are made of."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from lambent.kernel.clock import SystemClock
from lambent.wire.http import HttpRequest, HttpResponse
from lambent.wire.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.kernel.clock import Clock
    from lambent.wire.http import Handler

PATIENCE_S = 20


class Answer(NamedTuple):
    """A response as it was read off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(PATIENCE_S):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split(" ")[1]), headers

    async def answer(self, *, bodyless: bool = False) -> Answer:
        status, headers = await self.head()
        async with asyncio.timeout(PATIENCE_S):
            if bodyless or status in (100, 204, 304):
                return Answer(status, headers, b"")
            if headers.get("transfer-encoding") == "chunked":
                return Answer(status, headers, b"".join([chunk async for chunk in self.chunks()]))
            if "content-length" in headers:
                return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
            return Answer(status, headers, await self.reader.read())

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class RawServer:
    """A listening server and the connections to it."""

    def __init__(self, server: HttpServer, host: str, port: int) -> None:
        self.server = server
        self.host = host
        self.port = port
        self._clients: list[RawClient] = []

    async def connect(self, port: int | None = None) -> RawClient:
        client = RawClient(*await asyncio.open_connection(self.host, port or self.port))
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        await self.server.close(patience=1)


@asynccontextmanager
async def serving(handler: Handler, clock: Clock | None = None, host: str = "127.0.0.1") -> AsyncIterator[RawServer]:
    """A server for `handler` until the block ends."""
    server = HttpServer(handler, clock or SystemClock())
    raw = RawServer(server, host, await server.start(host, 0))
    try:
        yield raw
    finally:
        await raw.close()


async def echo(http: HttpRequest) -> HttpResponse:
    """Answers with what was asked: method, path and query as headers, the body as body."""
    body = await http.body.read(100_000_000)
    headers = [("X-Method", http.method), ("X-Path", http.path), ("X-Query", http.query)]
    return HttpResponse(200, headers, body)
