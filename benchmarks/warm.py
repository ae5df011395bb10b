"""Rows 4, 5, 6 and 15: a warm synchronous invoke beside an echo on the same HTTP server."""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.client import Connection, request_bytes
from benchmarks.processes import Process, serve
from benchmarks.table import Row
from lambent.app import App
from lambent.kernel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

WORKERS = ("logs.flush", "logs.sweep", "outbox")
"""The background loops that write what invocations told, off their path."""

ROUNDS = 40
PER_ROUND = 50
PAYLOAD = b'{"name":"you"}'
HANDLER = "def handler(event, context):\n    return {'hello': event['name']}\n"
ROLE = "arn:aws:iam::000000000000:role/benchmark"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def measure() -> list[Row]:
    """The rows, in the order of SPECIFICATION.md.

    Where client, server and function run on one core, waking one another is a switch; where they are spread, it is an
    interrupt to a core that sleeps. The scheduler settles on either, so latency is measured both ways.
    """
    rows = []
    for place, cores in (("one core", {min(os.sched_getaffinity(0))}), ("free", os.sched_getaffinity(0))):
        folder = tempfile.TemporaryDirectory()
        with confined(cores), folder, serve("echo") as echo, serve("lambent", folder.name) as lambent:
            create(lambent.endpoint)
            latencies = interleaved(echo, lambent)
            cpu = {process: cpu_per_call(process, signed) for process, signed in ((echo, ""), (lambent, "lambda"))}
        rows += latency_rows(place, latencies[echo], latencies[lambent])
    value, baseline = f"{1 / cpu[lambent]:.0f}", f"echo {1 / cpu[echo]:.0f}"
    rows.append(Row(6, "warm invokes per core-second", value, baseline, cpu[echo] / cpu[lambent], ">= 0.2x"))
    return [*sorted(rows), statements()]


def latency_rows(place: str, echo: list[float], warm: list[float]) -> list[Row]:
    """Rows 4 and 5 of one placement."""
    echo_p50, warm_p50 = statistics.median(echo), statistics.median(warm)
    warm_p99 = statistics.quantiles(warm, n=100)[98]
    shown = f"{warm_p50 * 1e6:.0f} us"
    ratio = warm_p50 / echo_p50
    return [
        Row(4, f"warm sync invoke p50, {place}", shown, f"echo {echo_p50 * 1e6:.0f} us", ratio, "<= 6x"),
        Row(5, f"warm p99 / p50, {place}", f"{warm_p99 * 1e6:.0f} us", f"p50 {shown}", warm_p99 / warm_p50, "<= 4x"),
    ]


@contextmanager
def confined(cores: set[int]) -> Iterator[None]:
    """This process, and every one that it starts in the block, on `cores` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def create(endpoint: str) -> None:
    """Deploy the function and wait until it is active."""
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("app.py", HANDLER)
    client.create_function(
        FunctionName="warm", Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Code={"ZipFile": archive.getvalue()}
    )
    client.get_waiter("function_active_v2").wait(FunctionName="warm", WaiterConfig={"Delay": 1})


def request_for(endpoint: str, signed: str) -> bytes:
    """The call that is measured; the echo gets the same bytes without a signature."""
    return request_bytes(f"{endpoint}/2015-03-31/functions/warm/invocations", PAYLOAD, signed_for=signed)


def interleaved(echo: Process, lambent: Process) -> dict[Process, list[float]]:
    """Latencies in seconds of one client, the two servers taking turns so that noise falls on both."""
    sides = [(echo, request_for(echo.endpoint, "")), (lambent, request_for(lambent.endpoint, "lambda"))]
    connections = {process: Connection(process.endpoint) for process, _ in sides}
    latencies: dict[Process, list[float]] = {process: [] for process, _ in sides}
    for turn in range(ROUNDS + 1):
        for process, request in sides:
            times = [connections[process].timed(request) for _ in range(PER_ROUND)]
            if turn:
                latencies[process] += times
    for connection in connections.values():
        connection.close()
    return latencies


def cpu_per_call(process: Process, signed: str, calls: int = 4000) -> float:
    """CPU seconds that one call costs the server with everything it started."""
    request = request_for(process.endpoint, signed)
    connection = Connection(process.endpoint)
    before = process.cpu_s()
    for _ in range(calls):
        connection.timed(request)
    used = process.cpu_s() - before
    connection.close()
    return used / calls


def statements(calls: int = 200) -> Row:
    """Row 15: the SQL statements that warm invokes run, those of the log writer behind them set apart."""

    async def count() -> int:
        with tempfile.TemporaryDirectory() as folder:
            async with App.running(Settings(port=0, data=folder)) as app:
                await asyncio.to_thread(create, app.endpoint)
                request = request_for(app.endpoint, "lambda")
                connection = Connection(app.endpoint)
                await asyncio.to_thread(connection.timed, request)
                with transactions_outside(app, WORKERS) as seen:
                    for _ in range(calls):
                        await asyncio.to_thread(connection.timed, request)
                connection.close()
                return len(seen)

    with asyncio.Runner() as runner:
        total = runner.run(count())
    return Row(15, "SQL transactions in a warm invoke", f"{total / calls:.0f}", "none", total / calls, "0")


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
