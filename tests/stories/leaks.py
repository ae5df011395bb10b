"""Accounts for what a running server holds of the machine, so that a test can ask whether it gives everything back."""

from __future__ import annotations

import hashlib
import os
import re
import select
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.compute.sandbox.killing import opened
from tests.support import server_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support import ServerProcess

PATIENCE_S = 60.0
"""How long anything may take to go away."""
TURNS = 3
"""Calls after which a server has seen to everything that it had heard of before."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FURNISHER = "/cell/furnish.py"
_ZYGOTE = re.compile(r"/cell/(zygote|furnish)\.py")
_TREES = ("cgroup", "cgroup2")


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server holds at one moment, in the words that a failed comparison is to show."""

    processes: dict[str, int]
    """Those below it, by command line."""
    descriptors: dict[str, int]
    """Its own, by what they are."""
    cgroups: int
    """Folders for its environments, in all hierarchies together."""
    mounts: frozenset[str]
    """All that the server sees."""
    namespaces: dict[str, int]
    """Those of the processes below it that it is not in itself, by kind."""
    files: frozenset[str]
    """In its data folder, without what lasts: records, archives and the code unpacked from them."""

    def beyond(self, before: Holdings) -> dict[str, Any]:
        """What it holds more of than `before`; a zygote that nobody has used for long may have gone."""
        counted = ("processes", "descriptors", "namespaces")
        more: dict[str, Any] = {kind: Counter(getattr(self, kind)) - Counter(getattr(before, kind)) for kind in counted}
        more |= {kind: getattr(self, kind) - getattr(before, kind) for kind in ("mounts", "files")}
        more["cgroups"] = max(self.cgroups - before.cgroups, 0)
        return {kind: rest for kind, rest in more.items() if rest}


class Premises:
    """A running server, its processes and its folders."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.server = server
        self.data = folder / "data"
        self.killed = False
        self._calls = server.client("sts")

    @property
    def level(self) -> str:
        """The sandbox level, as the server tells it."""
        line = next(line for line in self.server.printed if line.startswith("  sandbox "))
        return line.split()[1].rstrip(":,")

    @property
    def holds_memory(self) -> bool:
        """Whether its environments cannot have more memory than they are to."""
        files = ("memory.max", "memory.limit_in_bytes")
        return any((group / name).exists() for group in cgroups(self.data) for name in files)

    def holdings(self) -> Holdings:
        """What it holds now."""
        below = sorted(self.processes())
        return Holdings(
            processes=dict(Counter(command(process) for process in below)),
            descriptors=dict(Counter(_descriptors(self.server.pid))),
            cgroups=sum(1 for _ in cgroups(self.data)),
            mounts=frozenset(mounted(self.server.pid).splitlines()),
            namespaces=_namespaces(self.server.pid, below),
            files=frozenset(self._files()),
        )

    def processes(self) -> set[int]:
        """All below the server, and all that are in control groups of its environments."""
        members: set[int] = set()
        for group in cgroups(self.data):
            with suppress(OSError):  # the folder goes with the environment
                members.update(map(int, (group / "cgroup.procs").read_text().split()))
        return descendants(self.server.pid) | members - {self.server.pid}

    def zygotes(self) -> set[int]:
        """Those of the processes that fork environments and are none, and their parents where those are not the server:
        an unprivileged server has one between, which furnishes the root and stays."""
        direct = {child for child in children(self.server.pid) if _ZYGOTE.search(command(child))}
        return direct.union(*(children(child) for child in direct if _FURNISHER in command(child)))

    def first_processes(self) -> set[int]:
        """The processes 1 of its environments, and the guests of lone cells."""
        zygotes = self.zygotes()
        return {child for zygote in zygotes for child in children(zygote)} - zygotes

    def kill(self) -> None:
        """SIGKILL for the server; returns once its processes have ended, which they must of themselves."""
        below = self.processes()
        self.killed = True
        self.server.kill()
        wait_for_ends(below, time.monotonic() + PATIENCE_S)

    def turn(self) -> None:
        """Return when the server has seen to everything that it had heard of before."""
        for _ in range(TURNS):
            self._calls.get_caller_identity()

    def let_go(self) -> Holdings:
        """What it holds once every environment has ended, which it must of itself."""
        until = time.monotonic() + PATIENCE_S
        while lingering := self.processes() - self.zygotes():
            wait_for_ends(lingering, until)
        self.turn()
        return self.holdings()

    def resident_mb(self) -> float:
        """The anonymous memory of the server itself, in megabytes."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon:")).split()[1]) / 1024

    def _files(self) -> Iterator[str]:
        for path in self.data.rglob("*"):
            parts = path.relative_to(self.data).parts
            lasting = parts[0] == "blobs" or (parts[0] == "code" and any(map(_DIGEST.fullmatch, parts)))
            if not lasting:
                yield "/".join(parts)


@contextmanager
def premises(folder: Path, **settings: object) -> Iterator[Premises]:
    """Run a server with `settings` until the block ends. Afterwards nothing is left of it, unless it was killed, and it
    has met no bug."""
    (folder / "lambent.toml").write_text("".join(f"{name} = {_toml(value)}\n" for name, value in settings.items()))
    mounts = mounted()
    with server_process(folder) as server:
        words = Words(server)
        found = Premises(server, folder)
        yield found
        if not found.killed:
            below = found.processes()
            assert server.stop() == 0
            wait_for_ends(below, time.monotonic() + PATIENCE_S)
            assert list(cgroups(found.data)) == [], "control groups are left"
        said = words.all()
    assert "Traceback" not in said, said
    assert mounted() == mounts


class Words:
    """Reads on what a server prints, which would otherwise stop when the pipe is full."""

    def __init__(self, server: ServerProcess) -> None:
        self._lines = list(server.printed)
        self._output = server._child.stdout
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def all(self) -> str:
        """Everything that it has printed, once it has ended."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "something still holds the server's output"
        return "".join(self._lines)

    def _read(self) -> None:
        assert self._output is not None
        self._lines.extend(self._output)


def children(process: int) -> set[int]:
    """The processes that this one has started or inherited; none where it has ended."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def descendants(process: int) -> set[int]:
    """The processes below this one."""
    below = children(process)
    return below.union(*map(descendants, below))


def command(process: int) -> str:
    """How a process was called; empty where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def mounted(process: int | str = "self") -> str:
    """All mounts that a process sees."""
    return Path(f"/proc/{process}/mountinfo").read_text()


def cgroups(data: Path) -> Iterator[Path]:
    """The control groups of the server with that data folder, in every hierarchy that is mounted."""
    name = "lambent-" + hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    for line in mounted().splitlines():
        place, _, kind = line.partition(" - ")
        if kind.split()[0] in _TREES:
            for top, folders, _ in os.walk(place.split()[4]):
                yield from (Path(top, each) for each in folders if each.startswith(name) or f"/{name}" in top)


def end(processes: Iterable[int]) -> None:
    """SIGKILL for all of them, of which some may end with others; returns once none is left."""
    every = set(processes)
    for process in every:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for_ends(every, time.monotonic() + PATIENCE_S)


def wait_for_ends(processes: Iterable[int], until: float) -> None:
    """Return when all of them have ended; fails where that is after `until`, of the monotonic clock."""
    for process in processes:
        if (descriptor := opened(process)) is None:
            continue
        try:
            ended, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            assert ended, f"process {process} is still there: {command(process)}"
        finally:
            os.close(descriptor)


def together(works: Iterable[Callable[[], Any]]) -> list[Any]:
    """What each of them returns; all begin at the same moment, each on a thread of its own. Raises what one raised."""
    works = list(works)
    begin = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    problems: list[BaseException] = []

    def run(number: int, work: Callable[[], Any]) -> None:
        begin.wait()
        try:
            results[number] = work()
        except BaseException as problem:  # noqa: BLE001 it is raised again on the thread of the test
            problems.append(problem)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return results


def _descriptors(process: int) -> Iterator[str]:
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            yield target if target.startswith(("/", "anon_inode:")) else target.partition(":")[0]


def _namespaces(server: int, processes: Iterable[int]) -> dict[str, int]:
    own = set(_namespaces_of(server))
    others = {each for process in processes for each in _namespaces_of(process)} - own
    return dict(Counter(each.partition(":")[0] for each in others))


def _namespaces_of(process: int) -> Iterator[str]:
    with suppress(OSError):
        for entry in Path(f"/proc/{process}/ns").iterdir():
            if not entry.name.endswith("_for_children"):  # what the next child will be in
                yield str(entry.readlink())


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
