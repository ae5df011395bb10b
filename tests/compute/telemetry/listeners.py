"""What extensions listen with: a real HTTP server, and a TCP server that may leave things unread."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENCE_S = 10


class Inbox:
    """Collects; `until` wakes when there is enough."""

    def __init__(self) -> None:
        self._more = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._more.set)

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                self._more.clear()
                if not enough():
                    await self._more.wait()


class HttpListener(Inbox):
    """Requests as (method, path, headers, body); answers `statuses` in turn, then 200."""

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        self.statuses: list[int] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = protocol

            def setup(self) -> None:
                listener.connections += 1
                super().setup()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = listener.statuses.pop(0) if listener.statuses else 200
                listener.requests.append((self.command, self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"OK")
                listener.wake()

            do_POST = do_PUT = _take  # noqa: N815 as http.server asks for them

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port

    @property
    def batches(self) -> list[list[dict[str, Any]]]:
        return [json.loads(body) for *_, body in self.requests]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch]


@asynccontextmanager
async def http_listener(protocol: str = "HTTP/1.1") -> AsyncIterator[HttpListener]:
    listener = HttpListener(protocol)
    thread = Thread(target=listener.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        await asyncio.to_thread(listener.server.shutdown)
        thread.join()
        listener.server.server_close()


class TcpSink(Inbox):
    """Reads lines, or nothing until `open` is set."""

    def __init__(self, reading: bool) -> None:
        super().__init__()
        self.data = b""
        self.open = asyncio.Event()
        self.serving: dict[asyncio.StreamWriter, asyncio.Event] = {}
        if reading:
            self.open.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.data.splitlines()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done = self.serving[writer] = asyncio.Event()
        try:
            await self.open.wait()
            while data := await reader.read(65536):
                self.data += data
                self.wake()
        finally:
            writer.close()
            done.set()


@asynccontextmanager
async def tcp_sink(reading: bool = True) -> AsyncIterator[tuple[TcpSink, int]]:
    sink = TcpSink(reading)
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    try:
        yield sink, server.sockets[0].getsockname()[1]
    finally:
        sink.open.set()
        server.close()
        for writer, done in sink.serving.items():
            writer.close()
            await done.wait()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The seam, as a level without a network of its own has it."""
    return await asyncio.open_connection("127.0.0.1", port)
