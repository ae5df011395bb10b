"""Rows 12 to 14: an event is accepted beside one flush of the disk, by many clients at once, and runs."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import functions
from benchmarks.client import Connection
from benchmarks.processes import Process, serve
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 20
PER_ROUND = 20
CLIENTS = 64
CROWD_S = 1.0
CROWDS = 5
FLUSH_BYTES = 4096
"""What a small commit appends: a page."""

TELLING = """import time

def handler(event, context):
    print("began", time.monotonic())
"""
LOG_GROUP = "/aws/lambda/telling"
PATIENCE_S = 10.0


class Round(NamedTuple):
    """The medians of one round, in seconds."""

    flush: float
    accept: float
    warm: float
    started: float
    """From sending an event until its handler ran."""


def measure() -> list[Row]:
    """The rows, in the order of SPECIFICATION.md. Everything is on the disk that holds the temporary folders."""
    with tempfile.TemporaryDirectory() as folder, serve("lambent", f"{folder}/data") as lambent:
        disk = Disk(Path(folder))
        client = functions.client(lambent.endpoint)
        for name, code in (("warm", functions.HELLO), ("telling", TELLING), ("crowd", functions.HELLO)):
            functions.create(client, name, code)
        rounds = [_round(lambent, disk) for _ in range(ROUNDS + 1)][1:]
        crowds = [(_crowd(lambent), _rate(disk.flush)) for _ in range(CROWDS + 1)][1:]
        disk.close()
    return [*_latency_rows(rounds), _crowd_row(crowds)]


class Disk:
    """A file on the disk of the data folder that is appended to and flushed."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / "flushed", os.O_WRONLY | os.O_CREAT)
        self._page = os.urandom(FLUSH_BYTES)

    def flush(self) -> float:
        """Seconds that one page takes."""
        started = time.perf_counter()
        os.write(self._descriptor, self._page)
        os.fdatasync(self._descriptor)
        return time.perf_counter() - started

    def close(self) -> None:
        """Done."""
        os.close(self._descriptor)


def _round(lambent: Process, disk: Disk) -> Round:
    """Everything by turns, so that noise falls on all of it."""
    with Connection(lambent.endpoint) as connection:
        accept = [_accepted(connection, lambent, "warm") for _ in range(PER_ROUND)]
        flush = [_flushed(disk) for _ in range(PER_ROUND)]
        call = functions.call(lambent.endpoint, "warm")
        warm = [connection.timed(call) for _ in range(PER_ROUND)]
        sent = [_sent(connection, lambent) for _ in range(PER_ROUND)]
    began = _began(lambent, sent[0])
    started = [moment - asked for moment, asked in zip(began, sent, strict=True)]
    return Round(*(statistics.median(side) for side in (flush, accept, warm, started)))


def _flushed(disk: Disk) -> float:
    """Seconds that one page takes a system at rest, as the event that it is compared with is sent to one."""
    functions.rest()
    return disk.flush()


def _began(lambent: Process, since: float) -> list[float]:
    """When the handlers have begun that began after `since`, as the log says once it has all of them."""
    logs = functions.client(lambent.endpoint, "logs")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        events = logs.filter_log_events(logGroupName=LOG_GROUP, filterPattern="began")["events"]
        found = [float(event["message"].split()[1]) for event in events]
        if len(recent := [moment for moment in found if moment > since]) == PER_ROUND:
            return sorted(recent)
        functions.rest()
    raise RuntimeError("not every event has run")


def _accepted(connection: Connection, lambent: Process, name: str) -> float:
    """Seconds until an event is accepted, which is sent to a system at rest."""
    request = functions.call(lambent.endpoint, name, kind="Event")
    functions.rest()
    started = time.perf_counter()
    status, body = connection.exchange(request)
    took = time.perf_counter() - started
    if status != 202:
        raise RuntimeError(f"status {status}: {body[:500]!r}")
    return took


def _sent(connection: Connection, lambent: Process) -> float:
    """When an event was sent whose handler tells when it has begun."""
    took = _accepted(connection, lambent, "telling")
    return time.monotonic() - took


def _crowd(lambent: Process) -> float:
    """Events per second that so many clients get accepted, the function's runs beside them included."""
    accepted = [0] * CLIENTS
    request = functions.call(lambent.endpoint, "crowd", kind="Event")
    until = time.monotonic() + CROWD_S

    def caller(number: int) -> None:
        with Connection(lambent.endpoint) as connection:
            while time.monotonic() < until:
                status, _ = connection.exchange(request)
                accepted[number] += status == 202

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(CLIENTS)]
    started = time.monotonic()
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    return sum(accepted) / (time.monotonic() - started)


def _rate(work: Callable[[], object]) -> float:
    """How often a second it can be done."""
    count, until = 0, time.monotonic() + CROWD_S
    while time.monotonic() < until:
        work()
        count += 1
    return count / CROWD_S


def _latency_rows(rounds: list[Round]) -> list[Row]:
    flush, accept, warm, started = (statistics.median(side) for side in zip(*rounds, strict=True))
    both = accept + warm
    base = f"rows 12 + 4: {both * 1e6:.0f} us"
    return [
        Row(
            12,
            "durable async accept p50, one client",
            f"{accept * 1e6:.0f} us",
            f"fdatasync {flush * 1e6:.0f} us",
            accept / flush,
            "<= 2x",
            "<= 1.3x",
        ),
        Row(
            14,
            "async accept to handler start, idle",
            f"{started * 1e6:.0f} us",
            base,
            started / both,
            "<= 2x",
            "<= 1.3x",
        ),
    ]


def _crowd_row(crowds: list[tuple[float, float]]) -> Row:
    accepts, flushes = (statistics.median(side) for side in zip(*crowds, strict=True))
    base = f"fdatasync {flushes:.0f}/s"
    metric = f"durable async accept, {CLIENTS} clients"
    return Row(13, metric, f"{accepts:.0f}/s", base, accepts / flushes, ">= 8x", ">= 20x")
