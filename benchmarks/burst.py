"""Rows 10, 11 and 19: many environments at once, one after the other, and never more than were reserved."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from benchmarks import functions, packages
from benchmarks.client import Connection
from benchmarks.processes import Process, serve, spawned
from benchmarks.table import Row, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST = 100
BURSTS = 5
AWS_PER_S = 100
"""New environments of one function: https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html"""

HOLD_S = 3.0
HOLDING = f"""import os, time
ME = os.urandom(8).hex()

def handler(event, context):
    time.sleep({HOLD_S})
    return ME
"""
ROUNDS = 7
PER_ROUND = 30
RESERVED = 10
CLIENTS = 10 * RESERVED
CROWD_S = 5.0
TIMED = """import time

def handler(event, context):
    began = time.monotonic()
    time.sleep(0.02)
    return [began, time.monotonic()]
"""


class Call(NamedTuple):
    """What one client saw; `ran` is when the handler was in it. Times are of the monotonic clock."""

    status: int
    sent: float
    received: float
    ran: tuple[float, float] | None


def measure() -> list[Row]:
    """The rows, in the order of SPECIFICATION.md."""
    rows = []
    for theme in (bursts, sustained, reserved):
        with tempfile.TemporaryDirectory() as folder, serve("lambent", folder) as lambent:
            rows += theme(lambent)
    return rows


def bursts(lambent: Process) -> list[Row]:
    """Row 10: every caller is held in its own environment until all are there."""
    client = functions.client(lambent.endpoint)
    rates = []
    for number in range(BURSTS):
        functions.create(client, f"burst{number}", HOLDING)
        functions.rest()
        rates.append(BURST / _burst(lambent, f"burst{number}"))
        client.delete_function(FunctionName=f"burst{number}")
    rate = statistics.median(rates)
    metric = f"burst of {BURST} new environments, {len(os.sched_getaffinity(0))} cores, {lambent.level}"
    return [Row(10, metric, f"{rate:.0f}/s", f"AWS {AWS_PER_S}/s", rate / AWS_PER_S, ">= 1x", ">= 2x")]


def _burst(lambent: Process, name: str) -> float:
    """Seconds until as many handlers as callers have begun. Raises RuntimeError where two callers shared one."""
    request = functions.call(lambent.endpoint, name)
    connections = [Connection(lambent.endpoint) for _ in range(BURST)]
    started = time.perf_counter()
    with ThreadPoolExecutor(BURST) as threads:
        answers = list(threads.map(lambda connection: connection.exchange(request), connections))
    took = time.perf_counter() - started - HOLD_S
    for connection in connections:
        connection.close()
    statuses = {status for status, _ in answers}
    if statuses != {200} or len({body for _, body in answers}) < BURST:
        raise RuntimeError(f"a burst of {BURST} met {len({body for _, body in answers})} environments, {statuses}")
    return took


def sustained(lambent: Process) -> list[Row]:
    """Row 11: first calls and new interpreters by turns, as many at once as there are cores, and one more."""
    client = functions.client(lambent.endpoint)
    names = [f"sustained{number}" for number in range(ROUNDS * PER_ROUND)]
    for name in names:
        functions.create(client, name)
    python = packages.interpreter()
    pairs = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as threads:
        for turn in range(ROUNDS):
            functions.rest()
            mine = names[turn * PER_ROUND : (turn + 1) * PER_ROUND]
            cold = _rate(threads, [lambda name=name: _first_call(lambent, name) for name in mine])
            base = _rate(threads, [lambda: spawned(python, "-c", "pass")] * PER_ROUND)
            pairs.append((cold, base))
    cold, base = (statistics.median(side) for side in zip(*pairs[1:], strict=True))
    metric = f"sustained cold starts, {lambent.level}"
    return [Row(11, metric, f"{cold:.0f}/s", f"interpreters {base:.0f}/s", cold / base, ">= 3x", ">= 5x")]


def _first_call(lambent: Process, name: str) -> None:
    connection = Connection(lambent.endpoint)
    connection.timed(functions.call(lambent.endpoint, name))
    connection.close()


def _rate(threads: ThreadPoolExecutor, work: list[Any]) -> float:
    started = time.perf_counter()
    for done in [threads.submit(item) for item in work]:
        done.result()
    return len(work) / (time.perf_counter() - started)


def reserved(lambent: Process) -> list[Row]:
    """Row 19: what the handlers and the callers saw, laid over one another."""
    bound = f"reserved concurrency {RESERVED}, {CLIENTS} clients"
    client = functions.client(lambent.endpoint)
    functions.create(client, "reserved", TIMED)
    try:
        client.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=RESERVED)
    except ClientError as error:
        return [missing(19, bound, error, "<= 1x", "<= 1x")]
    calls = _crowd(lambent)
    most = most_at_once([call.ran for call in calls if call.ran is not None])
    refused = [call for call in calls if call.status == 429]
    wrong = sum(1 for call in refused if beside(call, calls) < RESERVED)
    return [
        Row(19, f"{bound}: most at once", str(most), f"{len(calls)} calls", most / RESERVED, "<= 1x", "<= 1x"),
        Row(19, f"{bound}: 429 below it", str(wrong), f"{len(refused)} refusals", wrong, "== 0", "== 0"),
    ]


def _crowd(lambent: Process) -> list[Call]:
    """All calls that the clients make until time is up, each one again as soon as it is answered or refused."""
    request = functions.call(lambent.endpoint, "reserved")
    calls: list[Call] = []
    until = time.monotonic() + CROWD_S

    def caller() -> None:
        connection = Connection(lambent.endpoint)
        while (sent := time.monotonic()) < until:
            status, body = connection.exchange(request)
            ran = tuple(json.loads(body)) if status == 200 else None
            calls.append(Call(status, sent, time.monotonic(), ran))
        connection.close()

    callers = [threading.Thread(target=caller) for _ in range(CLIENTS)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    return calls


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """How many of the spans of time overlapped at most; one that begins as another ends does not overlap it."""
    running = most = 0
    for _, step in sorted(_edges(spans)):
        running += step
        most = max(most, running)
    return most


def _edges(spans: list[tuple[float, float]]) -> Iterator[tuple[float, int]]:
    for began, ended in spans:
        yield began, 1
        yield ended, -1


def beside(call: Call, calls: list[Call]) -> int:
    """How many invocations the server may have had in hand while it refused `call`."""
    return sum(1 for other in calls if other.ran and other.sent <= call.received and other.received >= call.sent)
