"""The processes that a run measures: a Lambent server and its baselines, each started fresh and ended for certain."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL_STACK_BYTES = 16 * 1024


class Process:
    """A child that printed the URL it serves; of Lambent also the sandbox level that functions run at."""

    def __init__(self, child: subprocess.Popen[str], endpoint: str, level: str) -> None:
        self.pid = child.pid
        self.endpoint = endpoint
        self.level = level

    def cpu_s(self) -> float:
        """CPU seconds that the threads of the process and of its descendants have used, as far as they live."""
        return sum(_cpu_s(pid) for pid in tree(self.pid))

    def own_cpu_s(self) -> float:
        """CPU seconds that the threads of the process itself have used."""
        return _cpu_s(self.pid)

    def memory(self) -> int:
        """Bytes of memory that the process and its descendants hold: each page at its share, and the kernel's own."""
        return sum(memory(pid) for pid in tree(self.pid))


@contextmanager
def serve(kind: str, *arguments: str) -> Iterator[Process]:
    """Run `python -m benchmarks.servers KIND ...` until the block ends."""
    command = [sys.executable, "-m", "benchmarks.servers", kind, *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        endpoint, _, level = child.stdout.readline().strip().partition(" ")
        if not endpoint:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield Process(child, endpoint, level)
    finally:
        child.stdin.close()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def spawned(*arguments: str, **variables: str) -> float:
    """Seconds from starting a program until it has ended. Raises RuntimeError where it fails."""
    started = time.perf_counter()
    pid = os.posix_spawn(arguments[0], arguments, variables)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with status {status}")
    return took


def tree(pid: int) -> list[int]:
    """The process and its living descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                found.extend(int(child) for child in task.read_text().split())
    return found


def memory(pid: int) -> int:
    """Bytes of memory that a process holds: its share of every page, its page tables and its kernel stacks; 0 where it
    has just ended."""
    try:
        kilobytes = _field(f"/proc/{pid}/smaps_rollup", "Pss:") + _field(f"/proc/{pid}/status", "VmPTE:")
        return kilobytes * 1024 + len(list(Path(f"/proc/{pid}/task").iterdir())) * KERNEL_STACK_BYTES
    except (ProcessLookupError, FileNotFoundError):
        return 0


def slab() -> int:
    """Bytes that the kernel holds for itself beside that: namespaces, mounts, sockets. They are the whole machine's, so
    what others do meanwhile is in the figure."""
    return (_field("/proc/meminfo", "SUnreclaim:") + _field("/proc/meminfo", "Percpu:")) * 1024


def _field(path: str, name: str) -> int:
    line = next((line for line in Path(path).read_text().splitlines() if line.startswith(name)), f"{name} 0 kB")
    return int(line.split()[1])


def _cpu_s(pid: int) -> float:
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
