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
POPULAR = 20
"""The functions to which every other call goes, so that several clients meet in one and find it warm."""
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
        HOARD.extend(bytearray(16 << 20) for _ in range(64))
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
"""What only control groups keep a function from."""
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
        self._changing = threading.Lock()
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
        """Give it new code or a new configuration, or replace it by another, unless somebody is at it already."""
        if self._changing.acquire(blocking=False):
            try:
                self._replace(functions) if what == "function" else self._update(functions, what)
            finally:
                self._changing.release()

    def _replace(self, functions: Any) -> None:
        self.deletions += 1
        self.absent = True
        functions.delete_function(FunctionName=self.name)
        self.create(functions)

    def _update(self, functions: Any, what: str) -> None:
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
        self._kinds = ANSWERED + FAILED + (HELD if site.holds_memory else ())
        self._subjects = [Subject(f"soak-{number}", brief=number % 10 == 0) for number in range(FUNCTIONS)]
        self._numbers = iter(())
        self._drawing = threading.Lock()
        self.ran: dict[int, str] = {}
        """The calls that have reached their function, and which that was."""
        self.requests: set[str] = set()
        """Their ids."""

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
                subject = self._subjects[number % FUNCTIONS] if every else self._subject()
                what, change = self._kind(subject), self._change()
            if change is not None:
                subject.change(functions, change)
            self._call(functions, subject, what, number)
        functions.close()

    def _draw(self, source: Iterator[Any]) -> Any:
        with self._drawing:
            return next(source, None)

    def _subject(self) -> Subject:
        popular = self._chance.random() < 0.5
        return self._chance.choice(self._subjects[:POPULAR] if popular else self._subjects)

    def _change(self) -> str | None:
        return self._chance.choice(["code", "configuration", "function"]) if self._chance.random() < CHANGES else None

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
        payload, request = json.loads(answer["Payload"].read()), answer["ResponseMetadata"]["RequestId"]
        self.ran[number] = subject.name
        self.requests.add(request)
        if what in ERRORS:
            assert answer.get("FunctionError") == "Unhandled", (what, payload)
            check_error(payload, what, name=subject.name, number=number, request=request)
            return
        assert "FunctionError" not in answer, (what, payload)
        check_answer(payload, subject, sure, number=number, name=subject.name, request=request)
        assert payload["filler"] == len(payload["content"]) == (BIG if what == "big" else 0)


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


def check_log(site: Premises, soak: Soak) -> None:
    """Every call that reached a function ran there once, and has the lines of one invocation in its log."""
    runs: Counter[tuple[str, int]] = Counter()
    lines: Counter[tuple[str, str]] = Counter()
    for name, message in logged(site):
        if found := re.fullmatch(r"ran (\d+)\n?", message):
            runs[name, int(found[1])] += 1
        elif found := re.match(r"(START|END|REPORT) RequestId: (\S+)", message):
            lines[found[1], found[2]] += 1
    assert runs == Counter({(name, number): 1 for number, name in soak.ran.items()})
    assert lines == Counter({(kind, request): 1 for kind in ("START", "END", "REPORT") for request in soak.requests})


def logged(site: Premises) -> Iterator[tuple[str, str]]:
    """The function and the message of every log event."""
    logs = site.server.client("logs")
    for number in range(FUNCTIONS):
        name = f"soak-{number}"
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}"):
            yield from ((name, event["message"]) for event in page["events"])
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
        assert not site.let_go().beyond(before)
        grown = site.resident_mb() - resident
        print(f"memory: {resident:.1f} MB, grown by {grown:.1f} MB after {INVOCATIONS} invocations")
        assert grown < GROWTH_MB
        check_log(site, soak)
