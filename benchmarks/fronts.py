"""What fronts take off the server: the CPU time of its own process for an invocation, with and without them.

That process is the ceiling of a machine with many cores. Its CPU time says how high, also on one that has two.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import functions
from benchmarks.client import Connection, closed_loop
from benchmarks.processes import serve
from benchmarks.table import Row

if TYPE_CHECKING:
    from benchmarks.processes import Process

CLIENTS = 16
ROUNDS = 12
PER_ROUND = 600
FRONTS = 2


class _Side:
    """A server with so many fronts, clients of it, and what was measured."""

    def __init__(self, stack: ExitStack, fronts: int) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.process: Process = stack.enter_context(serve("lambent", folder, str(fronts)))
        functions.create(functions.client(self.process.endpoint), "warm")
        self.request = functions.call(self.process.endpoint, "warm")
        self.connections = [stack.enter_context(Connection(self.process.endpoint)) for _ in range(CLIENTS)]
        self.figures: list[float] = []

    def round(self) -> None:
        """As many calls as a round has, all clients at once; notes the CPU seconds of one in the server's process."""
        before = self.process.own_cpu_s()
        closed_loop(self.connections, self.request, PER_ROUND)
        self.figures.append((self.process.own_cpu_s() - before) / PER_ROUND)


def measure() -> list[Row]:
    """The row of the server's own process; the sides take turns."""
    with ExitStack() as stack:
        sides = [_Side(stack, fronts) for fronts in (0, FRONTS)]
        for turn in range(ROUNDS + 1):
            for side in sides:
                side.round()
                if not turn:
                    side.figures.clear()
        alone, helped = (median(side.figures) for side in sides)
    shown, base = f"{helped * 1e6:.0f} us", f"without fronts {alone * 1e6:.0f} us"
    metric = f"CPU of the server's own process, {FRONTS} fronts, {CLIENTS} clients, {os.cpu_count()} cores"
    return [Row(6, metric, shown, base, alone / helped, ">= 1.3x")]
