"""The plain-process level: what its guests are given, and that none outlives its server."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lambent.compute.sandbox.api import Launch
from lambent.compute.sandbox.process import ProcessSandbox
from tests.compute.conftest import open_files
from tests.compute.test_failures import gone, running

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    shop = Workshop(folder)
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
        sys.executable, "-c", SERVER, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
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


@pytest.fixture
def nothing() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def launch(tmp_path: Path, nothing: int, *command: str, mark: str = "MARK=none") -> Launch:
    name, _, value = mark.partition("=")
    return Launch(
        command=command, variables={name: value}, descriptors=(nothing,) * 3, mark=mark.encode(), scratch=tmp_path
    )


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -15 $$", -15)])
async def test_the_status_says_how_the_process_ended(tmp_path: Path, nothing: int, script: str, status: int) -> None:
    sandbox, ended = ProcessSandbox(), Ended()
    sandbox.spawn(launch(tmp_path, nothing, "/bin/sh", "-c", script), ended)
    async with asyncio.timeout(10):
        assert await ended.status == status
    await sandbox.close()


async def test_a_command_that_is_not_there_raises_and_leaves_no_descriptor(tmp_path: Path, nothing: int) -> None:
    before = open_files()
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            ProcessSandbox().spawn(launch(tmp_path, nothing, "/nowhere"), Ended())
    assert open_files() == before


async def test_where_there_are_no_process_descriptors_a_thread_waits(
    tmp_path: Path, nothing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    sandbox, ended = ProcessSandbox(), Ended()
    guest = sandbox.spawn(launch(tmp_path, nothing, "/bin/sleep", "60"), ended)
    guest.kill()
    async with asyncio.timeout(10):
        assert await ended.status == -signal.SIGKILL
    await sandbox.close()


async def test_strays_are_ended_with_their_guest_and_others_are_not(tmp_path: Path, nothing: int) -> None:
    sandbox, ended = ProcessSandbox(), Ended()
    reading, writing = os.pipe()
    script = "PATH=/bin:/usr/bin; setsid sleep 60 & echo $!; sleep 60"
    bystander = await asyncio.create_subprocess_exec("sleep", "60", env={"MARK": "other"})
    start = launch(tmp_path, nothing, "/bin/sh", "-c", script, mark="MARK=mine")
    start = msgspec.structs.replace(start, descriptors=(nothing, writing, nothing))
    guest = sandbox.spawn(start, ended)
    stray = int(await asyncio.to_thread(os.read, reading, 20))
    os.close(reading)
    os.close(writing)
    guest.kill()
    async with asyncio.timeout(10):
        await sandbox.close()
    assert not running(stray)
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


async def test_memory_of_a_process_that_crashed_is_what_it_had_used(shop: Workshop) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    source = f"def handler(e, c):\n    import os\n    x = bytearray({own + 100} * 1_048_576)\n    os._exit(1)"
    outcome = await shop.invoke(shop.function(source), tail=True)
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert outcome.log_tail is not None
    used = int(outcome.log_tail.decode().partition("Max Memory Used: ")[2].partition(" ")[0])
    assert own + 100 <= used < own + 160
