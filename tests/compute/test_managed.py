"""Environments on managed instances: several invocations at a time in each, through real processes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.function import Managed
from lambent.compute.squad import Bounds
from lambent.kernel.clock import settle
from lambent.kernel.errors import AwsError
from tests.compute.programs import API, PYTHON, executables

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from tests.compute.programs import Yard
    from tests.compute.workshop import Workshop

ECHO = "def handler(event, context): return event"
PROVIDER = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:mine"

MEET = """
import os, pathlib, time
seen = []
def handler(event, context):
    seen.append(context.aws_request_id)
    mine = pathlib.Path("/tmp/%s" % event["name"])
    mine.write_text("here")
    while not all(pathlib.Path("/tmp/%s" % name).exists() for name in event["others"]):
        time.sleep(0.005)
    return {"pid": os.getpid(), "seen": len(seen), "id": context.aws_request_id}
"""


def managed(
    shop: Workshop, source: Any, concurrency: int = 4, least: int = 1, most: int = 1, **fields: Any
) -> FunctionVersion:
    """A version that has its environments, once they are ready."""
    function = shop.function(
        source,
        version="1",
        memory_mb=2048,
        log_format="JSON",
        managed=Managed(provider=PROVIDER, concurrency=concurrency, vcpus=1.0),
        **fields,
    )
    shop.engine.field(function, Bounds(least=least, most=most, provider_vcpus=400))
    return function


async def test_invocations_run_at_a_time_in_one_environment_each_in_a_process_of_its_own(yard: Yard) -> None:
    function = managed(yard, MEET, 3)
    names = [f"{yard.ids.uuid()}" for _ in range(3)]
    calls = [yard.result(function, {"name": name, "others": names}) for name in names]
    answers = await asyncio.gather(*calls)
    assert len({answer["pid"] for answer in answers}) == 3
    assert len({answer["id"] for answer in answers}) == 3
    assert yard.engine.size == 1


async def test_more_than_there_are_workers_for_is_refused(shop: Workshop) -> None:
    function = managed(shop, MEET, 1)
    await shop.engine.complete(function)
    name = shop.ids.uuid()
    first = asyncio.create_task(shop.result(function, {"name": shop.ids.uuid(), "others": [name]}))
    await settle()
    with pytest.raises(AwsError) as caught:
        await shop.invoke(function, {"name": name, "others": []})
    assert caught.value.code == "TooManyRequestsException"
    first.cancel()


async def test_calls_one_after_the_other_are_all_served_however_few_workers_there_are(shop: Workshop) -> None:
    function = managed(shop, "def handler(event, context): return event", 1)
    for number in range(50):
        assert await shop.result(function, number) == number


async def test_the_log_is_json_and_names_every_request(yard: Yard) -> None:
    function = managed(yard, "import logging\ndef handler(event, context): logging.warning('hello')", 2)
    first, second = yard.invocation(), yard.invocation()
    await asyncio.gather(yard.run(function, first), yard.run(function, second))
    await yard.facts.until("platform.report", 2)
    lines = [json.loads(message) for message in yard.facts.messages]
    said = {line["requestId"] for line in lines if line.get("message") == "hello"}
    told = {line["record"]["requestId"] for line in lines if line.get("type") == "platform.report"}
    assert said == told == {first.request_id, second.request_id}
    assert lines[0]["record"]["initializationType"] == "lambda-managed-instances"


async def test_a_failure_of_the_function_is_its_callers_alone(yard: Yard) -> None:
    function = managed(yard, "def handler(event, context): return 1 / event", 2)
    assert (await yard.failure(function, 0))["errorType"] == "ZeroDivisionError"
    assert await yard.result(function, 1) == 1
    assert yard.engine.size == 1


async def test_a_timeout_fails_one_invocation_and_nothing_else(shop: Workshop) -> None:
    source = """
import time
def handler(event, context):
    if event:
        time.sleep(event)
    return context.get_remaining_time_in_millis() >= 0
"""
    function = managed(shop, source, 2, timeout_s=1)
    await shop.engine.complete(function)
    late = asyncio.create_task(shop.failure(function, 1.5))
    assert await shop.result(function, 0) is True
    error = await late
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert await shop.result(function, 0) is True
    assert shop.engine.size == 1


async def test_a_worker_that_dies_fails_its_invocation_and_is_replaced(yard: Yard) -> None:
    source = """
import os
def handler(event, context):
    if event == "killed":
        os.kill(os.getpid(), 9)
    elif event:
        os._exit(event)
    return os.getppid()
"""
    function = managed(yard, source, 1)
    parent = await yard.result(function, 0)
    for event, problem in ((3, "exit status 3"), ("killed", "signal: killed")):
        error = await yard.failure(function, event)
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith(f"Error: Runtime exited with error: {problem}")
    assert await yard.result(function, 0) == parent, "the environment is the same"


async def test_a_version_that_does_not_initialise_says_why(shop: Workshop) -> None:
    function = managed(shop, "raise ValueError('no')", 2)
    with pytest.raises(AwsError) as caught:
        await shop.engine.complete(function)
    assert caught.value.code == "FunctionError"
    with pytest.raises(AwsError) as refused:
        await shop.invoke(function)
    assert refused.value.code == "ServiceException"


async def test_a_busy_version_gets_another_environment(shop: Workshop) -> None:
    function = managed(shop, MEET, 2, least=1, most=2, system_log_level="DEBUG")
    await shop.engine.complete(function)
    names = [shop.ids.uuid() for _ in range(2)]
    first = asyncio.create_task(shop.result(function, {"name": shop.ids.uuid(), "others": names}))
    second = asyncio.create_task(shop.result(function, {"name": names[0], "others": names}))
    await shop.facts.until("platform.initReport", 2)
    third = shop.result(function, {"name": names[1], "others": names})
    assert len({answer["pid"] for answer in await asyncio.gather(first, second, third)}) == 3


async def test_what_is_withdrawn_ends_when_it_is_done(shop: Workshop) -> None:
    function = managed(shop, MEET, 2)
    await shop.engine.complete(function)
    name = shop.ids.uuid()
    running = asyncio.create_task(shop.result(function, {"name": name, "others": [name]}))
    await settle()
    shop.engine.withdraw(function)
    assert (await running)["seen"] == 1
    with pytest.raises(AwsError):
        await shop.invoke(function, {"name": name, "others": []})


async def test_an_invocation_that_is_repeated_while_its_code_runs_on_is_another(yard: Yard) -> None:
    source = """
import os, time
def handler(event, context):
    try:
        os.close(os.open("/tmp/%s.first" % event, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        open("/tmp/%s.second" % event, "w").close()
        time.sleep(0.2)  # the first answers meanwhile
        return "second"
    while not os.path.exists("/tmp/%s.second" % event):
        time.sleep(0.005)
    return "first"
"""
    function = managed(yard, source, 2, timeout_s=1)
    invocation = yard.invocation(yard.ids.uuid())
    assert b"Sandbox.Timedout" in (await yard.run(function, invocation)).payload
    assert (await yard.run(function, invocation)).payload == b'"second"'


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
async def test_code_that_never_returns_keeps_nothing_that_is_withdrawn(shop: Workshop, early: bool) -> None:
    function = managed(shop, "def handler(event, context):\n    while event: pass", 2, timeout_s=1)
    await shop.engine.complete(function)
    late = asyncio.create_task(shop.failure(function, 1))
    await settle()
    if not early:
        await late
    shop.engine.withdraw(function)
    assert (await late)["errorType"] == "Sandbox.Timedout"
    async with asyncio.timeout(10):
        while shop.engine.size:
            shop.engine._fleet._changed.clear()
            await shop.engine._fleet._changed.wait()


async def test_an_answer_that_is_too_large_fails_one_invocation(shop: Workshop) -> None:
    function = managed(shop, "def handler(event, context): return 'x' * event", 1)
    assert (await shop.failure(function, 7_000_000))["errorType"] == "Function.ResponseSizeTooLarge"
    assert await shop.result(function, 3) == "xxx"


# Two threads of one process, each of which asks for itself.
THREADS = (
    PYTHON
    + """
import sys, threading
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
from api import *
meeting = threading.Barrier(int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]))
def work():
    api = Runtime()
    while True:
        event = api.next()
        meeting.wait()
        api.post("response", {"echo": event, "thread": threading.get_ident()})
for _ in range(meeting.parties - 1):
    threading.Thread(target=work, daemon=True).start()
work()
"""
)


async def test_a_custom_runtime_asks_over_several_connections(yard: Yard) -> None:
    code = yard.blobs.put(executables({"bootstrap": THREADS}, {"api.py": API}))
    function = managed(yard, {}, 3, runtime="provided.al2023", code_sha256=code)
    answers = await asyncio.gather(*(yard.result(function, number) for number in range(3)))
    assert sorted(answer["echo"] for answer in answers) == [0, 1, 2]
    assert len({answer["thread"] for answer in answers}) == 3


# A thread that is told to die does, and nobody is told; where the first one is told so, another takes its place.
DYING = (
    PYTHON
    + """
import sys, threading
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
from api import *
def work():
    api = Runtime()
    while True:
        event = api.next()
        if event == "replaced":
            threading.Thread(target=work).start()
        if event in ("dies", "replaced"):
            break
        api.post("response", {"echo": event, "pid": os.getpid()})
threading.Thread(target=work).start()
work()
threading.Event().wait()
"""
)


async def test_a_worker_that_dies_silently_is_not_taken_for_ever(yard: Yard) -> None:
    code = yard.blobs.put(executables({"bootstrap": DYING}, {"api.py": API}))
    function = managed(yard, {}, 2, runtime="provided.al2023", code_sha256=code, timeout_s=1)
    before = await yard.result(function, 1)
    for _ in range(3):
        assert (await yard.failure(function, "replaced"))["errorType"] == "Sandbox.Timedout"
        both = await asyncio.gather(*(yard.result(function, number) for number in range(2)))
        assert [answer["pid"] for answer in both] == [before["pid"]] * 2
    assert yard.engine.size == 1
    (environment,) = yard.engine._fleet._homes
    assert len(environment._workers._running) < 3, "the events of those that are given up are not kept"


async def test_an_environment_that_has_lost_a_worker_is_replaced(yard: Yard) -> None:
    code = yard.blobs.put(executables({"bootstrap": DYING}, {"api.py": API}))
    function = managed(yard, {}, 2, runtime="provided.al2023", code_sha256=code, timeout_s=1)
    before = await yard.result(function, 1)
    assert (await yard.failure(function, "dies"))["errorType"] == "Sandbox.Timedout"
    assert (await yard.result(function, 2))["pid"] == before["pid"], "the other worker is still there"
    fleet = yard.engine._fleet
    (worn,) = fleet._homes
    async with asyncio.timeout(10):
        while worn in fleet._homes:
            fleet._changed.clear()
            await fleet._changed.wait()
    both = await asyncio.gather(*(yard.result(function, number) for number in range(2)))
    assert sorted(answer["echo"] for answer in both) == [0, 1]


# One worker begins a stream, and ends it when another has answered.
STREAMING = (
    PYTHON
    + """
import sys, threading
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
from api import *
answered = threading.Event()
def work():
    api = Runtime()
    while True:
        if api.next():
            api.begin_stream()
            api.chunk(b"first")
            answered.wait()
            api.chunk(b"second")
            api.end_stream()
        else:
            api.post("response", "whole")
            answered.set()
threading.Thread(target=work, daemon=True).start()
work()
"""
)


LISTENING = """
refused = Extension("other", "INVOKE")
print(NAME, "refused", refused.status, refused.registered)
me = Extension(NAME, "SHUTDOWN")
print(NAME, "heard", me.next()["eventType"])
"""


async def test_extensions_hear_of_the_end_and_of_no_invocation(yard: Yard) -> None:
    function = managed(yard, ECHO, 2, layers=(yard.layer({"e": LISTENING}),))
    assert await yard.result(function, 1) == 1
    assert yard.lines("^e refused 403 .*INVOKE: ErrorInvalidEventType")
    await yard.close()
    assert yard.lines("^e heard") == ["e heard SHUTDOWN"]


async def test_an_extension_that_crashes_takes_the_environment_along(yard: Yard) -> None:
    crashing = "me = Extension(NAME, 'SHUTDOWN')\nopen('/tmp/here', 'w').close()\nme.next()"
    source = """
import os, signal
def handler(event, context):
    if event:
        for name in os.listdir("/proc"):
            if name.isdigit() and b"extensions/e" in open("/proc/%s/cmdline" % name, "rb").read():
                os.kill(int(name), signal.SIGKILL)
        while True:
            pass
    return os.getppid()
"""
    if yard.level == "process":
        pytest.skip("functions see the processes of others there")
    function = managed(yard, source, 2, layers=(yard.layer({"e": crashing}),))
    await yard.result(function, 0)
    error = await yard.failure(function, 1)
    assert error["errorType"] == "Extension.Crash"
    assert await yard.result(function, 0) > 0, "another has taken its place"


async def test_a_stream_is_passed_on_while_another_invocation_runs(yard: Yard) -> None:
    code = yard.blobs.put(executables({"bootstrap": STREAMING}, {"api.py": API}))
    function = managed(yard, {}, 2, runtime="provided.al2023", code_sha256=code)
    outcome = await yard.invoke(function, 1, streaming=True)
    assert outcome.stream is not None
    chunks = aiter(outcome.stream)
    assert await anext(chunks) == b"first"
    assert await yard.result(function, 0) == "whole"
    assert b"".join([chunk async for chunk in chunks]) == b"second"
    assert (await outcome.stream.ending()).error is None
