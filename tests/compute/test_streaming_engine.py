"""Answers that arrive while the function still writes them, from a real runtime to the caller."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.compute.streaming import Stream
    from tests.compute.programs import Yard

ERROR = b'{"errorType":"Oops","errorMessage":"half-way"}'
TRAILERS = f"""
import base64
TRAILERS = {{
    "Lambda-Runtime-Function-Error-Type": "Runtime.Oops",
    "Lambda-Runtime-Function-Error-Body": base64.b64encode({ERROR!r}).decode(),
}}
"""

# An event names what is done, and the next asks for it again.
STEPS = f"""
{TRAILERS}
while True:
    for step in api.next():
        if step == "begin":
            api.begin_stream({{"Content-Type": "text/plain"}})
        elif step == "wait":
            wait()
        elif step == "end":
            print("end", api.end_stream()[0])
        elif step == "fail":
            print("fail", api.end_stream(TRAILERS)[0])
        elif step == "break":
            api.socket.shutdown(socket.SHUT_RDWR)
            api = Runtime()
        elif step == "hang":
            time.sleep(60)
        elif step == "exit":
            sys.exit(1)
        elif step == "whole":
            api.post("response", "whole")
        else:
            api.chunk(step.encode())
"""


async def begin(yard: Yard, function: FunctionVersion, steps: list[str], *, tail: bool = False) -> Stream:
    """The stream of an answer that is made of these steps."""
    invocation = yard.invocation(steps, streaming=True, tail=tail)
    async with asyncio.timeout(20):
        outcome = await yard.engine.invoke(function, invocation)
    assert outcome.stream is not None
    return outcome.stream


async def read(stream: Stream) -> bytes:
    """All of it."""
    async with asyncio.timeout(20):
        return b"".join([chunk async for chunk in stream])


async def test_the_first_part_arrives_while_the_function_still_writes(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    gate = await yard.gate(function)
    stream = await begin(yard, function, ["begin", "first", "wait", "second", "end"])
    assert stream.content_type == "text/plain"
    assert await anext(stream) == b"first", "and nobody has opened the gate"
    assert not yard.lines("^end")
    gate.open()
    assert await read(stream) == b"second"
    ending = await stream.ending()
    assert (ending.error, ending.log_tail) == (None, None)
    await yard.facts.until("REPORT")
    assert yard.lines("^end") == ["end 202"]


async def test_the_answer_begins_before_its_first_part(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    gate = await yard.gate(function)
    stream = await begin(yard, function, ["begin", "wait", "end"])
    gate.open()
    assert await read(stream) == b""
    assert stream.error_type is None


async def test_an_environment_streams_again_and_again(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    for number in range(3):
        stream = await begin(yard, function, ["begin", str(number), "end"], tail=True)
        assert await read(stream) == str(number).encode()
        ending = await stream.ending()
        assert ending.log_tail is not None
        assert b"\nend 202\nEND RequestId: " in ending.log_tail
    assert yard.engine.size == 1


async def test_who_does_not_read_holds_the_function_back(yard: Yard) -> None:
    size = 64 * limits.MIB
    function = yard.speaking_http(
        f"""
import select
api.next()
api.begin_stream()
left = {size}
writable = select.poll()
writable.register(api.socket, select.POLLOUT)
while left:
    if not writable.poll(500):
        print("held back")
        writable.poll()
    api.chunk(b"x" * 65536)
    left -= 65536
api.end_stream()
api.next()
""",
        timeout_s=60,
    )
    stream = await begin(yard, function, [])
    await yard.facts.until("held back")
    held = stream.size
    assert held < 4 * limits.MIB
    assert len(await read(stream)) == size
    assert (await stream.ending()).error is None


@pytest.mark.parametrize(
    ("last", "kind"),
    [("fail", "Runtime.Oops"), ("break", "Runtime.TruncatedResponse")],
)
async def test_an_error_half_way_comes_after_what_was_written(yard: Yard, last: str, kind: str) -> None:
    function = yard.speaking_http(STEPS)
    stream = await begin(yard, function, ["begin", "good", last], tail=True)
    assert await read(stream) == b"good"
    error = (await stream.ending()).error
    assert error is not None
    assert error == ERROR if last == "fail" else json.loads(error)["errorType"] == kind
    assert yard.lines("^REPORT")[0].endswith(f"Status: error\tError Type: {kind}")
    assert await yard.result(function, ["whole"], tail=True) == "whole"
    assert yard.engine.size == 1


async def test_a_timeout_half_way_is_told(yard: Yard) -> None:
    function = yard.speaking_http(STEPS, timeout_s=1)
    stream = await begin(yard, function, ["begin", "good", "hang"])
    assert await read(stream) == b"good"
    error = json.loads((await stream.ending()).error or b"")
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert yard.lines("^REPORT")[0].endswith("Status: timeout")


async def test_the_end_of_the_runtime_half_way_is_told(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    stream = await begin(yard, function, ["begin", "good", "exit"], tail=True)
    assert await read(stream) == b"good"
    error = json.loads((await stream.ending()).error or b"")
    assert error["errorType"] == "Runtime.TruncatedResponse"
    assert yard.lines("^REPORT")[0].endswith("Status: error\tError Type: Runtime.ExitError")


async def test_a_stream_that_grows_too_large_breaks_off(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_BYTES", 10)
    function = yard.speaking_http(STEPS)
    gate = await yard.gate(function)
    stream = await begin(yard, function, ["begin", "12345678", "wait", "abcdefgh", "end"], tail=True)
    assert await anext(stream) == b"12345678"
    gate.open()
    assert await read(stream) == b""
    error = json.loads((await stream.ending()).error or b"")
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert yard.lines("^REPORT")[0].endswith("Error Type: Function.ResponseSizeTooLarge")


async def test_a_caller_who_goes_away_does_not_stop_the_function(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    gate = await yard.gate(function)
    stream = await begin(yard, function, ["begin", "first", "wait", "x" * 100_000, "end"])
    assert await anext(stream) == b"first"
    stream.cancel()
    gate.open()
    await yard.facts.until("REPORT")
    assert yard.lines("^end") == ["end 202"]
    assert "Status" not in yard.lines("^REPORT")[0]


async def test_who_wants_no_stream_gets_the_answer_whole(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    outcome = await yard.invoke(function, ["begin", "one ", "two", "end"], tail=True)
    assert (outcome.payload, outcome.error, outcome.stream) == (b"one two", None, None)
    outcome = await yard.invoke(function, ["begin", "one ", "fail"], tail=True)
    assert (outcome.payload, outcome.error) == (ERROR, "Unhandled")
    assert (await yard.failure(function, ["begin", "one ", "break"], tail=True))["errorType"] == (
        "Runtime.TruncatedResponse"
    )


async def test_who_wants_a_stream_may_get_the_answer_whole(yard: Yard) -> None:
    for function in (yard.speaking_http(STEPS), yard.function("def handler(event, context): return 'whole'")):
        outcome = await yard.invoke(function, ["whole"], streaming=True, tail=True)
        assert (outcome.payload, outcome.stream) == (b'"whole"', None)


async def test_a_function_that_fails_before_it_streams_fails_as_ever(yard: Yard) -> None:
    function = yard.speaking_http(STEPS)
    outcome = await yard.invoke(function, ["exit"], streaming=True)
    assert (outcome.error, outcome.stream) == ("Unhandled", None)
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"


async def test_the_server_may_end_while_an_answer_streams(yard: Yard) -> None:
    stream = await begin(yard, yard.speaking_http(STEPS), ["begin", "first", "hang"])
    assert await anext(stream) == b"first"
    await yard.close()
    assert await read(stream) == b""
    assert json.loads((await stream.ending()).error or b"")["errorType"] == "Sandbox.Failure"
