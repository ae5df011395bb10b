"""A Runtime API on a loopback port, an environment that notes what it is told, and a raw HTTP client."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

from lambent.compute.extensions.registry import Extensions
from lambent.compute.runtime_api.api import About, Event
from lambent.compute.runtime_api.runtime import Runtime
from lambent.compute.runtime_api.server import RuntimeApi
from lambent.compute.runtime_api.workers import Workers
from lambent.kernel.clock import SystemClock, settle
from lambent.kernel.ids import SeededIds

if TYPE_CHECKING:
    from lambent.compute.runtime_api.api import Version

RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
REQUEST_ID = "8f3c6e0e-0000-4000-8000-000000000001"
NONCE = "nonce-1"


def about(*, snap_start: bool = False) -> About:
    return About(
        account="123456789012",
        name="greeter",
        version="$LATEST",
        handler="index.handler",
        zone="use1-az1",
        metadata_token="metadata-token",
        snap_start=snap_start,
    )


def event(sequence: int = 1, payload: bytes = b'{"n":1}', **members: Any) -> Event:
    return Event(
        sequence=sequence,
        request_id=members.pop("request_id", REQUEST_ID),
        invocation_id=members.pop("invocation_id", NONCE),
        deadline_ms=1_700_000_003_000,
        invoked_arn="arn:aws:lambda:us-east-1:123456789012:function:greeter",
        payload=payload,
        **members,
    )


class Sink:
    """A stream's end that takes chunks as long as `room` is set."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.cancelled = False
        self.written = asyncio.Semaphore(0)
        self.room = asyncio.Event()
        self.room.set()
        self.over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def write(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.written.release()
        await self.room.wait()

    def end(self) -> None:
        self.over.set_result("end")

    def fail(self, kind: str, message: bytes) -> None:
        self.over.set_result((kind, message))


class Environment:
    """The listener, host and watcher: puts what it is told in a queue, in order."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.sink = Sink()
        self.refuse: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.told.put_nowait((name, *arguments))

    def streaming(self, sequence: int, content_type: str) -> Sink:
        self.told.put_nowait(("streaming", sequence, content_type))
        return self.sink

    def subscribe(self, extension: str, version: Version, body: bytes) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.told.put_nowait(("subscribe", extension, version, body))

    def credentials(self, token: str) -> bytes | None:
        return b'{"AccessKeyId":"ASIA"}' if token == "right" else None

    def asked(self) -> None:
        """It is told of every request that has to wait; only the room of an environment depends on that."""

    async def hears(self) -> tuple[Any, ...]:
        async with asyncio.timeout(10):
            return await self.told.get()


class Answer:
    """An answer as it came."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self) -> tuple[int, str, str]:
        told = json.loads(self.body)
        return self.status, told["errorType"], told["errorMessage"]


class Guest:
    """A kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        await self.send(method, path, body, **headers)
        return await self.answer()

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
            headers |= {name: line.split(": ", 1)[1] for line in head[1:-2] for name in [line.split(":")[0].lower()]}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(head[0].split()[1]), headers, body)

    async def closed(self) -> bytes:
        """What comes until the other end closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()


class Bench:
    """One Runtime API with all that it needs."""

    def __init__(self, *, expected: tuple[str, ...] = (), snap_start: bool = False, workers: int = 0) -> None:
        self.environment = Environment()
        self.about = about(snap_start=snap_start)
        self.extensions = Extensions(self.about, expected, self.environment, SeededIds())
        self.runtime = Runtime(self.environment)
        self.workers = Workers(self.environment, workers)
        door = socket.create_server(("127.0.0.1", 0))
        self.address = door.getsockname()
        self.api = RuntimeApi(
            door,
            clock=SystemClock(),
            about=self.about,
            runtime=self.workers if workers else self.runtime,
            host=self.environment,
            extensions=self.extensions,
        )
        self._guests: list[Guest] = []

    async def guest(self) -> Guest:
        guest = Guest(*await asyncio.open_connection(*self.address))
        self._guests.append(guest)
        return guest

    async def running(self, guest: Guest, **members: Any) -> Answer:
        """Let the runtime take an event; what it got."""
        await guest.send("GET", f"{RUNTIME}/invocation/next")
        assert await self.environment.hears() == ("ready",)
        self.runtime.event(event(**members))
        return await guest.answer()

    async def close(self) -> None:
        self.api.close()
        for guest in self._guests:
            guest.writer.close()
            await asyncio.gather(guest.writer.wait_closed(), return_exceptions=True)
        await settle()
