"""Row 18: an event of 6 MB beside the least that has to be done with its bytes."""

from __future__ import annotations

import hashlib
import socket
import statistics
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from benchmarks import functions
from benchmarks.client import Connection
from benchmarks.processes import serve
from benchmarks.table import Row

if TYPE_CHECKING:
    from benchmarks.processes import Process

EVENT = b'"' + b"a" * 6_000_000 + b'"'
ROUNDS = 60
WARM_UP = 3
SIZE = "def handler(event, context):\n    return len(event)\n"
ECHO = "def handler(event, context):\n    return event\n"


def measure() -> list[Row]:
    """The row for an event that is answered shortly, and for one that is sent back."""
    with tempfile.TemporaryDirectory() as folder, serve("lambent", folder) as lambent:
        client = functions.client(lambent.endpoint)
        functions.create(client, "size", SIZE)
        functions.create(client, "echo", ECHO)
        rounds = [(_call(lambent, "size"), _call(lambent, "echo"), _least(2), _least(4)) for _ in range(ROUNDS)]
    size, echo, two, four = (statistics.median(side) for side in zip(*rounds[WARM_UP:], strict=True))
    return [_row("short answer", size, two, 2), _row("sent back", echo, four, 4)]


def _row(answer: str, took: float, least: float, copies: int) -> Row:
    baseline = f"sha256 + {copies} copies {least * 1000:.1f} ms"
    return Row(18, f"6 MB event, {answer}", f"{took * 1000:.1f} ms", baseline, took / least, "<= 3x", "<= 2x")


def _call(lambent: Process, name: str) -> float:
    request = functions.call(lambent.endpoint, name, EVENT)
    connection = Connection(lambent.endpoint)
    took = connection.timed(request)
    connection.close()
    return took


def _least(copies: int) -> float:
    """Seconds to hash the event and to pass it through a socket, to another thread, that many times."""
    started = time.perf_counter()
    hashlib.sha256(EVENT).digest()
    for _ in range(copies):
        _copy()
    return time.perf_counter() - started


def _copy() -> None:
    near, far = socket.socketpair()
    sender = threading.Thread(target=near.sendall, args=(EVENT,))
    sender.start()
    left = len(EVENT)
    buffer = bytearray(1 << 20)
    while left:
        left -= far.recv_into(buffer)
    sender.join()
    near.close()
    far.close()
