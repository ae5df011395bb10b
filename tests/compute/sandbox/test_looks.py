"""Memory without control groups: when environments are looked at, what is seen, and who is killed for it."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
from typing import TYPE_CHECKING

import msgspec
import pytest

from lambent.compute.sandbox import holdings
from lambent.compute.sandbox.cgroups import Cgroups, Tree
from lambent.compute.sandbox.holdings import Holdings, Seen
from lambent.compute.sandbox.looks import Looks, Watch, lacking, pause_s
from lambent.kernel.clock import VirtualClock
from lambent.kernel.limits import (
    LOOK_CORES,
    LOOK_GROWTH_BYTES_PER_S,
    LOOK_IDLE_S,
    LOOK_LEAST_S,
    LOOK_MOST_S,
    LOOK_RETRY_S,
    MIB,
)
from tests.compute.conftest import open_files
from tests.compute.sandbox.building import (
    Building,
    Ended,
    answer,
    line,
    measured,
    opened,
    program,
    ready,
)
from tests.compute.sandbox.test_branches import entered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lambent.compute.sandbox.branches import Branch
    from lambent.compute.sandbox.cells import JailCell

MEMORY = 100 * MIB
KINDS = pytest.mark.parametrize("building", [False, True], ids=["accompanied", "lone"], indirect=True)


class Scripted(Holdings):
    """In which `sizes` are in use, one after the other and the last for ever."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(os.open("/proc", os.O_RDONLY))
        self.sizes = [*sizes]
        self.cost_s = 0.0
        self.looks = 0

    def look(self) -> Seen:
        self.looks += 1
        return Seen(self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0], self.cost_s)


class Failing(Scripted):
    """That cannot be looked at the first time."""

    def look(self) -> Seen:
        seen = super().look()
        if self.looks == 1:
            raise OSError("too many open files")
        return seen


class Site:
    """One environment that is watched while a clock stands still."""

    def __init__(self, *sizes: int, freezes: bool = False, kind: type[Scripted] = Scripted) -> None:
        self.clock = VirtualClock()
        self.looks = Prompt(self.clock, freezes=freezes, needless=False)
        self.holdings = kind(*sizes)
        self.watch = Watch(self.looks, self.holdings)
        self.watch.hold(MEMORY)

    async def looks_in(self, seconds: float) -> int:
        """How many looks there are in that time."""
        before = self.holdings.looks
        await self.clock.advance(seconds)
        return self.holdings.looks - before

    def close(self) -> None:
        self.watch.end()
        self.looks.close()


class Prompt(Looks):
    """Looks at once, as no time passes here."""

    def look(self, holdings: Holdings) -> asyncio.Future[Seen]:
        done = asyncio.get_running_loop().create_future()
        try:
            done.set_result(holdings.look())
        except OSError as error:
            done.set_exception(error)
        return done


@pytest.mark.parametrize(
    ("left", "cost_s", "watched", "wait"),
    [
        pytest.param(0, 0, 1, LOOK_LEAST_S, id="nothing-left"),
        pytest.param(-MIB, 0, 1, LOOK_LEAST_S, id="too-much-in-use"),
        pytest.param(LOOK_GROWTH_BYTES_PER_S // 10, 0, 1, 0.1, id="until-it-could-be-full"),
        pytest.param(10 * LOOK_GROWTH_BYTES_PER_S, 0, 1, LOOK_MOST_S, id="plenty"),
        pytest.param(0, 0.001, 100, 0.1 / LOOK_CORES, id="many-share-what-looks-may-take"),
    ],
)
def test_looks_come_as_often_as_is_needed_and_may_be(left: int, cost_s: float, watched: int, wait: float) -> None:
    assert pause_s(left, cost_s, watched) == pytest.approx(wait)


async def test_who_comes_near_its_memory_is_looked_at_more_often() -> None:
    site = Site(0, MEMORY)
    first = pause_s(MEMORY, 0, 1)
    assert await site.looks_in(first * 0.9) == 0
    assert await site.looks_in(first * 0.2) == 1
    assert await site.looks_in(first) == 1
    assert 90 <= await site.looks_in(100 * LOOK_LEAST_S) <= 101
    site.close()


async def test_who_rests_is_looked_at_ever_less_often() -> None:
    site = Site(MIB)
    await site.looks_in(1)
    site.watch.rest()
    assert await site.looks_in(LOOK_IDLE_S * 4) < 20
    assert await site.looks_in(LOOK_IDLE_S * 10) in {10, 11}
    site.watch.wake()
    assert await site.looks_in(1) > 10
    site.close()


async def test_who_grows_at_rest_is_not_left_alone() -> None:
    site = Site(*range(MIB, 60 * MIB, 2 * MIB))
    site.watch.rest()
    assert await site.looks_in(LOOK_MOST_S * 20) >= 19
    site.close()


async def test_who_is_frozen_is_not_looked_at() -> None:
    site = Site(MIB, freezes=True)
    site.watch.rest()
    assert await site.looks_in(10 * LOOK_IDLE_S) == 0
    site.watch.wake()
    assert await site.looks_in(1) > 1
    site.close()


async def test_a_look_that_fails_is_told_and_another_follows(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(MIB, kind=Failing)
    assert await site.looks_in(LOOK_RETRY_S) == 1
    assert "too many open files" in caplog.text
    assert await site.looks_in(LOOK_RETRY_S) > 1
    site.close()


async def test_after_the_end_nobody_looks() -> None:
    site = Site(MIB)
    site.watch.end()
    site.watch.rest()
    site.watch.wake()
    assert await site.looks_in(10) == 0
    assert site.looks.busy == 0
    site.close()


async def test_an_end_during_a_look_lets_go_after_it() -> None:
    before = open_files()
    looks = Looks(VirtualClock(), freezes=False, needless=False)
    watch = Watch(looks, Scripted(0))
    watch.hold(MEMORY)
    clock = looks.clock
    assert isinstance(clock, VirtualClock)
    advancing = asyncio.ensure_future(clock.advance(LOOK_MOST_S))
    await asyncio.sleep(0)
    watch.end()
    await advancing
    await asyncio.to_thread(looks.close)
    assert open_files() - before == set()


def test_what_is_done_instead_is_told() -> None:
    held = "memory is still held, though not exactly, by looking at it, and pids by RLIMIT_NPROC"
    assert lacking(Cgroups.none("none")) == f"none; {held}"
    memory = Tree("/nowhere", unified=True, controls=frozenset({"memory"}))
    assert lacking(Cgroups([memory], "nothing limits cpu")) == "nothing limits cpu"
    assert lacking(Cgroups([memory])) == ""


@pytest.fixture
async def building(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Building]:
    async with opened(tmp_path, lone=getattr(request, "param", False)) as site:
        yield site


def look(cell: JailCell | Branch) -> Seen:
    """Look now, whatever the time, and again, as a process counts from its second look on."""
    assert cell._watch is not None
    assert cell._watch._holdings is not None
    cell._watch._holdings.look()
    return cell._watch._holdings.look()


async def python(building: Building, source: str, memory_mb: int = 128) -> tuple[JailCell, Ended]:
    """A cell in which a program runs, which has printed something."""
    cell = await building.cell({"run.py": source}, await building.python(), memory_mb=memory_mb, ephemeral_mb=64)
    ended = Ended()
    cell.enter(program("/var/lang/bin/python3", "/var/task/run.py"), ended)
    assert await line(cell.output) == "ready\n"
    return cell, ended


@KINDS
async def test_who_uses_up_the_memory_is_killed_and_it_is_told(building: Building) -> None:
    cell = await measured(building)
    bomb = "kept = []\nprint('ready', flush=True)\nwhile True:\n    kept.append(b'x' * (1 << 20))"
    cell, ended = await python(building, bomb)
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL
    assert cell.usage().out_of_memory


@KINDS
async def test_the_largest_process_is_killed_and_the_others_go_on(building: Building) -> None:
    source = """
        import os
        child = os.fork()
        if child == 0:
            kept = b"x" * (200 << 20)
            print("ready", flush=True)
            os.read(3, 1)
        _, status = os.waitpid(child, 0)
        os.write(1, b"%d" % status)
    """
    cell, ended = await python(building, textwrap.dedent(source), memory_mb=300)
    assert cell._watch._holdings is not None
    assert look(cell).used > 200 * MIB
    cell._watch._holdings.memory = 150 * MIB
    assert await line(cell.output) == str(int(signal.SIGKILL))
    assert await ended.status == 0
    assert cell.usage().out_of_memory


async def test_as_many_are_killed_as_have_too_much(building: Building) -> None:
    source = """
        import os
        for _ in range(5):
            reading, writing = os.pipe()
            if os.fork() == 0:
                kept = b"x" * (40 << 20)
                os.write(writing, b"1")
                os.read(3, 1)
            os.read(reading, 1)
        print("ready", flush=True)
        os.read(3, 1)
    """
    cell, _ = await python(building, textwrap.dedent(source), memory_mb=1024)
    assert cell._watch._holdings is not None
    assert look(cell).used > 200 * MIB
    cell._watch._holdings.memory = 100 * MIB
    look(cell)
    assert cell._watch.kills >= 3
    assert cell.alive


@KINDS
async def test_pages_that_processes_share_count_once(building: Building) -> None:
    source = """
        import os
        kept = b"x" * (64 << 20)
        reading, writing = os.pipe()
        children = [os.fork(), os.fork()]  # four processes
        os.write(writing, b"1")
        if all(children):
            for _ in range(4):
                os.read(reading, 1)
            print("ready", flush=True)
        os.read(3, 1)
    """
    cell, _ = await python(building, textwrap.dedent(source), memory_mb=160)
    seen = look(cell)
    assert 64 * MIB < seen.used < 160 * MIB
    assert not cell.usage().out_of_memory


@KINDS
async def test_files_in_tmp_are_storage_and_shared_mappings_are_memory(building: Building) -> None:
    source = """
        import mmap, os
        with open("/tmp/file", "wb") as file:
            for _ in range(60):
                file.write(bytes(1 << 20))
        file = os.open("/tmp/file", os.O_RDWR)
        kept = mmap.mmap(file, 60 << 20)
        kept[::4096] = bytes(60 << 8)
        print("ready", flush=True)
        os.read(3, 1)
        shared = mmap.mmap(-1, 100 << 20)
        shared[::4096] = bytes(100 << 8)
        print("more", flush=True)
        os.read(3, 1)
    """
    cell, ended = await python(building, textwrap.dedent(source), memory_mb=60)
    assert look(cell).used < 60 * MIB
    cell.channel.send(b"1")
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL
    assert cell.usage().out_of_memory


@KINDS
async def test_who_lets_nobody_look_into_it_is_seen_all_the_same(building: Building) -> None:
    source = """
        import ctypes, os
        kept = b"x" * (100 << 20)
        if ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0:  # PR_SET_DUMPABLE
            print("ready", flush=True)
        os.read(3, 1)
    """
    cell, ended = await python(building, textwrap.dedent(source), memory_mb=256)
    assert look(cell).used > 100 * MIB
    assert cell._watch._holdings is not None
    cell._watch._holdings.memory = 50 * MIB
    look(cell)
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of a system call is this machine's")
async def test_a_process_whose_first_thread_has_ended_is_seen(building: Building) -> None:
    source = """
        import ctypes, threading
        kept = b"x" * (100 << 20)
        def tell():
            while True:
                with open("/proc/self/status") as status:
                    if "zombie" in status.read():
                        break
            print("ready", flush=True)
            threading.Event().wait()
        threading.Thread(target=tell).start()
        ctypes.CDLL(None).syscall(60, 0)
    """
    cell, ended = await python(building, textwrap.dedent(source), memory_mb=256)
    assert look(cell).used > 100 * MIB
    assert cell._watch._holdings is not None
    cell._watch._holdings.memory = 50 * MIB
    look(cell)
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL


async def test_a_process_that_was_not_there_before_is_not_killed_yet(building: Building) -> None:
    source = "kept = b'x' * (64 << 20)\nprint('ready', flush=True)\nimport os\nos.read(3, 1)\n"
    cell, ended = await python(building, source)
    fresh = Holdings(holdings.processes(cell._inhabitant()))
    fresh.memory = 50 * MIB
    assert fresh.look().used > 64 * MIB
    assert (fresh.kills, fresh.most) == (0, 0)
    fresh.look()
    assert fresh.kills == 1
    fresh.close()
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL


async def test_branches_are_looked_at_apart(building: Building) -> None:
    image = msgspec.structs.replace(await building.python(), branches=True)
    source = "kept = None\ndef handler(event, context):\n    global kept\n    kept = b'x' * (64 << 20)\n"
    cell = await building.cell({"app.py": source}, image)
    assert await ready(cell, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") == "S"
    gone = asyncio.Event()
    first, second = await cell.branch(gone.set), await cell.branch(lambda: None)
    _, channel = await entered(first)
    _, other = await entered(second)
    await answer(first)
    assert look(first).used > 64 * MIB
    assert look(second).used < 32 * MIB
    assert look(cell).used < 32 * MIB
    assert first.usage().peak_memory > 64 * MIB
    first.kill()
    async with asyncio.timeout(20):
        await gone.wait()
    channel.close()
    other.close()


def test_a_process_that_has_ended_has_nothing_to_look_at() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    descriptor = os.pidfd_open(child)
    os.waitpid(child, 0)
    with pytest.raises(ProcessLookupError):
        holdings.processes(descriptor)
    os.close(descriptor)
