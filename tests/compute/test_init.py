"""INIT: how it fails, that it is repeated in the first invocation, and what the log says of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lambent.compute import environment
from lambent.compute.sandbox import process
from tests.compute.workshop import RUNTIME

if TYPE_CHECKING:
    from tests.compute.workshop import Workshop


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        (
            "import nowhere",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        ("", "gone.handler", "Runtime.ImportModuleError", "Unable to import module 'gone': No module named 'gone'"),
        ("", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "",
            "handler",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "",
            "sys.exit",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
        ("raise KeyError('k')", "app.handler", "KeyError", "'k'"),
    ],
)
async def test_an_init_error_is_the_answer(shop: Workshop, source: str, handler: str, kind: str, message: str) -> None:
    function = shop.function(source, handler=handler)
    for _ in range(2):
        error = await shop.failure(function)
        assert (error["errorType"], error["errorMessage"], error["requestId"]) == (kind, message, "")
    assert len({stream for stream, _ in shop.facts.events}) == 2, "the environment is replaced"


async def test_an_environment_is_held_to_its_share_once_init_is_over(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced: list[object] = []
    monkeypatch.setattr(process._ProcessCell, "pace", lambda cell: paced.append(cell))
    await shop.failure(shop.function("raise KeyError"))
    assert not paced, "INIT was never over"
    function = shop.function("def handler(event, context): return event")
    assert [await shop.result(function, number) for number in range(3)] == [0, 1, 2]
    assert len(paced) == 1


async def test_a_syntax_error_shows_the_line(shop: Workshop) -> None:
    error = await shop.failure(shop.function("def handler(:\n  pass"))
    assert error["errorType"] == "Runtime.UserCodeSyntaxError"
    assert error["errorMessage"].startswith("Syntax error in module 'app': invalid syntax")
    assert error["stackTrace"] == ['  File "/var/task/app.py" Line 1\n    def handler(:\n']


async def test_an_exception_at_import_has_the_frames_of_the_module(shop: Workshop) -> None:
    files: dict[str, str | bytes] = {"app.py": "import other", "other.py": "def f():\n    1 / 0\nf()"}
    error = await shop.failure(shop.function(files))
    assert error["errorType"] == "ZeroDivisionError"
    assert error["stackTrace"][-1] == '  File "/var/task/other.py", line 2, in f\n    1 / 0\n'
    assert not [line for line in error["stackTrace"] if "bootstrap.py" in line and "frozen" not in line]


async def test_init_runs_again_within_the_first_invocation(shop: Workshop) -> None:
    mark = shop.folder / "tried"
    source = f"""
import os
print("importing")
if not os.path.exists({str(mark)!r}):
    open({str(mark)!r}, "w").close()
    raise RuntimeError("not yet")
def handler(event, context):
    return "second try"
"""
    function = shop.function(source)
    outcome = await shop.invoke(function, tail=True)
    assert outcome.payload == b'"second try"'
    assert shop.facts.messages.count("importing\n") == 2
    report = next(message for message in shop.facts.messages if message.startswith("INIT_REPORT"))
    assert report.endswith(" ms\tPhase: init\tStatus: error\tError Type: Runtime.Unknown\n")
    assert outcome.log_tail is not None
    lines = [line for line in outcome.log_tail.decode().split("\n") if line and not line.startswith("\u00a0")]
    told = ["importing", "[ERROR]", "Traceback", "INIT_REPORT", "importing", "START", "END", "REPORT"]
    assert [line.split()[0] for line in lines] == told, "both of them, but for INIT_START"
    assert "Init Duration" not in lines[-1], "it was part of the invocation"
    assert (await shop.invoke(function)).payload == b'"second try"'


async def test_an_init_that_takes_too_long_is_ended_and_repeated(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.limits, "INIT_S", 0.3)
    source = "import time\ntime.sleep(30)\ndef handler(e, c): pass"
    error = await shop.failure(shop.function(source, timeout_s=1))
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    reports = [message for message in shop.facts.messages if message.startswith("INIT_REPORT")]
    assert len(reports) == 2
    assert reports[0].endswith("Phase: init\tStatus: timeout\n")
    assert reports[1].endswith("Phase: invoke\tStatus: timeout\n")


async def test_an_exit_at_import_is_an_exit_error(shop: Workshop) -> None:
    error = await shop.failure(shop.function("import sys\nsys.exit(7)"))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


async def test_init_start_names_the_runtime_and_comes_first(shop: Workshop) -> None:
    await shop.result(shop.function("print('loading')\ndef handler(e, c): pass"))
    first, second, third = shop.facts.messages[:3]
    assert first.startswith(f"INIT_START Runtime Version: python:{RUNTIME[6:]}.v")
    assert "\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:" in first
    assert second == "loading\n"
    assert third.startswith("START RequestId: ")


async def test_many_callers_of_a_function_that_cannot_start_all_get_their_answer(shop: Workshop) -> None:
    function = shop.function("import nowhere")
    errors = await asyncio.gather(*(shop.failure(function) for _ in range(8)))
    assert {error["errorType"] for error in errors} == {"Runtime.ImportModuleError"}
