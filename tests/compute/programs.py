"""Runtimes and extensions that tests write in a few lines, and an engine of any sandbox level that runs them."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from lambent.compute.environment import Environment
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import levels
from lambent.compute.sandbox.jail import refusal
from lambent.compute.sandbox.process import ProcessSandbox
from lambent.kernel import limits
from tests.compute.workshop import RUNTIME, Workshop

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from lambent.compute.function import FunctionVersion
    from lambent.compute.sandbox.api import Sandbox

WALLED = "jail" if os.geteuid() == 0 else "userns"
LEVELS = ["process", WALLED]

PYTHON = f"#!/usr/bin/env -S python3.{sys.version_info.minor} -S -u\n"

# Runs the program that the test has written in place of the managed runtime's own client: so it speaks HTTP.
WRAPPER = """#!/bin/sh
exec "$1" -S -u "$LAMBDA_TASK_ROOT/runtime.py"
"""

API = """
import json, os, socket, sys, time

class Api:
    def __init__(self):
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.file = self.socket.makefile("rb")

    def send(self, method, path, headers={}, body=b""):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: sandbox"]
        lines += ["%s: %s" % item for item in headers.items()]
        self.socket.sendall(("\\r\\n".join(lines) + "\\r\\n\\r\\n").encode() + body)

    def answer(self):
        status = int(self.file.readline().split()[1])
        headers = {}
        while True:
            name, _, value = self.file.readline().decode("latin-1").partition(":")
            if not name.strip():
                break
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def call(self, method, path, headers={}, body=b""):
        self.send(method, path, {"Content-Length": len(body), **headers}, body)
        return self.answer()

class Runtime(Api):
    ROOT = "/2018-06-01/runtime/"

    def next(self):
        status, self.headers, body = self.call("GET", self.ROOT + "invocation/next")
        assert status == 200, body
        self.id = self.headers["lambda-runtime-aws-request-id"]
        return json.loads(body)

    def post(self, what, value, headers={}, id=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, _, answer = self.call("POST", self.ROOT + "invocation/%s/%s" % (id or self.id, what), headers, body)
        return [status, json.loads(answer)]

    def init_error(self, kind, message):
        body = json.dumps({"errorType": kind, "errorMessage": message, "stackTrace": []}).encode()
        headers = {"Lambda-Runtime-Function-Error-Type": kind}
        return self.call("POST", self.ROOT + "init/error", headers, body)[0]

    def begin_stream(self, headers={}):
        self.send("POST", self.ROOT + "invocation/%s/response" % self.id, {
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            **headers,
        })

    def chunk(self, data):
        self.socket.sendall(b"%x\\r\\n%s\\r\\n" % (len(data), data))

    def end_stream(self, trailers={}):
        lines = "".join("%s: %s\\r\\n" % item for item in trailers.items())
        self.socket.sendall(("0\\r\\n" + lines + "\\r\\n").encode())
        return self.answer()

class Extension(Api):
    ROOT = "/2020-01-01/extension/"

    def __init__(self, name, *events, headers={}):
        Api.__init__(self)
        body = json.dumps({"events": events}).encode()
        given = {"Lambda-Extension-Name": name, **headers}
        self.status, found, answer = self.call("POST", self.ROOT + "register", given, body)
        self.registered = json.loads(answer)
        self.id = found.get("lambda-extension-identifier", "")

    def own(self, method, path, headers={}, body=b""):
        return self.call(method, path, {"Lambda-Extension-Identifier": self.id, **headers}, body)

    def next(self):
        status, _, body = self.own("GET", self.ROOT + "event/next")
        assert status == 200, body
        return json.loads(body)

    def error(self, phase, kind, value=b""):
        headers = {"Lambda-Extension-Function-Error-Type": kind}
        return self.own("POST", self.ROOT + phase + "/error", headers, value)[0]
"""

# The head of an extension: what it needs lies in the layer as well.
EXTENSION = f"""{PYTHON}import sys
sys.path.insert(0, sys.argv[0].rpartition("/extensions/")[0] + "/python")
from api import *
NAME = sys.argv[0].rpartition("/")[2]
"""


def executables(files: dict[str, str | bytes], plain: dict[str, str | bytes] | None = None) -> bytes:
    """A zip of `files`, which may be executed, and of `plain` ones, which may not."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for chosen, mode in ((files, 0o755), (plain or {}, 0o644)):
            for name, content in chosen.items():
                entry = zipfile.ZipInfo(name)
                entry.create_system = 3
                entry.external_attr = mode << 16
                archive.writestr(entry, content)
    return data.getvalue()


class Gate:
    """Something that a function waits at until the test opens it: a named pipe in its own package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)  # it is read-only, which holds up everybody but root
        os.mkfifo(folder / "gate")
        (folder / "gate").chmod(0o666)
        self._descriptor = os.open(folder / "gate", os.O_RDWR | os.O_NONBLOCK)

    def open(self, times: int = 1) -> None:
        """Let somebody through who reads one byte."""
        os.write(self._descriptor, b"." * times)

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)


# How a function waits at its gate.
WAIT = """
def wait():
    gate = os.open(os.environ["LAMBDA_TASK_ROOT"] + "/gate", os.O_RDONLY)
    assert os.read(gate, 1)
    os.close(gate)
"""


class Yard(Workshop):
    """A workshop of any level, for functions that bring their own runtimes and extensions."""

    def __init__(self, folder: Path, level: str, **settings: Any) -> None:
        self.level = level
        self._gates: list[Gate] = []
        self._open = True
        folder.chmod(0o755)  # others must get through to the code
        super().__init__(folder, **settings)

    def new_sandbox(self, folder: Path) -> Sandbox:
        if self.level == "process":
            return ProcessSandbox(folder / "cells")
        (folder / "code").mkdir(parents=True, exist_ok=True)
        level: levels.Walled = "jail" if self.level == "jail" else "userns"
        return levels.walled(level, self.settings, folder, self.clock, self.ids, self.supervisor)

    async def refusal(self) -> str | None:
        """Why this level cannot be used here."""
        if self.level == "process":
            return None
        sandbox = self.new_sandbox(self.folder / "trial")
        try:
            return await refusal(sandbox, Runtime("provided.al2023", "al2023"))  # type: ignore[arg-type]
        finally:
            await sandbox.close()

    def custom(self, bootstrap: str, **fields: Any) -> FunctionVersion:
        """A function of a custom runtime: a shell script."""
        code = self.blobs.put(executables({"bootstrap": bootstrap}))
        return self.function({}, **{"runtime": "provided.al2023", "code_sha256": code, **fields})

    def speaking_http(
        self, runtime: str, files: dict[str, str | bytes] | None = None, **fields: Any
    ) -> FunctionVersion:
        """A function whose runtime is a Python program: `api` is a `Runtime` that has not asked for anything."""
        source = f"from api import *\n{WAIT}\napi = Runtime()\n{runtime}"
        plain: dict[str, str | bytes] = {"runtime.py": source, "api.py": API, **(files or {})}
        code = self.blobs.put(executables({"wrapper": WRAPPER}, plain))
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper", **fields.pop("variables", {})}
        return self.function({}, **{"code_sha256": code, "variables": variables, **fields})

    def answering(self, handler: str, **fields: Any) -> FunctionVersion:
        """The same that answers each `event` with what the body of a function makes of it."""
        body = "\n".join(f"    {line}" for line in handler.strip().splitlines())
        program = f"def handle(event):\n{body}\nwhile True:\n    api.post('response', handle(api.next()))"
        return self.speaking_http(program, **fields)

    def layer(self, extensions: dict[str, str], **more: str) -> str:
        """The digest of a layer with external extensions, by their names, written in Python. Others in `more` are taken
        as they are."""
        files: dict[str, str | bytes] = {
            f"extensions/{name}": EXTENSION + source for name, source in extensions.items()
        }
        files |= {f"extensions/{name}": text for name, text in more.items()}
        return self.blobs.put(executables(files, {"python/api.py": API}))

    async def gate(self, function: FunctionVersion) -> Gate:
        """The gate of `function`; it is open to nobody yet."""
        await self.engine.prepare(function.code_sha256)
        (folder,) = (self.folder / "engine" / "code").glob(f"*/{function.code_sha256}")
        gate = Gate(folder)
        self._gates.append(gate)
        return gate

    def lines(self, pattern: str) -> list[str]:
        """The log messages that contain what a regular expression finds, without their newlines."""
        return [message.rstrip("\n") for message in self.facts.messages if re.search(pattern, message)]

    async def close(self) -> None:
        """End everything; harmless twice."""
        if self._open:
            self._open = False
            await super().close()
            for gate in self._gates:
                gate.close()


def departures(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[Environment]:
    """Where every environment turns up that is gone from now on; none is frozen, who is frozen cannot crash."""
    monkeypatch.setattr(limits, "FREEZE_AFTER_S", 60)
    queue: asyncio.Queue[Environment] = asyncio.Queue()
    told = Environment.gone

    def gone(environment: Environment) -> None:
        told(environment)
        queue.put_nowait(environment)

    monkeypatch.setattr(Environment, "gone", gone)
    return queue


__all__ = [
    "API",
    "EXTENSION",
    "LEVELS",
    "PYTHON",
    "RUNTIME",
    "WALLED",
    "WRAPPER",
    "Gate",
    "Yard",
    "departures",
    "executables",
]
