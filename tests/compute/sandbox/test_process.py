"""The plain-process level: what its guests are given, and that none outlives its server."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.guests import discard
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import levels
from lambent.compute.sandbox.api import Image, Program, Tenancy
from lambent.compute.sandbox.process import ProcessSandbox
from lambent.kernel.clock import SystemClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor
from tests.compute.conftest import open_files
from tests.compute.test_failures import gone, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.compute.sandbox.api import Cell
    from tests.compute.workshop import Workshop

SERVER = """
import asyncio, sys, tempfile
from pathlib import Path
from tests.compute.workshop import Workshop

SOURCE = '''
import os, subprocess, time
def handler(event, context):
    child = subprocess.Popen(["sleep", "300"])
    with open(event, "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    print("written", event)
    time.sleep(300 if event.endswith("busy") else 0)
'''

async def main(folder):
    shop = Workshop(folder, sandbox="process")
    function = shop.function(SOURCE, timeout_s=300)
    await shop.invoke(function, str(folder / "idle"))
    call = shop.supervisor.start("call", shop.invoke(function, str(folder / "busy")))
    await shop.facts.until("busy")
    print("ready", flush=True)
    await call

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_server_that_is_killed_takes_its_functions_and_their_children_along(tmp_path: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert server.stdout is not None
    async with asyncio.timeout(30):
        assert await server.stdout.readline() == b"ready\n"
    pids = [int(pid) for name in ("idle", "busy") for pid in (tmp_path / name).read_text().split()]
    assert len(pids) == 4
    assert all(running(pid) for pid in pids)
    waits = [asyncio.get_running_loop().create_task(gone(pid)) for pid in pids]
    await asyncio.sleep(0)
    server.send_signal(signal.SIGKILL)
    await server.wait()
    await asyncio.gather(*waits)
    assert not any(running(pid) for pid in pids)


class Ended:
    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def exited(self, status: int) -> None:
        self.status.set_result(status)


CUSTOM = Image(Runtime("provided.al2023", "al2023"))


@asynccontextmanager
async def cell(folder: Path) -> AsyncIterator[Cell]:
    """A furnished cell whose sandbox is closed at the end."""
    sandbox = ProcessSandbox(folder / "cells")
    made = await sandbox.cell(CUSTOM)
    (folder / "task").mkdir()
    made.furnish(Tenancy(name="test", task=folder / "task", memory_mb=128, ephemeral_mb=512))
    try:
        yield made
    finally:
        discard(made)
        async with asyncio.timeout(10):
            await sandbox.close()
        assert not list((folder / "cells").iterdir())


def shell(script: str) -> Program:
    return Program(command=("/bin/sh", "-c", script), variables={"PATH": "/bin:/usr/bin"})


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -15 $$", -15)])
async def test_the_status_says_how_the_process_ended(tmp_path: Path, script: str, status: int) -> None:
    async with cell(tmp_path) as place:
        ended = Ended()
        place.enter(shell(script), ended)
        async with asyncio.timeout(10):
            assert await ended.status == status


async def test_a_command_that_is_not_there_ends_as_in_a_shell_and_leaves_no_descriptor(tmp_path: Path) -> None:
    before = open_files()
    async with cell(tmp_path) as place:
        ended = Ended()
        place.enter(Program(command=("/nowhere",), variables={}), ended)
        async with asyncio.timeout(10):
            assert await ended.status == 127
    assert open_files() == before


@pytest.mark.parametrize("what", ["pipe", "create_server", "symlink"])
async def test_a_cell_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no more")

    before = open_files()
    sandbox = ProcessSandbox(tmp_path / "cells")
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "bootstrap.pyc").touch()
    image = Image(Runtime("python3.13", "3.13", client=tmp_path / "client"))
    with monkeypatch.context() as patch:
        if what == "pipe":
            patch.setattr(os, "pipe", full)
        elif what == "create_server":
            patch.setattr(socket, "create_server", full)
        else:
            patch.setattr(Path, "symlink_to", full)
        with pytest.raises(OSError, match="no more"):
            await sandbox.cell(image)
    made = await sandbox.cell(image)
    assert os.listdir(made.paths.runtime) == ["bootstrap.pyc"]  # noqa: PTH208 shorter
    made.kill()
    discard(made)
    await sandbox.close()
    assert not list((tmp_path / "cells").iterdir())
    assert open_files() == before


@pytest.mark.parametrize("what", ["_limit", "_Lifeline.bind", "_ProcessGuest.watch"])
async def test_a_process_that_cannot_be_watched_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    started: list[int] = []
    spawn = os.posix_spawn

    def spawned(*arguments: Any, **options: Any) -> int:
        started.append(spawn(*arguments, **options))
        return started[0]

    def fails(*_: object) -> None:
        raise OSError("not permitted")

    before = open_files()
    async with cell(tmp_path) as place:
        monkeypatch.setattr(os, "posix_spawn", spawned)
        monkeypatch.setattr(f"lambent.compute.sandbox.process.{what}", fails)
        with pytest.raises(OSError, match="not permitted"):
            place.enter(shell("sleep 60"), Ended())
    assert len(started) == 1
    assert not running(started[0])
    assert open_files() == before


async def test_where_there_are_no_process_descriptors_a_thread_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    async with cell(tmp_path) as place:
        ended = Ended()
        place.enter(shell("sleep 60"), ended)
        place.kill()
        async with asyncio.timeout(10):
            assert await ended.status == -signal.SIGKILL


async def test_a_signal_reaches_the_process(tmp_path: Path) -> None:
    async with cell(tmp_path) as place:
        ended = Ended()
        guest = place.enter(shell("trap 'exit 3' TERM; echo ready; while true; do sleep 0.01; done"), ended)
        os.set_blocking(place.output, True)
        assert await asyncio.to_thread(os.read, place.output, 20) == b"ready\n"
        guest.signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await ended.status == 3


async def test_further_guests_have_their_own_output_and_end_with_the_cell(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    async with cell(tmp_path) as place:
        first, second = Ended(), Ended()
        place.start(shell("echo beside; sleep 60"), writing, second)
        os.close(writing)
        place.enter(shell("sleep 60"), first)
        assert await asyncio.to_thread(os.read, reading, 20) == b"beside\n"
        os.close(reading)
        place.kill()
        async with asyncio.timeout(10):
            assert (await first.status, await second.status) == (-signal.SIGKILL, -signal.SIGKILL)


async def test_strays_are_ended_with_their_cell_and_others_are_not(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "60", env={"_LAMBENT_ENVIRONMENT": "other"})
    async with cell(tmp_path) as place:
        place.enter(shell("setsid sleep 60 & echo $!; sleep 60"), Ended())
        os.set_blocking(place.output, True)
        stray = int(await asyncio.to_thread(os.read, place.output, 20))
        assert running(stray)
    assert not running(stray)
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


async def test_a_level_with_walls_ends_what_a_server_without_has_left(tmp_path: Path) -> None:
    if sys.platform != "linux" or await levels.obstacle("jail" if os.geteuid() == 0 else "userns") is not None:
        pytest.skip("there are no walls here")
    clock, ids = SystemClock(), SystemIds()
    supervisor = Supervisor(clock)
    async with cell(tmp_path) as place:
        place.enter(shell("setsid sleep 60 & echo $!; sleep 60"), Ended())
        os.set_blocking(place.output, True)
        stray = int(await asyncio.to_thread(os.read, place.output, 20))
        choice = await levels.choose(Settings(), tmp_path, clock, ids, supervisor)
        assert not running(stray)
        assert not list((tmp_path / "cells").iterdir())
    assert choice.sandbox.level != "process"
    await choice.sandbox.close()
    await supervisor.stop()


async def test_memory_of_a_process_that_crashed_is_what_it_had_used(shop: Workshop) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    source = f"def handler(e, c):\n    import os\n    x = bytearray({own + 100} * 1_048_576)\n    os._exit(1)"
    outcome = await shop.invoke(shop.function(source), tail=True)
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert outcome.log_tail is not None
    used = int(outcome.log_tail.decode().partition("Max Memory Used: ")[2].partition(" ")[0])
    assert own + 100 <= used < own + 160
