"""Keeps the files in /tmp apart from the memory that a function has: both come from the same control group.

What lies in a tmpfs counts as memory of whoever wrote it, so a function of 128 MB could not fill its 512 MB of storage.
The kernel's own limit is therefore the sum of both, and whoever has more in use than the memory alone is told of here,
within the time in which the event loop gets round to it; then the process that has most is killed, as the kernel would
have. https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#memory-thresholds and, for version 2, `memory.high`.
"""

from __future__ import annotations

import os
import select
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from lambent.compute.sandbox.killing import end
from lambent.kernel.limits import OVERDRAFT_END_S, OVERDRAFT_STEP_BYTES, OVERDRAFT_THREADS

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Account(Protocol):
    """The control group whose memory is watched. It is looked at on a thread, by one at a time."""

    memory: int
    """The bytes it may have in use besides its files."""
    arming_waits: bool
    """Whether `arm` takes long enough (10 ms) to be kept off the event loop."""
    urgent: bool
    """Whether the descriptor tells by being urgent: a file of the kernel can be read at all times."""

    def balance(self) -> tuple[int, int]:
        """Bytes in use by processes, and by files: those in a tmpfs, and those that the kernel keeps after reading."""

    def members(self) -> set[int]:
        """The ids of its processes."""

    def arm(self, threshold: int) -> None:
        """Make the descriptor of the watch ready when the sum of `balance` passes `threshold`; harmless when the group
        is gone."""

    def killed(self) -> None:
        """Learn that a process is killed now because the memory was used up."""


class Overdrafts:
    """The watches of one server. `descriptor` is readable when `attend` has something to do."""

    def __init__(self) -> None:
        self._ready = select.epoll()
        self._accounts: dict[int, Account] = {}
        self._threads = ThreadPoolExecutor(OVERDRAFT_THREADS, "lambent-overdraft")
        self._lock = threading.Lock()
        self._looking: dict[Account, bool] = {}
        """Accounts whose look is to come or under way, and whether the kernel has told something since."""
        self._closed = False

    @property
    def descriptor(self) -> int:
        """For the event loop to read from."""
        return self._ready.fileno()

    def watch(self, descriptor: int, account: Account) -> None:
        """Hold `account` to its memory. `descriptor` is readable, or urgent, when the threshold is passed."""
        self._accounts[descriptor] = account
        self._ready.register(descriptor, select.EPOLLET | (select.EPOLLPRI if account.urgent else select.EPOLLIN))
        if account.arming_waits:
            self._threads.submit(account.arm, account.memory).add_done_callback(_raise_bugs)
        else:
            account.arm(account.memory)

    def forget(self, descriptor: int) -> None:
        """End a watch; `descriptor` is the caller's to close after that."""
        del self._accounts[descriptor]
        self._ready.unregister(descriptor)

    def attend(self) -> None:
        """Have every account looked at of which the kernel has told something. Never waits: among a thousand processes
        the largest is not found at once."""
        for descriptor, _ in self._ready.poll(0):
            self._look_at(self._accounts[descriptor])

    def _look_at(self, account: Account) -> None:
        with self._lock:
            if self._closed:
                return
            looking = account in self._looking
            self._looking[account] = looking
            if not looking:
                self._threads.submit(self._look, account).add_done_callback(_raise_bugs)

    def _look(self, account: Account) -> None:
        passed = False
        try:
            passed = _settle(account)
        finally:
            with self._lock:
                told = self._looking.pop(account)
        if passed or told:
            self._look_at(account)

    def close(self) -> None:
        """Let go of the descriptor and the threads."""
        with self._lock:
            self._closed = True
        self._threads.shutdown()
        self._ready.close()


def _raise_bugs(done: Future[None]) -> None:
    """An error of a thread would stay in its future; raised here it is in the log."""
    done.result()


def _settle(account: Account) -> bool:
    """Look at `account` once; whether it has to be looked at again: too much is left, or it has passed the new
    threshold already, of which the kernel may not tell."""
    used, files = account.balance()
    relieved = used > account.memory and _relieve(account)
    if relieved:
        used, files = account.balance()
    threshold = _steps(max(account.memory, used) + files)
    account.arm(threshold)
    return (relieved and used > account.memory) or sum(account.balance()) > threshold


def _relieve(account: Account) -> bool:
    """Have memory given back by the process with most of it; whether it was. Who is ending already counts as nothing in
    use, long before the kernel has all of its memory again: the next one must not be killed for that."""
    sizes = {process: _resident(process) for process in account.members()}
    ending = [process for process, size in sizes.items() if not size]
    if sizes and not ending:
        account.killed()  # first, as whoever sees it end asks at once
        ending = [max(sizes, key=sizes.__getitem__)]
    return bool(ending) and end(ending, account.members, OVERDRAFT_END_S)


def _steps(size: int) -> int:
    """The next whole step above `size`: few thresholds, of which each is set once."""
    return (size // OVERDRAFT_STEP_BYTES + 1) * OVERDRAFT_STEP_BYTES


def _resident(pid: int) -> int:
    """Bytes; 0 for one that is gone, or on its way."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0
