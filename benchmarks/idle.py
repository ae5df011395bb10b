"""Row 16: what a server with a thousand functions does while nobody calls any of them."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import functions
from benchmarks.client import Connection
from benchmarks.processes import Process, serve, tree
from benchmarks.table import Row

FUNCTIONS = 1_000
CALLED = 20
SETTLE_S = 10.0
WATCHED_S = 30.0


def measure() -> list[Row]:
    """The row: CPU of the server with everything it started, and how often any of it woke."""
    with tempfile.TemporaryDirectory() as folder, serve("lambent", folder) as lambent:
        deploy(lambent)
        time.sleep(SETTLE_S)
        cpu, wakes = lambent.cpu_s(), wakeups(lambent)
        time.sleep(WATCHED_S)
        used = 100 * (lambent.cpu_s() - cpu) / WATCHED_S
        woken = (wakeups(lambent) - wakes) / WATCHED_S
    metric = f"idle, {FUNCTIONS} functions, {CALLED} environments, {lambent.level}"
    return [Row(16, metric, f"{used:.2f} % of a core", f"{woken:.1f} wake-ups/s", used, "<= 1%", "<= 0.3%")]


def deploy(lambent: Process) -> None:
    """Create the functions, and call some of them once."""
    client = functions.client(lambent.endpoint)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: functions.create(client, f"f{number}"), range(FUNCTIONS)))
    connection = Connection(lambent.endpoint)
    for number in range(CALLED):
        connection.timed(functions.call(lambent.endpoint, f"f{number}"))
    connection.close()


def wakeups(process: Process) -> int:
    """How often a thread of the process or of what it started has slept until now."""
    tasks = [task for pid in tree(process.pid) for task in Path(f"/proc/{pid}/task").iterdir()]
    lines = [line for task in tasks for line in (task / "status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
