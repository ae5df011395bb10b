"""Answers of many megabytes: how much of them a server holds, how large they get, and what becomes of one whose reader
leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.compute.programs import API, WRAPPER, executables
from tests.stories.leaks import premises
from tests.stories.turnstile import SOURCE, Turnstile
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stories.leaks import Premises

LARGE = 64 * limits.MIB
"""Far more than all buffers between a function and its caller take."""
HELD_MB = 16.0

# Answers with as many bytes as the event says, all of them the name of its log stream; tells the turnstile when it has
# been held back for half a second, and once more when it has written everything.
PROGRAM = f"""
{API}
{SOURCE}
import select
MARK = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"][-32:].encode()
api = Runtime()
writable = select.poll()
writable.register(api.socket, select.POLLOUT)
while True:
    left, held = api.next(), False
    api.begin_stream()
    while left:
        if not held and not writable.poll(500):
            held = True
            tell()
        size = min(left, 65536)
        api.chunk((MARK * 2048)[:size])
        left -= size
    api.end_stream()
    if held:
        tell()
"""


@pytest.fixture(params=[0, 2], ids=["no fronts", "two fronts"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Premises]:
    with premises(tmp_path, fronts=request.param) as found:
        yield found


def streaming(site: Premises) -> tuple[Any, Turnstile]:
    """A client, and the turnstile of the function `f`, which has an alias `live`."""
    functions = site.server.client("lambda")
    package = executables({"wrapper": WRAPPER}, {"runtime.py": PROGRAM})
    created = functions.create_function(
        FunctionName="f",
        Runtime=RUNTIME,
        Handler="none",
        Role=ROLE,
        Code={"ZipFile": package},
        Timeout=120,
        Publish=True,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    waiter = functions.get_waiter("published_version_active")
    waiter.wait(FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    return functions, Turnstile(site, created["CodeSha256"])


def ask(functions: Any, size: int) -> Any:
    answer = functions.invoke_with_response_stream(FunctionName="f", Qualifier="live", Payload=str(size))
    assert answer["ExecutedVersion"] == "1"
    return answer["EventStream"]


def read(events: Any) -> tuple[int, set[bytes], dict[str, str]]:
    """How many bytes came, which environments wrote them, and how it ended."""
    size, marks, last = 0, set(), {}
    for event in events:
        if "PayloadChunk" in event:
            size += len(event["PayloadChunk"]["Payload"])
            marks.add(event["PayloadChunk"]["Payload"][:32])
        else:
            last = event["InvokeComplete"]
    return size, marks, last


def test_a_reader_who_takes_its_time_holds_back_the_function_and_fills_no_memory(site: Premises) -> None:
    functions, turnstile = streaming(site)
    assert read(ask(functions, 1_000))[0] == 1_000
    before = site.resident_mb()
    events = ask(functions, LARGE)
    turnstile.wait_for(1)
    assert site.resident_mb() - before < HELD_MB
    size, _, last = read(events)
    assert (size, last) == (LARGE, {})
    assert site.resident_mb() - before < HELD_MB
    turnstile.wait_for(1)
    turnstile.close()


def test_who_leaves_in_the_middle_leaves_the_environment_to_the_next(site: Premises) -> None:
    functions, turnstile = streaming(site)
    events = ask(functions, LARGE)
    turnstile.wait_for(1)
    first = next(iter(events))["PayloadChunk"]["Payload"][:32]
    events.close()
    turnstile.wait_for(1)  # it has written everything, and nobody has read it
    assert read(ask(functions, 32)) == (32, {first}, {})
    turnstile.close()


def test_a_stream_ends_where_it_is_too_large(site: Premises) -> None:
    functions, turnstile = streaming(site)
    size, _, last = read(ask(functions, limits.STREAM_BYTES + limits.MIB))
    assert limits.STREAM_BYTES - limits.MIB < size <= limits.STREAM_BYTES
    assert last["ErrorCode"] == "Unhandled"
    assert json.loads(last["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"
    assert read(ask(functions, limits.MIB))[0] == limits.MIB
    turnstile.close()
