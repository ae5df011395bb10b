"""Functions that raise, exit, crash, hang or answer too much: AWS's errors, and an engine that goes on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox import process
from lambent.compute.sandbox.api import Usage
from lambent.compute.sandbox.killing import opened
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from lambent.compute.sandbox.api import Cell, Image
    from tests.compute.programs import Yard
    from tests.compute.workshop import Workshop


async def test_an_exception_is_aws_error_json_and_keeps_the_environment_warm(shop: Workshop) -> None:
    source = """
import os
def inner():
    raise ValueError("bäd")
def handler(event, context):
    if event == "pid":
        return os.getpid()
    inner()
"""
    function = shop.function(source)
    before = await shop.result(function, "pid")
    invocation = shop.invocation("fail")
    outcome = await shop.run(function, invocation)
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload) == {
        "errorMessage": "bäd",
        "errorType": "ValueError",
        "requestId": invocation.request_id,
        "stackTrace": [
            '  File "/var/task/app.py", line 8, in handler\n    inner()\n',
            '  File "/var/task/app.py", line 4, in inner\n    raise ValueError("bäd")\n',
        ],
    }
    assert await shop.result(function, "pid") == before


async def test_the_standard_library_is_shown_where_aws_has_it(shop: Workshop) -> None:
    source = "import json\ndef handler(e, c): json.loads('x')"
    error = await shop.failure(shop.function(source))
    assert error["stackTrace"][1].startswith('  File "/var/lang/lib/python3.')
    assert "/json/__init__.py" in error["stackTrace"][1]


async def test_a_handler_that_takes_no_arguments_hides_the_clients_own_frames(shop: Workshop) -> None:
    error = await shop.failure(shop.function("def handler(): pass"))
    assert error["errorType"] == "TypeError"
    assert error["errorMessage"] == "handler() takes 0 positional arguments but 2 were given"
    assert error["stackTrace"] == []


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("exit(5)", "Runtime exited with error: exit status 5"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(4)", "Runtime exited with error: exit status 4"),
        ("raise KeyboardInterrupt", "Runtime exited with error: signal: interrupt"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("raise Mute()", "Runtime exited with error: exit status 1"),
        ("os.closerange(0, 100); time.sleep(60)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_the_end_of_the_process_is_an_exit_error_and_the_environment_is_replaced(
    shop: Workshop, statement: str, problem: str
) -> None:
    source = f"""
import os, sys, time
class Mute(Exception):
    def __str__(self): raise RuntimeError("no words")
def handler(event, context):
    if event == "die":
        print("last words", end="")
        {statement}
    return "alive"
"""
    function = shop.function(source)
    invocation = shop.invocation("die", tail=True)
    outcome = await shop.run(function, invocation)
    text = f"RequestId: {invocation.request_id} Error: {problem}"
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload) == {"errorType": "Runtime.ExitError", "errorMessage": text}
    assert outcome.log_tail is not None
    log = outcome.log_tail.decode()
    assert log.startswith(f"START RequestId: {invocation.request_id} Version: $LATEST\nlast words")
    assert f"\n{text}\nRuntime.ExitError\nEND RequestId: " in log
    assert log.endswith("Status: error\tError Type: Runtime.ExitError\n")
    assert await shop.result(function) == "alive"


async def test_a_timeout_is_the_servers_and_ends_all_processes(shop: Workshop) -> None:
    source = """
import subprocess, sys, time, signal
def handler(event, context):
    if not event:
        return "fresh"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    print("unfinished", end="")
    time.sleep(60)
"""
    function = shop.function(source, timeout_s=1)
    invocation = shop.invocation({"hang": True}, tail=True)
    outcome = await shop.run(function, invocation)
    text = f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds"
    assert json.loads(outcome.payload) == {"errorType": "Sandbox.Timedout", "errorMessage": text}
    assert outcome.log_tail is not None
    log = outcome.log_tail.decode().splitlines()
    assert log[2] == "unfinished"
    assert log[3].endswith(f"Z {invocation.request_id} Task timed out after 1.00 seconds")
    assert log[-1].endswith("Status: timeout")
    assert await shop.result(function) == "fresh"
    await shop.engine.close()
    assert not running(int(log[1]))


@pytest.mark.parametrize("variables", [{}, {"TMPDIR": "/tmp"}])
async def test_a_daemon_that_leaves_the_group_does_not_outlive_its_environment(
    shop: Workshop, variables: dict[str, str]
) -> None:
    source = """
import os, time
def handler(event, context):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            for fd in range(64):
                try: os.close(fd)
                except OSError: pass
            time.sleep(60)
        os._exit(0)
    return int(os.read(read, 20))
"""
    daemon = await shop.result(shop.function(source, variables=variables))
    assert running(daemon)
    await shop.engine.close()
    assert not running(daemon)


@pytest.mark.parametrize("size", [6_291_556, 6_291_557, 40_000_000])
async def test_an_answer_over_the_limit_is_an_error(shop: Workshop, size: int) -> None:
    function = shop.function("def handler(e, c): return 'x' * (e - 2)", timeout_s=30)
    for _ in range(2):
        outcome = await shop.invoke(function, size)
        if size <= 6_291_556:
            assert outcome.error is None
            assert len(outcome.payload) == size
        else:
            assert outcome.error == "Unhandled"
            assert json.loads(outcome.payload) == {
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            }
            (said,) = [line for _, event in shop.facts.events[-3:] if (line := event.message).startswith("[ERROR]")]
            assert re.fullmatch(
                r"\[ERROR\] \[\d{13}\] LAMBDA_RUNTIME Failed to post handler success response\. "
                r'Http response code: 413\. \{"errorMessage":"Exceeded maximum allowed payload size '
                r'\(6291556 bytes\)\.","errorType":"RequestEntityTooLarge"\}\n',
                said,
            )


@pytest.mark.parametrize("where", ["import", "handler"])
async def test_the_end_of_the_memory_is_an_error_type_of_its_own(yard: Yard, where: str) -> None:
    cgroups = getattr(yard.engine._sandbox, "_cgroups", None)
    if cgroups is None or "memory" not in cgroups.controls:
        pytest.skip("memory cannot be limited here")
    hoard = "hoard = os.urandom(1 << 20) * 200"
    source = f"import os\ndef handler(event, context): {hoard}"
    function = yard.function(source if where == "handler" else f"import os\n{hoard}")
    invocation = yard.invocation()
    outcome = await yard.run(function, invocation)
    text = f"RequestId: {invocation.request_id} Error: Runtime exited with error: signal: killed"
    assert json.loads(outcome.payload) == {"errorType": "Runtime.OutOfMemory", "errorMessage": text}
    told = "\tStatus: error\tError Type: Runtime.OutOfMemory"
    (report,) = yard.lines("^REPORT")
    assert "\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t" in report
    assert report.endswith(told)
    phases = [line.partition("Phase: ")[2] for line in yard.lines("^INIT_REPORT")]
    assert phases == ([] if where == "handler" else [f"init{told}", f"invoke{told}"])


@pytest.mark.parametrize(
    ("end", "kind"), [("os.kill(os.getpid(), 9)", "Runtime.OutOfMemory"), ("os._exit(3)", "Runtime.ExitError")]
)
async def test_only_who_was_killed_has_run_out_of_memory(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, end: str, kind: str
) -> None:
    """What the kernel tells of control groups is said here by the test, which needs none so."""
    exhausted = Usage(peak_memory=0, out_of_memory=True)
    monkeypatch.setattr(process._ProcessCell, "usage", lambda _cell: exhausted)
    error = await shop.failure(shop.function(f"import os\ndef handler(e, c): {end}"))
    assert error["errorType"] == kind
    assert shop.facts.messages[-1].endswith(f"\tStatus: error\tError Type: {kind}\n")


async def test_an_error_of_the_function_is_none_of_the_platforms(shop: Workshop) -> None:
    outcome = await shop.invoke(shop.function("def handler(e, c): 1 / 0"), tail=True)
    assert outcome.error == "Unhandled"
    assert outcome.log_tail is not None
    assert b"Status" not in outcome.log_tail, "AWS's REPORT says nothing of it either"


async def test_an_environment_that_dies_between_invocations_is_replaced(shop: Workshop) -> None:
    function = shop.function("import os\ndef handler(e, c): return os.getpid()")
    first = await shop.result(function)
    os.kill(first, signal.SIGKILL)
    await gone(first)
    assert await shop.result(function) != first


async def test_a_cell_that_is_gone_before_anybody_moves_in_is_an_error_and_no_bug(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    if yard.level == "process":
        pytest.skip("a cell with nobody in it does not end of itself")
    sandbox, gone, another = yard.engine._sandbox, asyncio.Event(), os.pipe()
    make, tell = sandbox.cell, sandbox.gone  # type: ignore[attr-defined]

    async def ended(image: Image) -> Cell:
        cell = await make(image)
        number = cell._output
        cell.kill()
        await gone.wait()
        os.dup2(another[0], number)
        numbers.append(number)
        return cell

    numbers: list[int] = []
    function = yard.function("def handler(event, context):\n    return event")
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "gone", lambda *words: (tell(*words), gone.set()))
        patch.setattr(sandbox, "cell", ended)
        with pytest.raises(AwsError) as failure:
            await yard.result(function)
    assert failure.value.code == "ServiceException"
    for each in (*another, *numbers):
        os.close(each)  # nobody has closed what has the number now
    assert await yard.result(function, 1) == 1


async def test_a_lone_surrogate_in_an_answer_ends_the_runtime_where_aws_client_does(shop: Workshop) -> None:
    for runtime, kind in (("python3.11", None), ("python3.12", "Runtime.ExitError")):
        if await shop.engine.refusal(runtime) is None:
            outcome = await shop.invoke(shop.function("def handler(e, c): return '\\ud800'", runtime=runtime))
            assert (json.loads(outcome.payload)["errorType"] if outcome.error else None) == kind


async def test_a_caller_that_goes_away_does_not_stop_its_invocation(shop: Workshop) -> None:
    source = "import time\ndef handler(e, c):\n    print('begun', e)\n    time.sleep(0.2)\n    print('done', e)"
    function = shop.function(source)
    caller = shop.supervisor.start("caller", shop.invoke(function, "alone"))
    await shop.facts.until("begun alone")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await shop.facts.until("done alone")
    await shop.facts.until("REPORT")
    await shop.result(function)
    assert shop.engine.size == 1


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    """Wait for the end of a process that is not a child to wait for."""
    if (descriptor := opened(pid)) is None:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    async with asyncio.timeout(10):
        await ended.wait()
    loop.remove_reader(descriptor)
    os.close(descriptor)
