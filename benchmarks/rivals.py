"""Lambent beside what else runs Lambda-like functions on a machine without Docker: the same handler, in the same run.

Everybody is asked over HTTP by the same client, taking turns. Who serves many functions is up when a cold start is
measured; who serves one starts with it, for there is nothing to ask before.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import contenders, packages
from benchmarks.client import Connection
from benchmarks.processes import memory, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.contenders import Contender

COLD = 11
ROUNDS = 8
PER_ROUND = 50
CLIENTS = 16
BUSY_S = 2.0
BUSY_ROUNDS = 3
START_S = 120.0
END_S = 10.0
ANSWER = {"hello": "you"}
LOOK_S = 0.05


class Figures(NamedTuple):
    """What was measured of one contender; times in seconds."""

    name: str
    cold: float
    p50: float
    p99: float
    alone: float
    """Calls per second that one client gets answered."""
    crowd: float
    """The same of sixteen clients together."""
    failed: int
    """Calls of the sixteen that were not answered with 200."""
    memory: int
    """Bytes, after the sixteen; 0 of one who did not survive them."""


class Running:
    """A contender that has been started."""

    def __init__(self, contender: Contender, pid: int) -> None:
        self.contender = contender
        self.pid = pid

    def connect(self) -> Connection:
        """A connection of its own to the server."""
        return Connection(self.contender.endpoint)

    def ask(self, connection: Connection, request: bytes) -> int:
        """Call a function once; returns the status. Raises RuntimeError where the answer is not the handler's."""
        status, body = connection.exchange(request)
        if status == 200 and json.loads(body) != ANSWER:
            raise RuntimeError(f"{self.contender.name} answered {body[:200]!r}")
        return status

    def warm(self) -> bytes:
        """A call of the function that has been called before."""
        return self.contender.request(self.contender.names[-1])


def measure() -> tuple[list[Figures], dict[str, str]]:
    """The figures of everybody who runs here, and why the others do not."""
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made: list[Contender] = []
        colds: dict[str, float] = {}
        for kind in contenders.ALL:
            try:
                contender = kind(folder)
                colds[kind.name] = _cold(contender)
                made.append(contender)
            except (packages.Unavailable, OSError, RuntimeError) as error:
                reasons[kind.name] = str(error)
        running = [stack.enter_context(_started(contender)) for contender in made]
        warm, alone, crowd = _warm(running), _rates(running, 1), _rates(running, CLIENTS)
        figures = [
            Figures(
                name := one.contender.name,
                colds[name],
                statistics.median(warm[name]),
                statistics.quantiles(warm[name], n=100)[98],
                alone[name][0],
                *crowd[name],
                sum(memory(pid) for pid in tree(one.pid)),
            )
            for one in running
        ]
    return figures, reasons


def show(measured: tuple[list[Figures], dict[str, str]]) -> None:
    """Print the figures for a person."""
    figures, reasons = measured
    table = Table(title=f"The same Python handler, {len(os.sched_getaffinity(0))} cores, {platform.platform()}")
    for heading in ("", "cold start", "warm p50", "p99", "1 client", f"{CLIENTS} clients", "failed", "memory"):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in figures:
        times = [f"{value * 1000:.2f} ms" for value in (row.cold, row.p50, row.p99)]
        rates = [f"{row.alone:.0f}/s", f"{row.crowd:.0f}/s"]
        table.add_row(row.name, *times, *rates, str(row.failed), f"{row.memory / 1e6:.0f} MB" if row.memory else "-")
    for name, reason in reasons.items():
        table.add_row(name, reason[-100:])
    Console(width=140).print(table)


def _cold(contender: Contender) -> float:
    """The median in seconds of the first call of a function."""
    if contender.many:
        with _started(contender) as running:
            return statistics.median(_first(running, name) for name in contender.names[:COLD])
    times = []
    for _ in range(COLD):
        started = time.perf_counter()
        with _started(contender):
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _first(running: Running, name: str) -> float:
    request = running.contender.request(name)
    with running.connect() as connection:
        started = time.perf_counter()
        status = running.ask(connection, request)
        took = time.perf_counter() - started
    if status != 200:
        raise RuntimeError(f"{running.contender.name} answered {status}")
    return took


@contextmanager
def _started(contender: Contender) -> Iterator[Running]:
    """Run a contender until the block ends. Where it serves one function only, that has been called when it begins."""
    with contender.log.open("wb") as log:
        child = subprocess.Popen(
            contender.command,
            cwd=contender.folder,
            env=contender.variables,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        running = Running(contender, child.pid)
        _wait(running, child)
        contender.deploy()
        yield running
    finally:
        _end(child)


def _wait(running: Running, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if child.poll() is not None:
            break
        try:
            if _answers(running):
                return
        except OSError:
            time.sleep(LOOK_S if running.contender.many else LOOK_S / 50)
    raise RuntimeError(f"{running.contender.name}: {running.contender.log.read_text()[-500:]}")


def _answers(running: Running) -> bool:
    with running.connect() as connection:
        return running.contender.many or running.ask(connection, running.warm()) == 200


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a contender with all that it has started: nobody else is in the process group that it leads."""
    assert child.stdin is not None
    child.stdin.close()
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _warm(running: list[Running]) -> dict[str, list[float]]:
    """Latencies in seconds of one client, everybody taking turns; each turn on a connection that was used before."""
    times: dict[str, list[float]] = {one.contender.name: [] for one in running}
    for turn in range(ROUNDS + 1):
        for one in running:
            request = one.warm()
            with one.connect() as connection:
                _timed(one, connection, request)
                taken = [_timed(one, connection, request) for _ in range(PER_ROUND)]
            if turn:
                times[one.contender.name] += taken
    return times


def _timed(running: Running, connection: Connection, request: bytes) -> float:
    started = time.perf_counter()
    running.ask(connection, request)
    return time.perf_counter() - started


def _rates(running: list[Running], clients: int) -> dict[str, tuple[float, int]]:
    """Answers per second, the median of the rounds, and failures of all rounds; everybody taking turns."""
    rounds = [{one.contender.name: _busy(one, clients) for one in running} for _ in range(BUSY_ROUNDS)]
    return {
        one.contender.name: (
            statistics.median(turn[one.contender.name][0] for turn in rounds),
            sum(turn[one.contender.name][1] for turn in rounds),
        )
        for one in running
    }


def _busy(running: Running, clients: int) -> tuple[float, int]:
    """Answers per second to so many clients, and how many calls failed. Who is hung up on does not call again."""
    good: list[float] = []
    bad: list[float] = []
    request = running.warm()
    until = time.perf_counter() + BUSY_S

    def client() -> None:
        with suppress(OSError), running.connect() as connection:
            while (now := time.perf_counter()) < until:
                status = 0
                try:
                    status = running.ask(connection, request)
                finally:
                    (good if status == 200 else bad).append(now)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(good) / BUSY_S, len(bad)
