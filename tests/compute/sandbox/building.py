"""A sandbox with walls and a quick way to its cells: jails where root runs the tests, elsewhere user namespaces."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lambent.compute.runtimes import Runtime, Runtimes
from lambent.compute.sandbox import egress, jail, seccomp
from lambent.compute.sandbox.api import Image, Program, Tenancy
from lambent.compute.sandbox.cgroups import Cgroups
from lambent.compute.sandbox.users import claim
from lambent.kernel.clock import SystemClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.tasks import Supervisor
from tests.compute.conftest import open_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lambent.compute.sandbox.branches import Branch
    from lambent.compute.sandbox.cells import Guard, JailCell
    from lambent.kernel.clock import Clock

LEVEL = "jail" if os.geteuid() == 0 else "userns"
RUNTIME = f"python3.{sys.version_info.minor}"
SECRET = b"0123456789abcdef"
CUSTOM = Image(Runtime("provided.al2023", "al2023"))
CLIENT = {
    "_HANDLER": "app.handler",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "PATH": "/usr/bin:/bin",
    "LANG": "en_US.UTF-8",
}


class Ended:
    """Waits for the end of a guest."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def exited(self, status: int) -> None:
        self.status.set_result(status)


class Building:
    """A sandbox, and packages for its cells."""

    def __init__(
        self,
        folder: Path,
        cgroups: Cgroups | None = None,
        guard: Guard | None = None,
        clock: Clock | None = None,
        share: Callable[[int], float | None] = lambda _: None,
        lone: bool = False,
    ) -> None:
        self.folder = folder
        self.image = msgspec.structs.replace(CUSTOM, lone=lone)
        self.code = folder / "code"
        self.code.mkdir(parents=True)
        self.clock = clock or SystemClock()
        self.supervisor = Supervisor(self.clock)
        self.sandbox = jail.JailSandbox(
            LEVEL,
            code=self.code,
            cgroups=cgroups or Cgroups.none(),
            share=share,
            filters=seccomp.filters(),
            claim=partial(claim, SystemIds()),
            clock=self.clock,
            guard=guard,
            notify=None if guard is None else egress.notify_filter(),
        )
        self._packages = 0
        self._cells: list[JailCell] = []

    def package(self, files: dict[str, str]) -> Path:
        """A folder as if it had been unpacked."""
        self._packages += 1
        folder = self.code / str(self._packages)
        folder.mkdir()
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(textwrap.dedent(text))
            path.chmod(0o755)
        return folder

    async def python(self) -> Image:
        """The image of the interpreter that runs the tests."""
        folder = self.folder / "runtimes"
        folder.mkdir(exist_ok=True)
        host = {"HOME": "/nonexistent", "PATH": f"{sys.base_prefix}/bin"}
        runtime = await Runtimes(folder, self.clock, self.supervisor, host).find(RUNTIME)
        assert runtime is not None
        return msgspec.structs.replace(self.image, runtime=runtime)

    async def cell(self, files: dict[str, str] | None = None, image: Image | None = None, **fields: Any) -> JailCell:
        """A cell with a tenant."""
        cell = await self.sandbox.cell(image or self.image)
        self._cells.append(cell)
        values: dict[str, Any] = {"name": "f", "task": self.package(files or {}), "memory_mb": 256, "ephemeral_mb": 8}
        cell.furnish(Tenancy(**{**values, **fields}))
        return cell

    async def run(self, script: str, **fields: Any) -> tuple[int, str]:
        """The status and the output of a shell script, the first guest of a new cell."""
        cell = await self.cell({"run": f"#!/bin/sh\n{textwrap.dedent(script)}"}, **fields)
        status, output = await finish(cell)
        cell.kill()
        return status, output

    async def close(self) -> None:
        for cell in self._cells:
            cell.kill()
            for name in {"channel", "output", "frames", "runtime_api", "endpoint"} - cell._untaken.keys():
                end = getattr(cell, name)
                os.close(end) if isinstance(end, int) else end.close()
        async with asyncio.timeout(30):
            await self.sandbox.close()
        await self.supervisor.stop()


@asynccontextmanager
async def opened(folder: Path, cgroups: Cgroups | None = None, *, lone: bool = False) -> AsyncIterator[Building]:
    """A building that is closed at the end, when no descriptor may be left. Skips the test where there can be none."""
    before = open_files()
    site = Building(folder, cgroups, lone=lone)
    problem = None if sys.platform.startswith("linux") else "it needs Linux"
    problem = problem or await jail.refusal(site.sandbox, CUSTOM.runtime)
    if problem is not None:
        await site.close()
        pytest.skip(f"{LEVEL} cannot be used here: {problem}")
    yield site
    await site.close()
    assert open_files() - before == set(), "descriptors are left open"


async def measured(building: Building) -> JailCell:
    """A cell of 128 MB whose function uses as many bytes as two to the power of its event, after it has used 64 MB."""
    source = "def handler(event, context):\n    return len(bytearray(1 << event))"
    cell = await building.cell({"app.py": source}, await building.python(), memory_mb=128)
    assert await ready(cell) == "Y"
    assert json.loads(await answer(cell, b"26")) == 1 << 26
    assert 1 << 26 < cell.usage().peak_memory < 1 << 27
    assert not cell.usage().out_of_memory
    cell.freeze()
    cell.thaw()
    return cell


def program(*command: str, **variables: str) -> Program:
    """A program with the usual PATH."""
    return Program(command=command, variables={"PATH": "/usr/bin:/bin", **variables})


async def finish(cell: JailCell, *command: str) -> tuple[int, str]:
    """Let the first guest in, and wait for its end: its status and what it has printed."""
    ended = Ended()
    cell.enter(program(*(command or ("/var/task/run",))), ended)
    output = await read(cell.output)
    async with asyncio.timeout(20):
        return await ended.status, output


async def read(descriptor: int) -> str:
    """Everything from a pipe to its end."""
    text = ""
    while piece := await line(descriptor):
        text += piece
    return text


async def line(descriptor: int) -> str:
    """What comes next from a pipe; nothing at its end."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(descriptor, lambda: readable.done() or readable.set_result(None))
    try:
        async with asyncio.timeout(20):
            await readable
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 65_536).decode()


async def ready(cell: JailCell, **variables: str) -> str:
    """Let the runtime client in: the kind of its first message."""
    cell.channel.send(SECRET)
    cell.enter(Program(command=(), variables={**CLIENT, **variables}), Ended())
    async with asyncio.timeout(20):
        packet = await asyncio.get_running_loop().sock_recv(cell.channel, 65_536)
    return packet[16:17].decode()


async def answer(cell: JailCell | Branch, event: bytes = b"{}") -> bytes:
    """What the runtime client answers to an event."""
    head = b"id\n99999999999999\narn\n\n\n\n"
    lead = (1).to_bytes(4, "big") + len(event).to_bytes(4, "big") + len(head).to_bytes(2, "big")
    cell.channel.send(lead + head + event)
    async with asyncio.timeout(20):
        return (await asyncio.get_running_loop().sock_recv(cell.channel, 65_536))[16 + 5 :]
