"""The plain-process level: a session of its own, no inherited state, resource limits, and no walls.

It keeps functions from disturbing one another by accident, not on purpose: the guest runs as the server's user, sees
the host's files (its `/tmp` is the host's) and its network. Memory is measured and not limited: the address space limit
that a plain process could be given counts reservations, not memory, and would break what runs well on AWS.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import sys
import threading
from typing import TYPE_CHECKING

from lambent.compute.sandbox import strays
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lambent.compute.sandbox.api import Exits, Guest, Launch

log = logging.getLogger(__name__)

# Above every descriptor that a guest is given, so that placing one never overwrites another that is still to be placed.
_CLEAR_OF_GUESTS = 64

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else limits.KIB


class ProcessSandbox:
    """Starts guests with posix_spawn: fork alone is unsafe in a server with threads, and slow in a large one."""

    level = "process"

    def __init__(self) -> None:
        self._guests: set[_ProcessGuest] = set()
        self._strays: set[bytes] = set()
        self._search: asyncio.Future[None] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    def spawn(self, launch: Launch, exits: Exits) -> Guest:
        lifeline = _Lifeline()
        moved: list[int] = []
        try:
            for descriptor in (*launch.descriptors, lifeline.guest_end):
                moved.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _CLEAR_OF_GUESTS))  # noqa: PERF401 closed where the next fails
            pid = os.posix_spawn(
                launch.command[0],
                launch.command,
                dict(launch.variables),
                file_actions=[(os.POSIX_SPAWN_DUP2, source, number) for number, source in enumerate(moved)],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD),
            )
        except BaseException:
            lifeline.cut()
            raise
        finally:
            for descriptor in moved:
                os.close(descriptor)
        _limit(pid)
        lifeline.bind(pid)
        guest = _ProcessGuest(pid, launch.mark, lifeline, exits, self._gone)
        self._guests.add(guest)
        self._quiet.clear()
        guest.watch()
        return guest

    def clear(self, marks: Collection[bytes]) -> None:
        if marks:
            self._quiet.clear()
            self._end_strays(marks)

    async def close(self) -> None:
        await self._quiet.wait()

    def _gone(self, guest: _ProcessGuest) -> None:
        self._guests.discard(guest)
        self._end_strays((guest.mark,))

    def _end_strays(self, marks: Collection[bytes]) -> None:
        self._strays.update(marks)
        if self._search is None:
            self._look_for_strays()

    def _look_for_strays(self) -> None:
        """One search serves every guest that has ended since the last."""
        marks, self._strays = self._strays, set()
        self._search = asyncio.get_running_loop().run_in_executor(None, strays.end, frozenset(marks))
        self._search.add_done_callback(self._searched)

    def _searched(self, search: asyncio.Future[None]) -> None:
        self._search = None
        if not search.cancelled() and (failure := search.exception()) is not None:
            log.error("the search for strays failed", exc_info=failure)
        if self._strays:
            self._look_for_strays()
        elif not self._guests:
            self._quiet.set()


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
        os.close(self.guest_end)

    def cut(self) -> None:
        """Close what is left open in the server."""
        with contextlib.suppress(OSError):
            os.close(self.guest_end)
        os.close(self._server_end)

    def drop(self) -> None:
        """Let go after the guest has ended."""
        os.close(self._server_end)


class _ProcessGuest:
    """A process group and whoever watches its leader."""

    def __init__(
        self, pid: int, mark: bytes, lifeline: _Lifeline, exits: Exits, gone: Callable[[_ProcessGuest], None]
    ) -> None:
        self.pid = pid
        self.mark = mark
        self._lifeline = lifeline
        self._exits = exits
        self._gone = gone
        self._reaped = False
        self._peak = 0
        # A spawned process inherits its parent's mark in its usage; only what lies above that is its own.
        self._peak_of_server = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
        self._status = _open_status(pid)

    def peak_memory(self) -> int:
        if self._status >= 0:
            self._peak = max(self._peak, _high_water(self._status))
        return self._peak

    def kill(self) -> None:
        if not self._reaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def watch(self) -> None:
        """Call `exited` once the leader has ended."""
        loop = asyncio.get_running_loop()
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self._watch_from_thread(loop)
        else:
            loop.add_reader(pidfd, self._leader_ended, loop, pidfd)

    def _watch_from_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        """Where the kernel has no process descriptors: wait on a thread, and leave the reaping to the loop, so that
        the process id cannot be given away while `kill` may still use it."""

        def wait() -> None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
                loop.call_soon_threadsafe(self._leader_ended, loop, None)

        threading.Thread(target=wait, name=f"wait-{self.pid}", daemon=True).start()

    def _leader_ended(self, loop: asyncio.AbstractEventLoop, pidfd: int | None) -> None:
        if pidfd is not None:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        self.kill()  # what the leader has left behind; its id stays taken until it is reaped below
        _, status, usage = os.wait4(self.pid, 0)
        self._reaped = True
        if usage.ru_maxrss * _MAXRSS_UNIT > self._peak_of_server:
            self._peak = max(self._peak, usage.ru_maxrss * _MAXRSS_UNIT)
        self._lifeline.drop()
        if self._status >= 0:
            os.close(self._status)
            self._status = -1
        self._gone(self)
        self._exits.exited(os.waitstatus_to_exitcode(status))


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
