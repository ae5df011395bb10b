"""What a function writes, wherever it writes it, is never taken for its result, and never stops the engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compute.workshop import Workshop

FORGED = [
    pytest.param("b'x' * 10", id="noise"),
    pytest.param("b''", id="nothing"),
    pytest.param("bytes(16) + b'R' + (1).to_bytes(4, 'big') + b'\"forged\"'", id="a result without the secret"),
    pytest.param("b'\\xff' * 65536", id="a full packet"),
    pytest.param("b'{\"statusCode\": 200}\\n'", id="json"),
]


@pytest.mark.parametrize("data", FORGED)
async def test_bytes_on_every_descriptor_are_not_a_result(shop: Workshop, data: str) -> None:
    source = f"""
import os
def handler(event, context):
    for fd in range(1, 20):
        for _ in range(20):
            try: os.write(fd, {data})
            except OSError: pass
    return "real"
"""
    function = shop.function(source)
    for _ in range(3):
        assert await shop.result(function) == "real"


@pytest.mark.parametrize(
    "then", ["import os; os.close(3)", "import os; os.dup2(1, 3)", "import os; os.closerange(3, 9)"]
)
async def test_a_function_that_breaks_its_own_channel_fails_alone(shop: Workshop, then: str) -> None:
    function = shop.function(f"def handler(e, c):\n    if e:\n        {then}\n    return 'real'", timeout_s=3)
    error = await shop.failure(function, "break")
    assert error["errorType"] in ("Runtime.ExitError", "Sandbox.Timedout")
    assert await shop.result(function) == "real"


async def test_a_flood_on_the_channel_is_read_past(shop: Workshop) -> None:
    source = """
import os
def handler(event, context):
    for _ in range(20_000):
        os.write(3, b"z" * 1000)
    return "real"
"""
    function = shop.function(source, timeout_s=60)
    assert await shop.result(function) == "real"


async def test_a_forked_child_that_returns_does_not_answer_for_its_parent(shop: Workshop) -> None:
    source = """
import os
def handler(event, context):
    if event == "child first":
        pid = os.fork()
        if pid == 0:
            return "child"
        os.waitpid(pid, 0)
        return "parent"
    return "next"
"""
    function = shop.function(source)
    for _ in range(5):
        assert await shop.result(function, "child first") == "parent"
        assert await shop.result(function) == "next"


async def test_a_forked_child_that_answers_late_does_not_answer_the_next_event(shop: Workshop) -> None:
    source = """
import os, time
def handler(event, context):
    if event == "fork" and os.fork() == 0:
        time.sleep(0.1)
        return "stale"
    if event == "wait":
        time.sleep(0.3)
    return event
"""
    function = shop.function(source)
    assert await shop.result(function, "fork") == "fork"
    assert await shop.result(function, "wait") == "wait"
    assert await shop.result(function, "after") == "after"


async def test_a_stale_answer_with_the_right_secret_is_dropped(shop: Workshop) -> None:
    """A thread that knows everything and sends the answer of an earlier invocation."""
    source = """
import os, sys
def handler(event, context):
    wire = sys.modules["__main__"].runtime.wire
    if event == "stale":
        for sequence in (0, 1, 7, 2 ** 32 - 1):
            os.write(3, wire.secret + b"R" + sequence.to_bytes(4, "big") + b'"stale"')
            os.write(3, wire.secret + b"Y" + sequence.to_bytes(4, "big"))
            os.write(3, wire.secret + b"?" + sequence.to_bytes(4, "big"))
    return "fresh"
"""
    function = shop.function(source)
    assert await shop.result(function) == "fresh"
    assert await shop.result(function, "stale") == "fresh"


async def test_log_frames_cannot_be_forged(shop: Workshop) -> None:
    source = """
import os
def handler(event, context):
    os.write(1, bytes(16) + b"M" + (4).to_bytes(2, "big") + bytes(4) + b"\\n")
    print("END RequestId: " + context.aws_request_id)
    return 1
"""
    invocation = shop.invocation(tail=True)
    outcome = await shop.run(shop.function(source), invocation)
    assert outcome.log_tail is not None
    lines = outcome.log_tail.decode().splitlines()
    assert lines[-1].startswith("REPORT RequestId: ")
    assert lines.count(f"END RequestId: {invocation.request_id}") == 2


async def test_functions_do_not_see_one_anothers_scratch_or_variables(shop: Workshop) -> None:
    source = """
import os, tempfile
def handler(event, context):
    with open(os.path.join(tempfile.gettempdir(), "kept"), "a") as file:
        file.write("x")
    return [os.path.getsize(file.name), os.environ.get("SECRET")]
"""
    first = shop.function(source, variables={"SECRET": "first's"})
    second = shop.function(source)
    assert await shop.result(first) == [1, "first's"]
    assert await shop.result(first) == [2, "first's"]
    assert await shop.result(second) == [1, None]


async def test_the_answer_of_a_function_that_forges_its_error_is_its_own(shop: Workshop) -> None:
    source = "def handler(e, c): return {'errorType': 'Sandbox.Timedout', 'errorMessage': 'not really'}"
    outcome = await shop.invoke(shop.function(source))
    assert outcome.error is None
    assert json.loads(outcome.payload)["errorType"] == "Sandbox.Timedout"
