"""The processes that a run measures: a Lambent server and its baselines, each started fresh and ended for certain."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A child that printed the URL it serves."""

    def __init__(self, child: subprocess.Popen[str], endpoint: str) -> None:
        self._child = child
        self.endpoint = endpoint

    def cpu_s(self) -> float:
        """CPU seconds that the process and its living descendants have used."""
        return sum(_cpu_s(pid) for pid in _tree(self._child.pid))


@contextmanager
def serve(kind: str, *arguments: str) -> Iterator[Process]:
    """Run `python -m benchmarks.servers KIND ...` until the block ends."""
    command = [sys.executable, "-m", "benchmarks.servers", kind, *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        endpoint = child.stdout.readline().strip()
        if not endpoint:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield Process(child, endpoint)
    finally:
        child.stdin.close()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(int(child) for child in task.read_text().split())
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
