"""Keeps the files in /tmp apart from the memory that a function has: both come from the same control group.

What lies in a tmpfs counts as memory of whoever wrote it, so a function of 128 MB could not fill its 512 MB of storage.
The kernel's own limit is therefore the sum of both, and whoever has more in use than the memory alone is told of here,
within the time in which the event loop gets round to it; then the process that has most is killed, as the kernel would
have. https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#memory-thresholds and, for version 2, `memory.high`.
"""

from __future__ import annotations

import os
import select
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from lambent.kernel.limits import OVERDRAFT_STEP_BYTES, OVERDRAFT_THREADS

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Account(Protocol):
    """The control group whose memory is watched."""

    memory: int
    """The bytes it may have in use besides its files."""
    arming_waits: bool
    """Whether `arm` takes long enough (10 ms) to be kept off the event loop."""

    def balance(self) -> tuple[int, int]:
        """Bytes in use by processes, and by files: those in a tmpfs, and those that the kernel keeps after reading."""

    def members(self) -> set[int]:
        """The ids of its processes."""

    def arm(self, threshold: int) -> None:
        """Make the descriptor of the watch ready when the sum of `balance` passes `threshold`; harmless when the group
        is gone."""

    def killed(self) -> None:
        """Learn that a process was killed because the memory was used up."""


class Overdrafts:
    """The watches of one server. `descriptor` is readable when `attend` has something to do."""

    def __init__(self) -> None:
        self._ready = select.epoll()
        self._accounts: dict[int, Account] = {}
        self._threads = ThreadPoolExecutor(OVERDRAFT_THREADS, "lambent-overdraft")

    @property
    def descriptor(self) -> int:
        """For the event loop to read from."""
        return self._ready.fileno()

    def watch(self, descriptor: int, account: Account) -> None:
        """Hold `account` to its memory. `descriptor` is readable or urgent when the threshold is passed."""
        self._accounts[descriptor] = account
        # Files of the kernel can be read at all times; that something has changed is told once, as urgent.
        self._ready.register(descriptor, select.EPOLLPRI | select.EPOLLIN | select.EPOLLET)
        self._arm(account, account.memory)

    def forget(self, descriptor: int) -> None:
        """End a watch; `descriptor` is the caller's to close after that."""
        del self._accounts[descriptor]
        self._ready.unregister(descriptor)

    def attend(self) -> None:
        """Look at every account of which the kernel has told something."""
        for descriptor, _ in self._ready.poll(0):
            self._look(self._accounts[descriptor])

    def _look(self, account: Account) -> None:
        used, files = account.balance()
        if used > account.memory and _kill_largest(account.members()):
            account.killed()
        self._arm(account, max(account.memory, used) + files + OVERDRAFT_STEP_BYTES)

    def _arm(self, account: Account, threshold: int) -> None:
        if account.arming_waits:
            self._threads.submit(account.arm, threshold).add_done_callback(_raise_bugs)
        else:
            account.arm(threshold)

    def close(self) -> None:
        """Let go of the descriptor and the threads."""
        self._threads.shutdown()
        self._ready.close()


def _raise_bugs(done: Future[None]) -> None:
    """An error of a thread would stay in its future; raised here it is in the log."""
    done.result()


def _kill_largest(members: set[int]) -> bool:
    """Kill the process with most resident memory; False where all are gone already."""
    sizes = {pid: size for pid in members if (size := _resident(pid))}
    if sizes:
        with suppress(ProcessLookupError):
            os.kill(max(sizes, key=sizes.__getitem__), signal.SIGKILL)
            return True
    return False


def _resident(pid: int) -> int:
    """Bytes; 0 for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0
