"""Processes that have left their guest's process group: found by the mark that they inherited, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESSES = Path("/proc")
_PASSES = 10


def end(marks: frozenset[bytes]) -> None:
    """Kill every process that was started with a variable that begins with one of `marks` (`NAME=value`).

    Blocks for some milliseconds. It looks again until it finds none, as what it kills may have had children meanwhile.
    A process that takes pains to hide gets away: to hold those takes a level with walls.
    """
    for _ in range(_PASSES):
        if not sum(_end(process, tuple(marks)) for process in _processes()):
            return


def _processes() -> Iterator[int]:
    if hasattr(os, "pidfd_open") and _PROCESSES.is_dir():
        own = os.getpid()
        yield from (
            int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdigit() and int(entry.name) != own
        )


def _end(process: int, marks: tuple[bytes, ...]) -> bool:
    """Whether it was one of them. The descriptor makes sure that what is killed is what was looked at."""
    with contextlib.suppress(OSError):  # it is gone, or another user's
        descriptor = os.pidfd_open(process)
        try:
            variables = (_PROCESSES / str(process) / "environ").read_bytes().split(b"\0")
            if any(variable.startswith(marks) for variable in variables):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                return True
        finally:
            os.close(descriptor)
    return False
