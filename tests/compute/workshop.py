"""A real engine with real processes, and a quick way to functions that run in it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from lambent.compute.engine import Engine
from lambent.compute.function import FunctionVersion, Invocation, Outcome
from lambent.compute.sandbox.process import ProcessSandbox
from lambent.kernel.authority import SessionCredentials
from lambent.kernel.clock import SystemClock, settle
from lambent.kernel.ids import SystemIds
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.compute.sandbox.api import Sandbox
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import LogEvent, LogStream

ROLE = "arn:aws:iam::000000000000:role/worker"
RUNTIME = f"python3.{sys.version_info.minor}"
HOST = {
    **{name: os.environ[name] for name in ("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR") if name in os.environ},
    "PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}",
}


class RecordedFacts:
    """Keeps what is told; `told` wakes when more is."""

    def __init__(self) -> None:
        self.events: list[tuple[LogStream, LogEvent]] = []
        self.calls = 0
        self._told = asyncio.Event()

    def log(self, stream: LogStream, events: list[LogEvent]) -> None:
        self.calls += 1
        self.events += [(stream, event) for event in events]
        self._told.set()

    @property
    def messages(self) -> list[str]:
        return [event.message for _, event in self.events]

    async def until(self, text: str, times: int = 1) -> None:
        """Wait until so many messages contain `text`."""
        async with asyncio.timeout(10):
            while sum(text in message for message in self.messages) < times:
                self._told.clear()
                await self._told.wait()


class CountingAuthority:
    """Sessions that last as long as they are asked to, or `lasting` seconds."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lasting: float | None = None
        self.sessions: list[tuple[str, str]] = []

    def session(
        self, role_arn: str, session_name: str, seconds: float, role_id: str | None = None
    ) -> SessionCredentials:
        self.sessions.append((role_arn, session_name))
        return SessionCredentials(
            access_key_id=f"ASIA{len(self.sessions):016}",
            secret_access_key="secret",
            session_token="token",
            expires=self.clock.time() + (self.lasting if self.lasting is not None else seconds),
        )


class NoRoles:
    """Nobody has made a role."""

    async def find(self, role_arn: str) -> None:
        """Nothing."""


class FolderBlobs:
    """Packages in a folder, by their sha256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def path(self, digest: str) -> Path:
        if len(digest) != 64:
            raise ValueError(digest)
        return self.folder / digest

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / digest).write_bytes(data)
        return digest


def package(files: dict[str, str | bytes]) -> bytes:
    """A zip of `files`."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class Workshop:
    """Makes functions of source text and runs them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.ids = SystemIds()
        self.facts = RecordedFacts()
        self.authority = CountingAuthority(self.clock)
        self.blobs = FolderBlobs(folder / "blobs")
        self.supervisor = Supervisor(self.clock)
        self.settings = Settings(**settings)
        self.host = HOST
        self.engine = self.new_engine()
        self.made = 0

    def new_engine(self) -> Engine:
        return Engine(
            folder=self.folder / "engine",
            settings=self.settings,
            blobs=self.blobs,
            facts=self.facts,
            authority=self.authority,  # type: ignore[arg-type]
            roles=NoRoles(),
            clock=self.clock,
            ids=self.ids,
            supervisor=self.supervisor,
            endpoint=lambda: "http://127.0.0.1:4566",
            serve=lambda listener: listener,
            sandbox=self.new_sandbox(self.folder / "engine"),
            host=self.host,
        )

    def new_sandbox(self, folder: Path) -> Sandbox:
        """One for the engine of that folder."""
        return ProcessSandbox(folder / "cells")

    def function(self, source: str | dict[str, str | bytes], **fields: Any) -> FunctionVersion:
        self.made += 1
        files: dict[str, str | bytes] = {"app.py": source} if isinstance(source, str) else source
        values: dict[str, Any] = {
            "account": "000000000000",
            "region": "us-east-1",
            "name": f"function-{self.made}",
            "version": "$LATEST",
            "revision": "1",
            "role": ROLE,
            "runtime": RUNTIME,
            "handler": "app.handler",
            "code_sha256": self.blobs.put(package(files)),
            "memory_mb": 128,
            "timeout_s": 10,
            "variables": {},
            "log_group": f"/aws/lambda/function-{self.made}",
        }
        return FunctionVersion(**{**values, **fields})

    def invocation(self, event: Any = None, **fields: Any) -> Invocation:
        payload = event if isinstance(event, bytes) else json.dumps({} if event is None else event).encode()
        values: dict[str, Any] = {
            "request_id": self.ids.uuid(),
            "payload": payload,
            "invoked_arn": "arn:aws:lambda:us-east-1:000000000000:function:function-1",
        }
        return Invocation(**{**values, **fields})

    async def run(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """The outcome; the report is in the log by then."""
        outcome = await self.engine.invoke(function, invocation)
        await settle(2)
        return outcome

    async def invoke(self, function: FunctionVersion, event: Any = None, **fields: Any) -> Outcome:
        return await self.run(function, self.invocation(event, **fields))

    async def result(self, function: FunctionVersion, event: Any = None, **fields: Any) -> Any:
        """The decoded answer of a call that must succeed."""
        outcome = await self.invoke(function, event, **fields)
        assert outcome.error is None, outcome.payload
        return json.loads(outcome.payload)

    async def failure(self, function: FunctionVersion, event: Any = None, **fields: Any) -> dict[str, Any]:
        """The decoded error of a call that must fail."""
        outcome = await self.invoke(function, event, **fields)
        assert outcome.error == "Unhandled", outcome.payload
        return json.loads(outcome.payload)

    async def close(self) -> None:
        await self.engine.close()
        await self.supervisor.stop()
