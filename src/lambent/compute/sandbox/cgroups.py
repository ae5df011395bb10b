"""Control groups: what an environment may use of the machine, and the switch that stops or ends all of it at once.

Drives cgroup v1, v2 and the mixture of both, where some controllers are in trees of their own and the unified tree has
the rest (https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/). Each
server has one folder per tree, `lambent-<name>`, and each environment one below it. Where nothing may be written the
same classes do nothing, and `Cgroups.controls` says what there is.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import msgspec

from lambent.compute.sandbox.killing import await_ends, kill, opened
from lambent.compute.sandbox.overdraft import Overdrafts
from lambent.kernel.limits import (
    CGROUP_CPU_PERIOD_US,
    CGROUP_CPU_QUOTA_MIN_US,
    CGROUP_KILL_PASSES,
    CGROUP_READ_BYTES,
    CGROUP_SWEEP_S,
    ENVIRONMENT_PROCESSES,
    FUNCTION_MEMORY_MB_PER_CPU,
    MIB,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONTROLLERS: Final = ("memory", "cpu", "pids")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_BUSY: Final = {errno.EBUSY, errno.ENOTEMPTY}
_ENDED: Final = {errno.ENOENT, errno.ENODEV}
"""What the kernel answers for a control group that was removed, before and after the file was opened."""


def cpu_share(memory_mb: int) -> float:
    """The cores that a function of `memory_mb` has: 1,769 MB are one
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""
    return memory_mb / FUNCTION_MEMORY_MB_PER_CPU


class Tree(msgspec.Struct, frozen=True):
    """One mounted hierarchy: where a server's environments go in it and what it controls."""

    folder: str
    """The server's own folder."""
    unified: bool
    """Whether it is version 2."""
    controls: frozenset[str]
    """Of `memory`, `cpu`, `pids`, `freeze` and `kill`, those for which this tree is the one to ask."""


class Door(NamedTuple):
    """Where to make a control group and join it."""

    folder: int
    """A descriptor."""
    pids: str
    """What the file `pids.max` of the new folder is to say; empty where it has none."""


class Cgroup:
    """The control groups of one environment, one folder in each tree. Every call takes tens of microseconds."""

    def __init__(self, name: str, trees: tuple[Tree, ...], living: set[str], overdrafts: Overdrafts) -> None:
        self._name = name
        self._living = living
        self._overdrafts = overdrafts
        self._watch: MemoryWatch | None = None
        self._folders = tuple(f"{tree.folder}/{name}" for tree in trees)
        self._places = {
            control: (folder, tree.unified)
            for folder, tree in zip(self._folders, trees, strict=True)
            for control in tree.controls
        }
        self.procs: tuple[int, ...] = ()
        """Descriptors, one for each tree; a process that writes `0` to each of them has joined. Whoever takes them
        closes them."""

    def make(self, pids: int) -> None:
        """Make the folders, which may hold `pids` processes and threads together, and open `procs`. Raises OSError,
        with nothing left behind."""
        self._living.add(self._name)
        try:
            for folder in self._folders:
                os.mkdir(folder, 0o755)  # noqa: PTH102 a path object costs as much as the call
                self.procs += (os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC),)
            if place := self._places.get("pids"):
                write(place[0], "pids.max", str(pids))
        except OSError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close `procs`, which nobody has taken, and remove the folders."""
        for descriptor in self.procs:
            os.close(descriptor)
        self.procs = ()
        self.remove()

    def expect(self) -> None:
        """Count on them: somebody else is going to make the folders, by `Cgroups.doors`."""
        self._living.add(self._name)

    def limit(self, *, memory_mb: int, files_mb: int = 0) -> None:
        """Set what the environment may use: megabytes (2**20 bytes) of memory with no swap, and megabytes of files in
        tmpfs mounts, which the kernel counts as memory. Once. Raises OSError."""
        if place := self._places.get("memory"):
            _limit_memory(*place, (memory_mb + files_mb) * MIB)
            if files_mb:
                self._watch = MemoryWatch(*place, memory_mb * MIB)
                self._overdrafts.watch(self._watch.descriptor, self._watch)

    def throttle(self, cpu: float | None) -> None:
        """Set the share of the processors: cores, None for all that are free, as in the beginning. Raises OSError."""
        if place := self._places.get("cpu"):
            _limit_cpu(*place, cpu)

    def freeze(self) -> None:
        """Stop every process where it is, at the latest when it next leaves the kernel. Harmless twice, and when the
        environment is gone."""
        self._set_frozen("1", "FROZEN")

    def thaw(self) -> None:
        """Let them go on."""
        self._set_frozen("0", "THAWED")

    def _set_frozen(self, unified: str, first: str) -> None:
        if place := self._places.get("freeze"):
            with _EndedIsHarmless():
                write(place[0], *(("cgroup.freeze", unified) if place[1] else ("freezer.state", first)))

    def kill(self) -> None:
        """Send SIGKILL to every process, frozen ones and those being forked included. Returns before they are gone."""
        if place := self._places.get("kill"):
            with _EndedIsHarmless():
                write(place[0], "cgroup.kill", "1")
        else:
            self._kill_each()

    def _kill_each(self) -> None:
        """Without `cgroup.kill`: stop the forking, then signal until nobody new turns up."""
        if place := self._places.get("pids"):
            with _EndedIsHarmless():
                write(place[0], "pids.max", "0")
        seen: set[int] = set()
        for _ in range(CGROUP_KILL_PASSES):
            found = self.members() - seen
            kill(found, self.members)
            if not found:
                break
            seen |= found
        self.thaw()

    def members(self) -> set[int]:
        """The ids of the processes that are in it now, as this process sees them."""
        found: set[int] = set()
        for folder in self._folders:
            with _EndedIsHarmless():
                found.update(map(int, _read_all(folder, "cgroup.procs").split()))
        return found

    def usage(self) -> int:
        """The bytes of memory in use now, page cache and tmpfs included; 0 where that is not known."""
        return self._memory("memory.current", "memory.usage_in_bytes")

    def peak(self) -> int:
        """The most bytes of memory that were in use at once; 0 where that is not known. The kernel counts files along,
        and before Linux 5.19 version 2 keeps no peak; where there is none, or it comes to more than the environment has
        memory, it is what its processes were seen to use."""
        peak = self._memory("memory.peak", "memory.max_usage_in_bytes")
        return self._watch.peak() if self._watch and not 0 < peak <= self._watch.memory else peak

    def _memory(self, unified: str, first: str) -> int:
        if place := self._places.get("memory"):
            with _EndedIsHarmless():
                return int(_read(place[0], unified if place[1] else first))
        return 0

    def oom_kills(self) -> int:
        """How many processes were killed because the memory was used up."""
        killed = self._watch.kills if self._watch else 0
        if place := self._places.get("memory"):
            with _EndedIsHarmless():
                text = _read(place[0], "memory.events" if place[1] else "memory.oom_control")
                return killed + _counter(text, "oom_kill")
        return killed

    def remove(self) -> bool:
        """Remove the folders. False where one is still in use: `Cgroups.sweep` takes it away later."""
        self._living.discard(self._name)
        watch, self._watch = self._watch, None
        if watch is None:
            return self._remove_folders()
        self._overdrafts.forget(watch.descriptor)
        # The kernel would keep the loop waiting with a folder in which a threshold is just being set.
        return watch.close(self._remove_folders)

    def _remove_folders(self) -> bool:
        return not [folder for folder in self._folders if not _removed(folder)]


class MemoryWatch:
    """Tells when the memory of an environment passes a threshold, and what it consists of."""

    def __init__(self, folder: str, unified: bool, memory: int) -> None:
        self._folder = folder
        self._unified = unified
        self.memory = memory
        self.arming_waits = not unified
        self.urgent = unified
        self.kills = 0
        self._most = 0
        self._noting = threading.Lock()
        self._arming = threading.Lock()
        self._armed: set[int] = set()
        """The thresholds of version 1, where each one stays."""
        self._closed = False
        self._afterwards: Callable[[], bool] = bool
        self.descriptor = _events(folder) if unified else os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Urgent or readable when the threshold was passed; the object's own."""

    def balance(self) -> tuple[int, int]:
        """Bytes in use by processes, and by files, in a tmpfs or kept of what was read; none where all is gone."""
        with _EndedIsHarmless():
            before = self._usage()
            files = _counter(_read(self._folder, "memory.stat"), "file" if self._unified else "cache")
            # A large file that is removed between the looks must not be taken for memory.
            used = max(min(before, self._usage()) - files, 0)
            with self._noting:  # both the loop and a thread look
                self._most = max(self._most, used)
            return used, files
        return 0, 0

    def _usage(self) -> int:
        return int(_read(self._folder, "memory.current" if self._unified else "memory.usage_in_bytes"))

    def peak(self) -> int:
        """The most bytes that processes were seen to use at once: all that they may, where one was killed for it."""
        used, _ = self.balance()
        return self.memory if self.kills else max(self._most, used)

    def members(self) -> set[int]:
        """The ids of the processes."""
        with _EndedIsHarmless():
            return set(map(int, _read_all(self._folder, "cgroup.procs").split()))
        return set()

    def arm(self, threshold: int) -> None:
        """Make the descriptor ready when `usage` passes `threshold`. In version 1 the kernel takes 10 ms for it."""
        with _EndedIsHarmless():
            if self._unified:
                write(self._folder, "memory.high", str(threshold))
            else:
                self._register(threshold)

    def _register(self, threshold: int) -> None:
        try:
            with self._arming:
                if not self._closed and threshold not in self._armed:
                    self._tell_threshold(threshold)
                    self._armed.add(threshold)
        finally:
            if self._closed:
                self._settle()

    def _tell_threshold(self, threshold: int) -> None:
        usage = os.open(f"{self._folder}/memory.usage_in_bytes", os.O_RDONLY | os.O_CLOEXEC)
        try:
            write(self._folder, "cgroup.event_control", f"{self.descriptor} {usage} {threshold}")
        finally:
            os.close(usage)

    def killed(self) -> None:
        """Count a process that was killed because the memory was used up."""
        self.kills += 1

    def close(self, afterwards: Callable[[], bool]) -> bool:
        """Close the descriptor and do `afterwards`; returns what that returns. Never waits: while the watch is being
        armed, both are left to the thread that arms it, and False is returned."""
        self._afterwards = afterwards
        self._closed = True
        return self._settle()

    def _settle(self) -> bool:
        if not self._arming.acquire(blocking=False):
            return False
        try:
            if self.descriptor >= 0:
                os.close(self.descriptor)
            self.descriptor = -1
            return self._afterwards()
        finally:
            self._arming.release()


def _events(folder: str) -> int:
    """A descriptor of `memory.events`, read once: the kernel calls every file changed that nobody has read yet."""
    descriptor = os.open(f"{folder}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
    os.pread(descriptor, CGROUP_READ_BYTES, 0)
    return descriptor


class Cgroups:
    """The control groups of one server."""

    def __init__(self, trees: Iterable[Tree], lacking: str = "") -> None:
        self._trees = tuple(trees)
        self._living: set[str] = set()
        self._overdrafts = Overdrafts()
        self.lacking = lacking
        """Why something cannot be controlled, for people; empty where all can."""

    @classmethod
    def none(cls, lacking: str = "control groups are not used") -> Self:
        """The object for a machine where nothing may be written: nothing is limited, stopped or counted."""
        return cls((), lacking)

    @property
    def controls(self) -> frozenset[str]:
        """What works here, of `memory`, `cpu`, `pids`, `freeze` and `kill`."""
        return frozenset[str]().union(*(tree.controls for tree in self._trees))

    def open(self, name: str, pids: int = ENVIRONMENT_PROCESSES) -> Cgroup:
        """Make the control groups of an environment; they may hold `pids` processes and threads together. Raises
        OSError, and ValueError for a name that is no plain file name."""
        cgroup = Cgroup(plain_name(name), self._trees, self._living, self._overdrafts)
        cgroup.make(pids)
        return cgroup

    def expect(self, name: str) -> Cgroup:
        """The control groups of an environment whose first process makes them by `doors`. Raises ValueError for a name
        that is no plain file name."""
        cgroup = Cgroup(plain_name(name), self._trees, self._living, self._overdrafts)
        cgroup.expect()
        return cgroup

    def doors(self, pids: int = ENVIRONMENT_PROCESSES) -> list[Door]:
        """The folders in which such a process makes its own, one in each tree. Whoever takes them closes them. Raises
        OSError."""
        doors = []
        with ExitStack() as undo:
            for tree in self._trees:
                folder = os.open(tree.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                undo.callback(os.close, folder)
                doors.append(Door(folder, str(pids) if "pids" in tree.controls else ""))
            undo.pop_all()
        return doors

    @property
    def descriptor(self) -> int:
        """A descriptor that is readable when `attend` has something to do; for the event loop, until `close`."""
        return self._overdrafts.descriptor

    def attend(self) -> None:
        """Hold environments to their memory that have files besides. Never waits."""
        self._overdrafts.attend()

    def sweep(self) -> int:
        """Kill and remove all that is not an open environment of this object: what an earlier server of the same name
        left, and what was busy when it was removed. Waits for those it killed, CGROUP_SWEEP_S for the next at most, so
        it is for the start and the end; returns how many environments could not be removed."""
        names = {name for tree in self._trees for name in _children(tree.folder)} - self._living
        left = [Cgroup(name, self._trees, self._living, self._overdrafts) for name in sorted(names)]
        _end(left)
        return sum(not cgroup.remove() for cgroup in left)

    def close(self) -> bool:
        """Remove the server's own folders and let go of `descriptor`. False where an environment is left in one."""
        self._overdrafts.close()
        return not [tree for tree in self._trees if not _removed(tree.folder)]


def plain_name(name: str) -> str:
    """`name`, if it can be no path and no file of the kernel's. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name for a control group: {name!r}")
    return name


def _limit_memory(folder: str, unified: bool, size: int) -> None:
    """Limit memory and take swap away, which are unlimited yet. In version 1 the sum of both must never be below the
    memory alone."""
    if unified:
        write(folder, "memory.max", str(size))
        _write_where_built(folder, "memory.swap.max", "0")
        return
    write(folder, "memory.limit_in_bytes", str(size))
    _write_where_built(folder, "memory.memsw.limit_in_bytes", str(size))


def _limit_cpu(folder: str, unified: bool, cores: float | None) -> None:
    period = CGROUP_CPU_PERIOD_US
    quota = None if cores is None else max(int(cores * period), CGROUP_CPU_QUOTA_MIN_US)
    if unified:
        write(folder, "cpu.max", f"{'max' if quota is None else quota} {period}")
        return
    write(folder, "cpu.cfs_period_us", str(period))
    write(folder, "cpu.cfs_quota_us", str(-1 if quota is None else quota))


def _end(cgroups: list[Cgroup]) -> None:
    """Kill all and wait until the processes that could be seen are gone."""
    descriptors: set[int] = set()
    try:
        for cgroup in cgroups:
            found = (opened(pid) for pid in cgroup.members())
            descriptors.update(descriptor for descriptor in found if descriptor is not None)
            cgroup.kill()
        await_ends(descriptors, CGROUP_SWEEP_S)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _children(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106 a path object costs as much as the call
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return False
    return True


class _EndedIsHarmless:
    """For files of a control group that may have been removed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return isinstance(error, OSError) and error.errno in _ENDED


def _counter(text: str, name: str) -> int:
    """The number of `name` in a file of lines of a name and a number; 0 where it has none."""
    return next((int(value) for key, value in (line.split() for line in text.splitlines()) if key == name), 0)


def _read(folder: str, file: str) -> str:
    """A file that the kernel writes in one piece, which is all but lists of processes."""
    descriptor = os.open(f"{folder}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, CGROUP_READ_BYTES).decode("ascii")
    finally:
        os.close(descriptor)


def _read_all(folder: str, file: str) -> str:
    descriptor = os.open(f"{folder}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, CGROUP_READ_BYTES):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode("ascii")


def write(folder: str, file: str, value: str) -> None:
    """Tell the kernel something by a file of a control group. Raises OSError."""
    descriptor = os.open(f"{folder}/{file}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode("ascii"))
    finally:
        os.close(descriptor)


def _write_where_built(folder: str, file: str, value: str) -> None:
    """Kernels without accounting of swap do not have its files, and then have no limit to set."""
    with suppress(FileNotFoundError):
        write(folder, file, value)
