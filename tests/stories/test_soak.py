"""A long run with faults and changes: every answer is the right one, and nothing is left behind.

`LAMBENT_SOAK=100000 .venv/bin/pytest tests/stories/test_soak.py -m slow` makes it as long as it is told; without, it is
2,000 invocations long.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.stories.leaks import premises, together
from tests.support import ROLE, RUNTIME, archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stories.leaks import Premises

INVOCATIONS = int(os.environ.get("LAMBENT_SOAK", "2000"))
FUNCTIONS = 500
CLIENTS = 8
IDLE_S = 2
CHANGES = 0.02
"""How often a client changes a function rather than call one."""
GROWTH_MB = 24.0
"""What the server may keep of its memory: allocators do not give everything back."""
BIG = 1_000_000

SOURCE = """
import os, subprocess, sys, time
CODE = %d
HOARD = []

def handler(event, context):
    number, what = event["number"], event["what"]
    print("ran", number, flush=True)
    filler = ""
    if what == "raise":
        raise ValueError(f"{context.function_name} {number}")
    if what == "exit":
        os._exit(3)
    if what == "abort":
        os.abort()
    if what == "kill":
        os.kill(os.getpid(), 9)
    if what == "hang":
        time.sleep(60)
    if what == "hoard":
        while True:
            HOARD.append(bytearray(16 << 20))
    if what == "excess":
        return "x" * (7 << 20)
    if what == "child" and os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    if what == "daemon":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    if what == "memory":
        bytearray(40 << 20)
    if what == "file":
        with open("/tmp/file", "ab") as file:
            file.write(bytes(1 << 20))
    if what == "chatter":
        for line in range(200):
            print("line", line)
    if what == "big":
        filler = "x" * event["size"]
    configuration = int(os.environ["CONFIGURATION"])
    return {"number": number, "name": context.function_name, "request": context.aws_request_id, "code": CODE,
            "configuration": configuration, "filler": len(filler), "content": filler}
"""
ANSWERED = ("answer",) * 40 + ("child", "daemon", "memory", "file", "chatter", "big") * 3
FAILED = ("raise",) * 4 + ("exit", "abort", "kill", "excess") * 2
HELD = ("hoard",)
"""What only walls keep from the rest of the machine."""
ERRORS = {
    "raise": ("ValueError", r"{name} {number}"),
    "exit": ("Runtime.ExitError", r"RequestId: {request} Error: Runtime exited with error: exit status 3"),
    "abort": ("Runtime.ExitError", r"RequestId: {request} Error: Runtime exited with error: signal: aborted"),
    "kill": ("Runtime.ExitError", r"RequestId: {request} Error: Runtime exited with error: signal: killed"),
    "hoard": (r"Runtime\.(ExitError|OutOfMemory)", r"RequestId: {request} Error: Runtime exited with error: .*"),
    "hang": ("Sandbox.Timedout", r"RequestId: {request} Error: Task timed out after 1\.00 seconds"),
    "excess": ("Function.ResponseSizeTooLarge", r"Response payload size exceeded maximum allowed payload size .*"),
}


class Subject:
    """A function as its clients know it: which generations of code and configuration an answer may come from."""

    def __init__(self, name: str, *, brief: bool) -> None:
        self.name = name
        self.brief = brief
        """Whether it may run for a second only. Nothing else is asked of such a one than to hang or to answer."""
        self.changing = threading.Lock()
        self.sure = {"code": 0, "configuration": 0}
        """The newest generations that are known to be in force."""
        self.possible = {"code": 0, "configuration": 0}
        """The newest that may be."""
        self.deletions = 0
        self.absent = True

    def create(self, functions: Any) -> None:
        """Create it anew."""
        for kind in self.possible:
            self.possible[kind] += 1
        functions.create_function(
            FunctionName=self.name,
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=ROLE,
            MemorySize=192,
            Timeout=1 if self.brief else 60,
            Code={"ZipFile": self._archive()},
            Environment=self._environment(),
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 0.05})
        self._settle()
        self.absent = False

    def change(self, functions: Any, what: str) -> None:
        """Give it new code or a new configuration, or replace it by another."""
        if what == "function":
            self.deletions += 1
            self.absent = True
            functions.delete_function(FunctionName=self.name)
            self.create(functions)
            return
        self.possible[what] += 1
        if what == "code":
            functions.update_function_code(FunctionName=self.name, ZipFile=self._archive())
        else:
            functions.update_function_configuration(FunctionName=self.name, Environment=self._environment())
        functions.get_waiter("function_updated_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 0.05})
        self._settle()

    def _settle(self) -> None:
        self.sure = dict(self.possible)

    def _archive(self) -> bytes:
        return archive({"app.py": SOURCE % self.possible["code"], "name": self.name})

    def _environment(self) -> dict[str, dict[str, str]]:
        return {"Variables": {"CONFIGURATION": str(self.possible["configuration"])}}


class Soak:
    """Clients that call functions and change them, and what became of every call."""

    def __init__(self, site: Premises, seed: int) -> None:
        self._site = site
        self._chance = random.Random(seed)
        self._kinds = ANSWERED + FAILED + (HELD if site.level != "process" else ())
        self._subjects = [Subject(f"soak-{number}", brief=number % 10 == 0) for number in range(FUNCTIONS)]
        self._numbers = iter(())
        self._drawing = threading.Lock()
        self.ran: dict[int, str] = {}
        """The calls that have reached their function, and which that was."""

    def create(self) -> None:
        """Make the functions."""
        names = iter(self._subjects)

        def client() -> None:
            functions = self._site.server.client("lambda")
            while (subject := self._draw(names)) is not None:
                subject.create(functions)
            functions.close()

        together([client] * CLIENTS)

    def run(self, numbers: range, *, every: bool = False) -> None:
        """Make the calls with those numbers; one of each function in turn, or any."""
        self._numbers = iter(numbers)
        together([lambda: self._client(every)] * CLIENTS)

    def _client(self, every: bool) -> None:
        functions = self._site.server.client("lambda")
        while (number := self._draw(self._numbers)) is not None:
            with self._drawing:
                subject = self._subjects[number % FUNCTIONS] if every else self._chance.choice(self._subjects)
                dice, kind = self._chance.random(), self._kind(subject)
                change = self._chance.choice(["code", "configuration", "function"])
            if dice < CHANGES and subject.changing.acquire(blocking=False):
                with_lock(subject, functions, change)
            self._call(functions, subject, kind, number)
        functions.close()

    def _draw(self, source: Iterator[Any]) -> Any:
        with self._drawing:
            return next(source, None)

    def _kind(self, subject: Subject) -> str:
        if subject.brief:
            return "hang" if self._chance.random() < 0.03 else "answer"
        return self._chance.choice(self._kinds)

    def _call(self, functions: Any, subject: Subject, what: str, number: int) -> None:
        sure, deletions, absent = subject.sure, subject.deletions, subject.absent
        event = {"number": number, "what": what, "size": BIG}
        try:
            answer = functions.invoke(FunctionName=subject.name, Payload=json.dumps(event))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
            assert absent or deletions != subject.deletions, f"{subject.name} was there all the time"
            return
        self.ran[number] = subject.name
        payload, request = json.loads(answer["Payload"].read()), answer["ResponseMetadata"]["RequestId"]
        if what in ERRORS:
            assert answer.get("FunctionError") == "Unhandled", (what, payload)
            check_error(payload, what, name=subject.name, number=number, request=request)
            return
        assert "FunctionError" not in answer, (what, payload)
        check_answer(payload, subject, sure, number=number, name=subject.name, request=request)
        assert payload["filler"] == len(payload["content"]) == (BIG if what == "big" else 0)


def with_lock(subject: Subject, functions: Any, what: str) -> None:
    """Change a function whose lock is held, and release that."""
    try:
        subject.change(functions, what)
    finally:
        subject.changing.release()


def check_answer(payload: dict[str, Any], subject: Subject, sure: dict[str, int], **own: Any) -> None:
    """The answer is that of this call, from a generation that may have been in force meanwhile."""
    assert {key: payload[key] for key in own} == own
    for kind, least in sure.items():
        assert least <= payload[kind] <= subject.possible[kind], (kind, payload[kind], least, subject.possible)


def check_error(payload: dict[str, Any], what: str, **own: Any) -> None:
    """The error is the one that was asked for, of this call."""
    kind, message = ERRORS[what]
    assert re.fullmatch(kind, payload["errorType"]), payload
    escaped = {key: re.escape(str(value)) for key, value in own.items()}
    assert re.fullmatch(message.format(**escaped), payload["errorMessage"]), payload


def logged(site: Premises, pattern: str) -> Iterator[tuple[str, str]]:
    """The function and the message of every log event that matches."""
    logs = site.server.client("logs")
    for number in range(FUNCTIONS):
        name = f"soak-{number}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        for page in pages:
            yield from ((name, event["message"]) for event in page["events"] if re.match(pattern, event["message"]))
    logs.close()


@pytest.mark.slow
@pytest.mark.timeout(300 + INVOCATIONS // 10)
def test_faults_and_changes_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    with premises(tmp_path, environment_idle_s=IDLE_S) as site:
        soak = Soak(site, seed=3)
        soak.create()
        soak.run(range(2 * FUNCTIONS), every=True)
        before, resident = site.let_go(), site.resident_mb()
        soak.run(range(2 * FUNCTIONS, 2 * FUNCTIONS + INVOCATIONS))
        assert site.let_go() == before
        grown = site.resident_mb() - resident
        print(f"memory: {resident:.1f} MB, grown by {grown:.1f} MB after {INVOCATIONS} invocations")
        assert grown < GROWTH_MB
        runs = Counter((name, int(message.split()[1])) for name, message in logged(site, r"ran \d+\n?$"))
        assert runs == Counter({(name, number): 1 for number, name in soak.ran.items()})
