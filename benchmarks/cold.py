"""Rows 1, 2, 3 and 20: the first call of a function beside a new interpreter, from HTTP in to HTTP out."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from benchmarks import functions, packages
from benchmarks.client import Connection
from benchmarks.processes import Process, serve, spawned
from benchmarks.table import Row, missing

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = 50
WARM_UP = 3
SDK = "import boto3\n" + functions.HELLO
IMPORTS = "import fastapi, httpx, pydantic"
HOLDING = f"""{IMPORTS}, time

def handler(event, context):
    began = time.perf_counter()
    time.sleep(event["hold"])
    return time.perf_counter() - began
"""
LAYERS = 5
"""The most that AWS allows."""

SPACING_S = 0.1


def measure() -> list[Row]:
    """The rows, in the order of SPECIFICATION.md. Every sample is the first call that its function ever gets."""
    with tempfile.TemporaryDirectory() as folder, serve("lambent", folder) as lambent:
        client = functions.client(lambent.endpoint)
        return [
            trivial(lambent, client),
            sdk(lambent, client),
            restored(lambent, client),
            layered(lambent, client),
        ]


def trivial(lambent: Process, client: Any) -> Row:
    """Row 1."""
    python = packages.interpreter()
    cold, base = against(lambent, client, "trivial", functions.HELLO, lambda: spawned(python, "-c", "pass"))
    metric = f"cold start, trivial handler, {lambent.level}"
    return Row(1, metric, _ms(cold), f"python3 -c pass {_ms(base)}", cold / base, "<= 0.8x", "<= 0.4x")


def sdk(lambent: Process, client: Any) -> Row:
    """Row 2."""
    python, path = packages.interpreter(), str(packages.installed("boto3"))

    def baseline() -> float:
        return spawned(python, "-c", "import boto3", PYTHONPATH=path)

    cold, base = against(lambent, client, "sdk", SDK, baseline)
    metric = f"cold start, handler imports boto3, {lambent.level}"
    return Row(2, metric, _ms(cold), f"import boto3 {_ms(base)}", cold / base, "<= 1.05x", "<= 0.1x")


def restored(lambent: Process, client: Any) -> Row:
    """Row 3: new environments of one version that has a snapshot, each while those before it are still held."""
    metric = f"cold start, SnapStart, fastapi + httpx + pydantic, {lambent.level}"
    bounds = ("<= 0.1x", "<= 0.05x")
    try:
        python = packages.snapshot_version()
        folder = packages.installed("fastapi", "httpx", "pydantic", version=python)
        version = _published(client, python, packages.zipped(folder, {"app.py": HOLDING}))
    except (ClientError, packages.Unavailable) as error:
        return missing(3, metric, error, *bounds)
    program = packages.interpreter(python)
    base, cold = _held(lambent, version, lambda: spawned(program, "-c", IMPORTS, PYTHONPATH=str(folder)))
    return Row(3, metric, _ms(cold), f"the same imports {_ms(base)}", cold / base, *bounds)


def layered(lambent: Process, client: Any) -> Row:
    """Row 20."""
    metric = f"cold start with {LAYERS} layers, {lambent.level}"
    try:
        layers = [_layer(client, number) for number in range(LAYERS)]
        many = deploy(client, "many", functions.HELLO, Layers=layers)
        one = deploy(client, "one", functions.HELLO, Layers=layers[:1])
    except ClientError as error:
        return missing(20, metric, error, "<= 1.05x", "<= 1x")
    pairs = [_either_first(lambent, a, b, turn) for turn, (a, b) in enumerate(zip(many, one, strict=True))][WARM_UP:]
    cold, base = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(20, metric, _ms(cold), f"1 layer {_ms(base)}", cold / base, "<= 1.05x", "<= 1x")


def _either_first(lambent: Process, one: str, other: str, turn: int) -> tuple[float, float]:
    """Seconds of a first call of each, which come first by turns: a call is quicker or slower for what was before."""
    if turn % 2:
        before = first_call(lambent, other)
        return first_call(lambent, one), before
    return first_call(lambent, one), first_call(lambent, other)


def against(
    lambent: Process, client: Any, prefix: str, code: str, baseline: Callable[[], float]
) -> tuple[float, float]:
    """Medians in seconds of a first call and of `baseline`, by turns."""
    pairs = [(first_call(lambent, name), baseline()) for name in deploy(client, prefix, code)][WARM_UP:]
    cold, base = zip(*pairs, strict=True)
    return statistics.median(cold), statistics.median(base)


def deploy(client: Any, prefix: str, code: str, **members: Any) -> list[str]:
    """As many functions of the same code as there are samples, by name. Raises ClientError."""
    names = [f"{prefix}-{number}" for number in range(SAMPLES + WARM_UP)]
    for name in names:
        functions.create(client, name, code, **members)
    return names


def first_call(lambent: Process, name: str) -> float:
    """Seconds from connecting to the answer, of a server at rest."""
    request = functions.call(lambent.endpoint, name)
    functions.rest()
    connection = Connection(lambent.endpoint)
    took = connection.timed(request)
    connection.close()
    return took


def _published(client: Any, python: tuple[int, int], code: bytes) -> str:
    runtime = f"python{python[0]}.{python[1]}"
    snap_start = {"ApplyOn": "PublishedVersions"}
    functions.create(client, "restored", code, Runtime=runtime, SnapStart=snap_start, Timeout=900)
    version: str = client.publish_version(FunctionName="restored")["Version"]
    client.get_waiter("published_version_active").wait(
        FunctionName="restored", Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    return version


def _held(lambent: Process, version: str, baseline: Callable[[], float]) -> tuple[float, float]:
    """Medians in seconds of `baseline` and of calls that each need a new environment, the time in the handler off."""
    ends = time.monotonic() + SAMPLES * (baseline() + SPACING_S) * 2
    bases, calls = [], []
    with ThreadPoolExecutor(SAMPLES) as threads:
        for _ in range(SAMPLES):
            calls.append(threads.submit(_hold, lambent, version, ends))
            time.sleep(SPACING_S)
            bases.append(baseline())
    return statistics.median(bases), statistics.median(call.result() for call in calls)


def _hold(lambent: Process, version: str, ends: float) -> float:
    """Seconds of a call whose handler keeps its environment until then, without those that it was in the handler."""
    event = json.dumps({"hold": max(ends - time.monotonic(), SPACING_S)}).encode()
    request = functions.call(lambent.endpoint, "restored", event, qualifier=version)
    with Connection(lambent.endpoint) as connection:
        started = time.perf_counter()
        status, answer = connection.exchange(request)
        took = time.perf_counter() - started
    held = json.loads(answer)
    if status != 200 or not isinstance(held, float):
        raise RuntimeError(f"status {status}: {answer[:500]!r}")
    return took - held


def _layer(client: Any, number: int) -> str:
    content = {"ZipFile": functions.archive({f"python/layer{number}.py": f"NUMBER = {number}\n"})}
    arn: str = client.publish_layer_version(LayerName=f"layer{number}", Content=content)["LayerVersionArn"]
    return arn


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
