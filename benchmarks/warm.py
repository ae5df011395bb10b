"""Rows 4 to 7 and 15: a warm synchronous invoke beside an echo on the same HTTP server."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from benchmarks import functions
from benchmarks.client import Connection, closed_loop
from benchmarks.processes import Process, serve
from benchmarks.table import Row, missing
from lambent.app import App
from lambent.kernel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

WORKERS = ("logs.flush", "logs.sweep", "outbox")
"""The background loops that write what invocations told, off their path."""

ROUNDS = 40
PER_ROUND = 50
CALLS = 4000
CLIENTS = (1, 16)
CUSTOM = "warm through the Runtime API, p50"
LOOP = """#!/usr/bin/env python3
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
api = socket.create_connection((host, int(port)))
api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: api\\r\\n\\r\\n"
ANSWER = b"POST /2018-06-01/runtime/invocation/%b/response HTTP/1.1\\r\\nHost: api\\r\\nContent-Length: 15\\r\\n\\r\\n"

def exchange(request):
    api.sendall(request)
    data = api.recv(65536)
    while b"\\r\\n\\r\\n" not in data:
        data += api.recv(65536)
    head, _, body = data.partition(b"\\r\\n\\r\\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\\r\\n")[1:])
    missing = int(fields.get(b"content-length", 0)) - len(body)
    while missing > 0:
        missing -= len(api.recv(missing))
    return fields

while True:
    request_id = exchange(NEXT)[b"lambda-runtime-aws-request-id"]
    exchange(ANSWER % request_id + b'{"hello":"you"}')
"""
"""The smallest custom runtime: it speaks the Runtime API over one connection and does nothing else."""


def measure() -> list[Row]:
    """The rows, in the order of SPECIFICATION.md.

    Where client, server and function run on one core, waking one another is a switch; where they are spread, it is an
    interrupt to a core that sleeps. The scheduler settles on either, so latency is measured both ways.
    """
    rows = []
    for place, cores in (("one core", {min(os.sched_getaffinity(0))}), ("free", os.sched_getaffinity(0))):
        folder = tempfile.TemporaryDirectory()
        with confined(cores), folder, serve("echo") as echo, serve("lambent", folder.name) as lambent:
            rows += placed(place, echo, lambent)
    return [*sorted(rows, key=lambda row: row.number), statements()]


def placed(place: str, echo: Process, lambent: Process) -> list[Row]:
    """The rows of one placement; row 6 only where both servers have all cores."""
    client = functions.client(lambent.endpoint)
    functions.create(client, "warm")
    sides = {
        "echo": (echo, functions.call(echo.endpoint, "warm", signed=False)),
        "warm": (lambent, functions.call(lambent.endpoint, "warm")),
    }
    refused = custom(client)
    if refused is None:
        sides["custom"] = (lambent, functions.call(lambent.endpoint, "custom"))
    latencies = interleaved(sides)
    rows = latency_rows(place, latencies["echo"], latencies["warm"])
    if refused is None:
        rows.append(custom_row(place, latencies["warm"], latencies["custom"]))
    else:
        rows.append(missing(7, f"{CUSTOM}, {place}", refused, "<= 2x", "<= 1.5x"))
    if place == "free":
        rows += [cpu_row(clients, sides["echo"], sides["warm"]) for clients in CLIENTS]
    return rows


def custom(client: Any) -> ClientError | None:
    """Deploy the custom runtime; returns why the server does not run it."""
    try:
        code = functions.archive({"bootstrap": LOOP})
        functions.create(client, "custom", code, Runtime="provided.al2023", Handler="none")
    except ClientError as error:
        return error
    return None


def latency_rows(place: str, echo: list[float], warm: list[float]) -> list[Row]:
    """Rows 4 and 5 of one placement."""
    echo_p50, warm_p50 = statistics.median(echo), statistics.median(warm)
    warm_p99 = statistics.quantiles(warm, n=100)[98]
    shown, base = f"{warm_p50 * 1e6:.0f} us", f"echo {echo_p50 * 1e6:.0f} us"
    p99, spread = f"{warm_p99 * 1e6:.0f} us", warm_p99 / warm_p50
    return [
        Row(4, f"warm sync invoke p50, {place}", shown, base, warm_p50 / echo_p50, "<= 6x", "<= 4x"),
        Row(5, f"warm p99 / p50, {place}", p99, f"p50 {shown}", spread, "<= 4x", "<= 2.5x"),
    ]


def custom_row(place: str, warm: list[float], through: list[float]) -> Row:
    """Row 7 of one placement."""
    base, p50 = statistics.median(warm), statistics.median(through)
    metric = f"{CUSTOM}, {place}"
    return Row(7, metric, f"{p50 * 1e6:.0f} us", f"row 4: {base * 1e6:.0f} us", p50 / base, "<= 2x", "<= 1.5x")


def cpu_row(clients: int, echo: tuple[Process, bytes], warm: tuple[Process, bytes]) -> Row:
    """Row 6 from the CPU seconds of a call, of which so many are under way at once."""
    baseline, value = (cpu_per_call(clients, *side) for side in (echo, warm))
    metric = f"warm invokes per core-second, {clients} at once"
    shown, base = f"{1 / value:.0f}", f"echo {1 / baseline:.0f}"
    return Row(6, metric, shown, base, baseline / value, ">= 0.2x", ">= 0.35x")


@contextmanager
def confined(cores: set[int]) -> Iterator[None]:
    """This process, and every one that it starts in the block, on `cores` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def interleaved(sides: dict[str, tuple[Process, bytes]]) -> dict[str, list[float]]:
    """Latencies in seconds of one client, the sides taking turns so that noise falls on all of them."""
    connections = {name: Connection(process.endpoint) for name, (process, _) in sides.items()}
    latencies: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(ROUNDS + 1):
        for name, (_, request) in sides.items():
            times = [connections[name].timed(request) for _ in range(PER_ROUND)]
            if turn:
                latencies[name] += times
    for connection in connections.values():
        connection.close()
    return latencies


def cpu_per_call(clients: int, process: Process, request: bytes) -> float:
    """CPU seconds that one call costs the server with everything it started."""
    connections = [Connection(process.endpoint) for _ in range(clients)]
    closed_loop(connections, request, clients)
    before = process.cpu_s()
    closed_loop(connections, request, CALLS)
    used = process.cpu_s() - before
    for connection in connections:
        connection.close()
    return used / CALLS


def statements(calls: int = 200) -> Row:
    """Row 15: the SQL statements that warm invokes run, those of the log writer behind them set apart."""

    async def count() -> int:
        with tempfile.TemporaryDirectory() as folder:
            async with App.running(Settings(port=0, data=folder)) as app:
                client = functions.client(app.endpoint)
                await asyncio.to_thread(functions.create, client, "warm")
                request = functions.call(app.endpoint, "warm")
                connection = Connection(app.endpoint)
                await asyncio.to_thread(connection.timed, request)
                with transactions_outside(app, WORKERS) as seen:
                    for _ in range(calls):
                        await asyncio.to_thread(connection.timed, request)
                connection.close()
                return len(seen)

    with asyncio.Runner() as runner:
        total = runner.run(count())
    return Row(15, "SQL transactions in a warm invoke", f"{total / calls:.0f}", "none", total / calls, "== 0", "== 0")


@contextmanager
def transactions_outside(app: App, workers: tuple[str, ...]) -> Iterator[list[str]]:
    """The names of the tasks that ask the store for anything within the block, the `workers` left out."""
    seen: list[str] = []

    def watched(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(*arguments: Any) -> Any:
            task = asyncio.current_task()
            name = task.get_name() if task else ""
            if name not in workers:
                seen.append(name)
            return await original(*arguments)

        return asked

    store: Any = app.store
    store.read, store.write = watched(store.read), watched(store.write)
    try:
        yield seen
    finally:
        del store.read, store.write
