"""What the processes of a cell hold of the machine's memory, read from the cell's own /proc.

For machines where no control group counts it. Counted are pages of no file, shared mappings of no file, what of both
was swapped out, and page tables. Pages of files are the machine's, and files in memory are storage.
https://docs.kernel.org/filesystems/proc.html
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from lambent.kernel.limits import KIB, LOOK_PROCESS_S, LOOK_WALK_BYTES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHEAP: Final = re.compile(rb"^(RssAnon|RssShmem|VmSwap|VmPTE):\s+(\d+) kB", re.MULTILINE)
_EXACT: Final = re.compile(rb"^(Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB", re.MULTILINE)
_PID: Final = re.compile(r"^Pid:\s+(\d+)$", re.MULTILINE)
_FIRST: Final = "1"
"""Process 1 of a cell, which is the server's hand and runs nobody's code."""
_TEMPORARY: Final = "/tmp"  # noqa: S108 the cell's
_STORAGE: Final = (_TEMPORARY, "/dev/shm")  # noqa: S108 the cell's
"""Where files lie in memory, which has a size of its own."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ_BYTES: Final = 8 * KIB


class Seen(NamedTuple):
    """What one look has found."""

    used: int
    """Bytes."""
    cost_s: float
    """About how long a core was kept busy with it."""


class _Held(NamedTuple):
    """Of one process, in bytes."""

    pages: int
    shared: int
    """As many of the pages are in mappings that others may have as well."""
    tables: int


def processes(inhabitant: int) -> int:
    """A descriptor of the /proc that a process sees, by its pidfd. The caller closes it. Raises OSError, and
    ProcessLookupError where it has ended."""
    with open(f"/proc/self/fdinfo/{inhabitant}") as file:  # noqa: PTH123 a path object costs as much as the call
        found = _PID.search(file.read())
    if found is None:
        raise ProcessLookupError("the process has ended")
    seen = os.open(f"/proc/{found[1]}/root/proc", _FOLDER)
    try:
        signal.pidfd_send_signal(inhabitant, 0)  # else its number may be another's already
    except OSError:
        os.close(seen)
        raise
    return seen


class Holdings:
    """The memory of the processes below `proc`, a descriptor that is the object's own until `close`. Looked at on a
    thread, by one at a time."""

    def __init__(self, proc: int, roots: set[int] | None = None, root: int = 0) -> None:
        self.memory = 0
        """The bytes that they may hold."""
        self.kills = 0
        """How many processes were killed because the memory was used up."""
        self.most = 0
        """The most bytes that were seen at once."""
        self._proc = proc
        self._known = set[str]()
        """The processes that the last look has seen."""
        self._root = root
        self._roots = set[int]() if roots is None else roots
        """Those of all branches that share this /proc."""

    def branch(self, root: str) -> Holdings:
        """Those of a branch, whose root is at that path of the cell; from now on they are not the cell's. Raises
        OSError."""
        number = os.stat(f"{_FIRST}/root{root}{_TEMPORARY}", dir_fd=self._proc).st_dev
        proc = os.open(".", _FOLDER, dir_fd=self._proc)  # a duplicate would be read from where this one is
        self._roots.add(number)
        return Holdings(proc, self._roots, number)

    def close(self) -> None:
        """Let go of the descriptor."""
        self._roots.discard(self._root)
        os.close(self._proc)

    def look(self) -> Seen:
        """Add up what they hold, and kill who has most where it is more than the memory.

        A process counts from the second look on that sees it: until then it may be on its way to another program, with
        all of its parent's memory for its own (`vfork`). That pages are shared is found out only where it matters, as
        all of them have to be visited for it.
        """
        held = {process: self._held(process) for process in self._members()}
        settled = held.keys() & self._known
        self._known = set(held)
        used = _total(held.values())
        cost_s = LOOK_PROCESS_S * (1 + len(held))
        if used > self.memory or (used > self.most and len(held) > 1):
            cost_s += used / LOOK_WALK_BYTES_PER_S
            held = {process: self._exact(process) for process in held}
        counted = self._without_files({process: held[process] for process in settled})
        self.most = max(self.most, counted)
        self._relieve({process: held[process] for process in settled}, counted - self.memory)
        return Seen(self._without_files(held), cost_s)

    def _relieve(self, held: dict[str, _Held], excess: int) -> None:
        """Kill the largest until so many bytes are given back; where pages are shared that is too few, and the next
        look finds the next. The kernel would kill them one after the other, but at once."""
        for process in sorted(held, key=lambda each: held[each].pages, reverse=True):
            if excess <= 0:
                return
            self._kill(process)
            excess -= held[process].pages

    def _members(self) -> list[str]:
        entries = os.listdir(self._proc)  # noqa: PTH208 a descriptor
        found = [entry for entry in entries if entry.isdigit() and entry != _FIRST]
        return [each for each in found if self._belongs(each)] if self._roots else found

    def _belongs(self, process: str) -> bool:
        """Each branch has a root with a /tmp of its own, and who has none of theirs is the cell's."""
        root = _root(self._proc, process)
        return root == self._root if self._root else root not in self._roots

    def _held(self, process: str) -> _Held:
        """What a process holds. One whose first thread has ended shows it in the others only."""
        held = self._shown(process)
        if held is None:
            threads = (self._shown(f"{process}/task/{each}") for each in self._threads(process))
            held = next(filter(None, threads), None)
        return held or _Held(0, 0, 0)

    def _threads(self, process: str) -> list[str]:
        with suppress(FileNotFoundError, ProcessLookupError), _opened(self._proc, f"{process}/task") as folder:
            return os.listdir(folder)  # noqa: PTH208 a descriptor
        return []

    def _shown(self, task: str) -> _Held | None:
        """None of one that has ended."""
        sizes = _sizes(_CHEAP, _read(self._proc, f"{task}/status"))
        tables = sizes.pop(b"VmPTE", 0)
        return _Held(sum(sizes.values()), sizes[b"RssShmem"], tables) if tables else None

    def _exact(self, process: str) -> _Held:
        """What a process holds, pages that it shares with others shared out. One whose first thread has ended cannot be
        asked, and has all that it shows."""
        held = self._held(process)
        sizes = _sizes(_EXACT, _read(self._proc, f"{process}/smaps_rollup"))
        return _Held(sum(sizes.values()), sizes[b"Pss_Shmem"], held.tables) if sizes else held

    def _without_files(self, held: dict[str, _Held]) -> int:
        """What they hold together, less the files that lie in memory, which are storage."""
        shared = sum(each.shared for each in held.values())
        return _total(held.values()) - (min(shared, self._files(next(iter(held)))) if shared else 0)

    def _files(self, process: str) -> int:
        """The bytes of all files that lie in memory, mapped or not."""
        total = 0
        for place in _STORAGE:
            with (
                suppress(FileNotFoundError, ProcessLookupError),
                _opened(self._proc, f"{process}/root{place}") as folder,
            ):
                system = os.fstatvfs(folder)
                total += (system.f_blocks - system.f_bfree) * system.f_frsize
        return total

    def _kill(self, process: str) -> None:
        """Whoever may have taken over its number is of this cell, too."""
        with suppress(FileNotFoundError, ProcessLookupError), _opened(self._proc, process) as descriptor:
            self.kills += 1  # first, as whoever sees it end asks at once
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)


@contextmanager
def _opened(proc: int, folder: str) -> Iterator[int]:
    """A folder below `proc` for as long as the block takes. Raises OSError."""
    descriptor = os.open(folder, _FOLDER, dir_fd=proc)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _total(held: Iterable[_Held]) -> int:
    return sum(each.pages + each.tables for each in held)


def _sizes(pattern: re.Pattern[bytes], text: bytes) -> dict[bytes, int]:
    return {name: int(size) * KIB for name, size in pattern.findall(text)}


def _root(proc: int, process: str) -> int:
    """What tells the roots of branches apart; 0 where the process has ended, or has a root without a /tmp."""
    try:
        return os.stat(f"{process}/root{_TEMPORARY}", dir_fd=proc).st_dev
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _read(proc: int, file: str) -> bytes:
    """A file below `proc`; empty where the process has ended."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        return os.read(descriptor, _READ_BYTES)
    except ProcessLookupError:
        return b""
    finally:
        os.close(descriptor)
