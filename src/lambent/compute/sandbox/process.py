"""The plain-process level: a session of its own, no inherited state, resource limits, and no walls.

It keeps functions from disturbing one another by accident, not on purpose: a guest runs as the server's user, sees the
host's files and its network. Memory is measured and not limited: the address space limit that a plain process could be
given counts reservations, not memory, and would break what runs well on AWS. What a cell would show in one place, links
in a folder of its own stand for.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.compute import folders
from lambent.compute.channel import pair
from lambent.compute.sandbox import strays
from lambent.compute.sandbox.api import Paths, Usage
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Cell, Exits, Guest, Image, Program, Tenancy

log = logging.getLogger(__name__)

# Above every descriptor that a guest is given, so that placing one never overwrites another that is still to be placed.
_CLEAR_OF_GUESTS = 64

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else limits.KIB

# What is spawned starts in the server's own folder; the runtime client leaves that by itself.
_CHANGE_FOLDER = ("/bin/sh", "-c", 'cd "$0" && unset OLDPWD && exec "$@"')

_MARK = "_LAMBENT_ENVIRONMENT"
"""The variable that tells a cell's processes from all others. No function can set it: the names of a function's own
variables start with a letter, and this one is placed last."""


class ProcessSandbox:
    """Starts guests with posix_spawn: fork alone is unsafe in a server with threads, and slow in a large one.

    `folder` is its own. What an earlier server has left there is ended and removed.
    """

    level = "process"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._runtimes: dict[Runtime, Path] = {}
        self._cells: set[_ProcessCell] = set()
        self._strays: set[bytes] = set()
        self._search: asyncio.Future[None] | None = None
        self._removals: set[asyncio.Future[None]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        left = list(folder.iterdir())
        self.end_strays([_mark(path) for path in left])
        for path in left:
            self.remove(path)

    async def cell(self, image: Image) -> Cell:
        with contextlib.ExitStack() as undo:
            folder = self._new("cell-", undo)
            cell = _ProcessCell(self, image.runtime, folder)
            undo.pop_all()
        self._cells.add(cell)
        self._quiet.clear()
        return cell

    def foresee(self, image: Image, count: int) -> None:
        """Nothing can be done ahead here: a process is made for one command."""

    async def close(self) -> None:
        for cell in list(self._cells):
            cell.kill()
        await self._quiet.wait()
        for path in self._runtimes.values():
            await asyncio.to_thread(folders.remove, path)

    def runtime(self, runtime: Runtime) -> Path:
        """A folder that shows what the runtime brings along: its client and the packages."""
        folder = self._runtimes.get(runtime)
        if folder is None:
            with contextlib.ExitStack() as undo:
                folder = self._new("runtime-", undo)
                for path in (*runtime.packages, *(runtime.client.iterdir() if runtime.client else ())):
                    (folder / path.name).symlink_to(path)
                undo.pop_all()
            self._runtimes[runtime] = folder
        return folder

    def _new(self, prefix: str, undo: contextlib.ExitStack) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._folder))
        undo.callback(self.remove, folder)
        return folder

    def gone(self, cell: _ProcessCell) -> None:
        """Nothing runs in `cell` any more, but for what has left its process groups."""
        self._cells.discard(cell)
        self.end_strays((_mark(cell.folder),))
        self.remove(cell.folder)

    def remove(self, path: Path) -> None:
        """Remove in the background."""
        self._quiet.clear()
        removal = asyncio.get_running_loop().run_in_executor(None, folders.remove, path)
        self._removals.add(removal)
        removal.add_done_callback(self._removed)

    def end_strays(self, marks: Collection[bytes]) -> None:
        """End, in the background, every process with one of `marks`."""
        self._strays.update(marks)
        if marks and self._search is None:
            self._look_for_strays()

    def _removed(self, removal: asyncio.Future[None]) -> None:
        self._removals.discard(removal)
        self._rest()

    def _look_for_strays(self) -> None:
        """One search serves every cell that has ended since the last."""
        self._quiet.clear()
        marks, self._strays = self._strays, set()
        self._search = asyncio.get_running_loop().run_in_executor(None, strays.end, frozenset(marks))
        self._search.add_done_callback(self._searched)

    def _searched(self, search: asyncio.Future[None]) -> None:
        self._search = None
        if not search.cancelled() and (failure := search.exception()) is not None:
            log.error("the search for strays failed", exc_info=failure)
        if self._strays:
            self._look_for_strays()
        self._rest()

    def _rest(self) -> None:
        if not (self._cells or self._search or self._removals):
            self._quiet.set()


class _ProcessCell:
    """A folder with links, and the process groups of the guests."""

    endpoint = None

    def __init__(self, sandbox: ProcessSandbox, runtime: Runtime, folder: Path) -> None:
        self.folder = folder
        self._sandbox = sandbox
        self._runtime = runtime
        self._guests: list[_ProcessGuest] = []
        self._dead = False
        programs = "" if runtime.prefix is None else str((runtime.prefix / runtime.interpreter).parent)
        self.paths = Paths(
            task=str(folder / "task"),
            opt=str(folder / "opt"),
            runtime=str(sandbox.runtime(runtime)),
            programs=programs,
            temporary=str(folder / "tmp"),
        )
        with contextlib.ExitStack() as undo:
            self.output, self._their_output = _pipe(undo)
            self.frames, self._their_frames = _pipe(undo)
            self.channel, self._their_channel = map(undo.enter_context, pair())
            self.runtime_api = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
            self.runtime_api.setblocking(False)
            self.runtime_api_address = f"127.0.0.1:{self.runtime_api.getsockname()[1]}"
            undo.pop_all()

    def furnish(self, tenancy: Tenancy) -> None:
        (self.folder / "task").symlink_to(tenancy.task)
        (self.folder / "tmp").mkdir()
        if len(tenancy.layers) > 1:
            raise OSError("a plain process can be shown one folder of layers only")
        if tenancy.volumes:
            raise OSError("a plain process can be shown no file system")
        for layer in tenancy.layers:
            (self.folder / "opt").symlink_to(layer)

    def pace(self) -> None:
        """Nothing can be done: a plain process has all the processor that is free."""

    def enter(self, program: Program, exits: Exits) -> Guest:
        try:
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            out, frames = self._their_output, self._their_frames
            try:
                return self._spawn(program, (nothing, out, out, self._their_channel.fileno(), frames), exits)
            finally:
                os.close(nothing)
        finally:
            self._close_theirs()

    def start(self, program: Program, output: int, exits: Exits) -> Guest:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self._spawn(program, (nothing, output, output), exits)
        finally:
            os.close(nothing)

    async def branch(self, gone: Callable[[], None]) -> Cell:  # noqa: ARG002 a cell's shape
        raise OSError("this level has no branches")

    async def socket(self) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        return made

    def freeze(self) -> None:
        """A plain process cannot be stopped without its noticing."""

    def thaw(self) -> None:
        """As `freeze`."""

    def usage(self) -> Usage:
        return Usage(max((guest.peak_memory() for guest in self._guests), default=0), out_of_memory=False)

    def kill(self) -> None:
        if self._dead:
            return
        self._dead = True
        self._close_theirs()
        for guest in self._guests:
            guest.kill()
        self.guest_gone()

    def guest_gone(self) -> None:
        """A guest has ended: the last one of a dead cell takes the rest along."""
        if self._dead and all(guest.reaped for guest in self._guests):
            self._sandbox.gone(self)

    def _spawn(self, program: Program, descriptors: tuple[int, ...], exits: Exits) -> _ProcessGuest:
        if self._dead:
            raise OSError("the cell was killed")
        command = (*_CHANGE_FOLDER, self.paths.task, *program.command) if program.command else self._client()
        variables = {"TMPDIR": self.paths.temporary, **program.variables, _MARK: str(self.folder)}
        with contextlib.ExitStack() as undo:
            lifeline = _Lifeline()
            undo.callback(lifeline.cut)
            pid = _spawned(command, variables, (*descriptors, lifeline.guest_end))
            undo.callback(_end, pid)
            _limit(pid)
            lifeline.bind(pid)
            guest = _ProcessGuest(self, pid, lifeline, exits)
            undo.callback(guest.close_status)
            guest.watch()
            undo.pop_all()
        self._guests.append(guest)
        return guest

    def _client(self) -> tuple[str, ...]:
        interpreter = f"{self.paths.programs}/{Path(self._runtime.interpreter).name}"
        return interpreter, "-S", "-B", "-u", f"{self.paths.runtime}/bootstrap.pyc"

    def _close_theirs(self) -> None:
        """Hang up the guest's ends here, once."""
        if self._their_output >= 0:
            os.close(self._their_output)
            os.close(self._their_frames)
            self._their_channel.close()
            self._their_output = -1


class _Lifeline:
    """A pipe nobody writes to, whose breaking kills the guest: the kernel sends SIGKILL to the guest's whole process
    group when the last writer, the server, is gone, however it went. Unlike a parent-death signal it needs no call
    inside the guest and reaches the processes that the guest has started."""

    def __init__(self) -> None:
        self.guest_end, self._server_end = os.pipe()

    def bind(self, group: int) -> None:
        """Let the kernel watch the pipe for `group`; from here on the guest holds its end."""
        if hasattr(fcntl, "F_SETSIG"):
            fcntl.fcntl(self.guest_end, fcntl.F_SETOWN, -group)
            fcntl.fcntl(self.guest_end, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(self.guest_end, fcntl.F_GETFL)
            fcntl.fcntl(self.guest_end, fcntl.F_SETFL, flags | os.O_ASYNC)
        self._let_go()

    def cut(self) -> None:
        """Close what is left open in the server."""
        self._let_go()
        os.close(self._server_end)

    def _let_go(self) -> None:
        if self.guest_end >= 0:
            os.close(self.guest_end)
            self.guest_end = -1

    def drop(self) -> None:
        """Let go after the guest has ended."""
        os.close(self._server_end)


class _ProcessGuest:
    """A process group and whoever watches its leader."""

    def __init__(self, cell: _ProcessCell, pid: int, lifeline: _Lifeline, exits: Exits) -> None:
        self.reaped = False
        self._cell = cell
        self._pid = pid
        self._lifeline = lifeline
        self._exits = exits
        self._peak = 0
        # A spawned process inherits its parent's mark in its usage; only what lies above that is its own.
        self._peak_of_server = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
        self._status = _open_status(pid)

    def signal(self, number: signal.Signals) -> None:
        if not self.reaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if number == signal.SIGKILL else os.kill)(self._pid, number)

    def peak_memory(self) -> int:
        """Bytes."""
        if self._status >= 0:
            self._peak = max(self._peak, _high_water(self._status))
        return self._peak

    def close_status(self) -> None:
        """Measure no more."""
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    def kill(self) -> None:
        """End the process group."""
        if not self.reaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)

    def watch(self) -> None:
        """Call `exited` once the leader has ended."""
        loop = asyncio.get_running_loop()
        try:
            pidfd = os.pidfd_open(self._pid)
        except (AttributeError, OSError):
            self._watch_from_thread(loop)
        else:
            loop.add_reader(pidfd, self._leader_ended, loop, pidfd)

    def _watch_from_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        """Where the kernel has no process descriptors: wait on a thread, and leave the reaping to the loop, so that
        the process id cannot be given away while `kill` may still use it."""

        def wait() -> None:
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
            with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
                loop.call_soon_threadsafe(self._leader_ended, loop, None)

        threading.Thread(target=wait, name=f"wait-{self._pid}", daemon=True).start()

    def _leader_ended(self, loop: asyncio.AbstractEventLoop, pidfd: int | None) -> None:
        if pidfd is not None:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        self.kill()  # what the leader has left behind; its id stays taken until it is reaped below
        _, status, usage = os.wait4(self._pid, 0)
        self.reaped = True
        if usage.ru_maxrss * _MAXRSS_UNIT > self._peak_of_server:
            self._peak = max(self._peak, usage.ru_maxrss * _MAXRSS_UNIT)
        self._lifeline.drop()
        self.close_status()
        self._exits.exited(os.waitstatus_to_exitcode(status))
        self._cell.guest_gone()


def _mark(folder: Path) -> bytes:
    return f"{_MARK}={folder}".encode()


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _spawned(command: tuple[str, ...], variables: dict[str, str], descriptors: tuple[int, ...]) -> int:
    """The id of a new process, leader of its own group, that has `descriptors` as 0 and so on and nothing else."""
    with contextlib.ExitStack() as moved:
        actions = []
        for number, descriptor in enumerate(descriptors):
            source = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _CLEAR_OF_GUESTS)
            moved.callback(os.close, source)
            actions.append((os.POSIX_SPAWN_DUP2, source, number))
        return os.posix_spawn(
            command[0],
            command,
            variables,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD),
        )


def _end(pid: int) -> None:
    """End a process that nobody watches yet, with its group, and reap it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _limit(pid: int) -> None:
    """AWS's limits, set from outside while the guest still waits for its first packet. The number of processes is not
    limited: outside a namespace the kernel counts those of the user, the server's own and its desktop included."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        most = (
            limits.ENVIRONMENT_OPEN_FILES
            if hard == resource.RLIM_INFINITY
            else min(hard, limits.ENVIRONMENT_OPEN_FILES)
        )
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _open_status(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _high_water(status: int) -> int:
    """The peak resident size in bytes from an open /proc/PID/status; 0 once the process has ended."""
    try:
        text = os.pread(status, 4096, 0)
    except ProcessLookupError:
        return 0
    _, found, rest = text.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * limits.KIB if found else 0
