"""Row 9: what one more idle environment costs, beside a new interpreter with the same modules."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from benchmarks import functions, packages
from benchmarks.client import Connection
from benchmarks.processes import Process, memory, serve, slab
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS = 20
ROUNDS = 3
SETTLE_S = 3.0
MODULES = "import sys\n\ndef handler(event, context):\n    return sorted(sys.modules)\n"
IMPORTING = """import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print(flush=True)
sys.stdin.read()
"""


def measure() -> list[Row]:
    """The row for a handler that imports nothing and for one that imports boto3."""
    return [_row("trivial", MODULES), _row("boto3", "import boto3\n" + MODULES)]


def _row(name: str, code: str) -> Row:
    pairs = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, serve("lambent", folder) as lambent:
            environment, modules = _environment(lambent, code)
        pairs.append((environment, _interpreter(modules)))
        level = lambent.level
    mine, base = (statistics.median(side) for side in zip(*pairs, strict=True))
    metric = f"memory of an idle environment, {name}, {level}"
    return Row(9, metric, _mb(mine), f"interpreter {_mb(base)}", mine / base, "<= 0.35x", "<= 0.2x")


def _environment(lambent: Process, code: str) -> tuple[float, list[str]]:
    """Bytes that an environment costs when the first is there already, and the modules that it holds."""
    client = functions.client(lambent.endpoint)
    for number in range(ENVIRONMENTS + 1):
        functions.create(client, f"f{number}", code)
    modules = _call(lambent, 0)
    time.sleep(SETTLE_S)
    before = lambent.memory() + slab()
    for number in range(1, ENVIRONMENTS + 1):
        _call(lambent, number)
    time.sleep(SETTLE_S)
    return (lambent.memory() + slab() - before) / ENVIRONMENTS, modules


def _call(lambent: Process, number: int) -> list[str]:
    connection = Connection(lambent.endpoint)
    status, body = connection.exchange(functions.call(lambent.endpoint, f"f{number}"))
    connection.close()
    if status != 200:
        raise RuntimeError(f"status {status}: {body[:500]!r}")
    names: list[str] = json.loads(body)
    return names


def _interpreter(modules: list[str]) -> float:
    """Bytes that one more of several idle interpreters with those modules costs."""
    path = str(packages.installed("boto3"))
    command = [packages.interpreter(), "-c", IMPORTING, *_importable(modules)]
    before = slab()
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": path})
        for _ in range(ENVIRONMENTS)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    total = sum(memory(child.pid) for child in children) + slab() - before
    for child in children:
        child.communicate()
    return total / ENVIRONMENTS


def _importable(modules: list[str]) -> Iterator[str]:
    """Those that are neither the function's own nor the runtime client's."""
    return (name for name in modules if name not in {"app", "__main__", "__mp_main__"} and "bootstrap" not in name)


def _mb(count: float) -> str:
    return f"{count / 1e6:.1f} MB"
