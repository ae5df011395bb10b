"""A server that halts wherever something becomes durable: `python -m tests.stories.crashes.halting FOLDER [WORD]`.

It is the whole program, put together as `lambent up` puts it together, with a store and blobs that ask a gate before
and after each step. What it is told comes on its standard input, a word a line, or on the command line for the first
step on; what it tells leaves by its standard output. A halted server that is killed, or stopped and copied, leaves what
SIGKILL leaves at that very step.

    hold        hold calls at their next step, and workers at theirs
    step        let the calls that are held go on to their next step
    trace       let everything go on; at each step the whole process stops itself until SIGCONT
    free        hold nothing any more
    sweep       remove the packages that nothing names and nobody has needed for a while
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import uvloop

import lambent.app
from lambent.app import App
from lambent.compute.engine import Engine
from lambent.compute.function import Outcome
from lambent.kernel.settings import Settings
from lambent.services import iam, lambda_, logs
from lambent.store import blobs
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.compute.squad import Bounds
    from lambent.kernel.call import Call, Request, Response
    from lambent.kernel.service import Operation, Service

CALLER: ContextVar[str] = ContextVar("caller", default="")
"""The account whose call has begun what runs; empty for what workers have begun."""


AWAITED = "logs.flush"
"""The one worker that calls wait for."""

ENDS = "index.ends"
"""The handler of durable functions whose first invocation is the end of the execution."""


def tell(*words: str) -> None:
    """Write one line to whoever has started this."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def _worker() -> str:
    task = asyncio.current_task()
    return "" if task is None else task.get_name()


class Gate:
    """Where calls and workers are held."""

    def __init__(self) -> None:
        self._holding = False
        self._tracing = False
        self._calls: list[asyncio.Future[None]] = []
        self._workers: list[asyncio.Future[None]] = []

    async def step(self, name: str) -> None:
        """What has been done so far is durable, and what comes next is not begun."""
        if self._holding and _worker() != AWAITED:
            held = asyncio.get_running_loop().create_future()
            caller = CALLER.get()
            (self._calls if caller else self._workers).append(held)
            if caller:
                tell("held", caller, name)
            await held
        elif self._tracing:
            tell("stopped", name)
            os.kill(os.getpid(), signal.SIGSTOP)

    def obey(self, word: str) -> None:
        """Do as the line says."""
        self._holding = word in ("hold", "step")
        self._tracing = word == "trace"
        released, self._calls = self._calls, []
        if not self._holding:
            released += self._workers
            self._workers = []
        for held in released:
            held.set_result(None)


GATE = Gate()


class HaltingStore(SqliteStore):
    """The store, with a step before each commit and one before its answer."""

    async def write(self, work: Callable[[Any], Any]) -> Any:
        await GATE.step("before a commit")
        try:
            return await super().write(work)
        finally:
            await GATE.step("after a commit")


def halting(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same with a step before each change that a blob makes of the disk."""

    @functools.wraps(step)
    async def halted(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if work.__qualname__.startswith(("_Incoming.", "Blobs._finish", "Blobs._sweep")):
            await GATE.step(f"before {work.__qualname__}")
        return await step(work, *args, **options)

    return halted


class StageEngine(Engine):
    """Runs functions, but for durable ones, whose invocations end at once or never; instances and snapshots are ready
    as soon as they are wanted."""

    async def refusal(self, runtime: str) -> str | None:
        return None

    async def snapshot(self, function: FunctionVersion) -> None:
        """There is none, so nothing starts from it."""

    def field(self, function: FunctionVersion, bounds: Bounds) -> None:
        """There are no instances."""

    def withdraw(self, function: FunctionVersion) -> None:
        """There are no instances."""

    async def complete(self, function: FunctionVersion) -> bool:
        return True

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        tell("ran", function.arn)
        if not function.durable:
            return await super().invoke(function, invocation)
        if function.handler == ENDS:
            return Outcome(payload=b'{"Status": "SUCCEEDED", "Result": "1"}')
        event = msgspec.json.decode(invocation.payload)
        tell("turn", event["DurableExecutionArn"], event["CheckpointToken"])
        return await never()


async def never() -> NoReturn:
    """Wait for the end of the process."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody sets that future")


def marked(service: Service) -> Service:
    """The service, whose operations are known for calls in all that they begin."""

    def mark(operation: Operation) -> Operation:
        @functools.wraps(operation)
        async def called(call: Call[Any], request: Request) -> Response | None:
            CALLER.set(call.account)
            return await operation(call, request)

        return called

    return msgspec.structs.replace(service, operations=tuple(mark(one) for one in service.operations))


def listen(loop: asyncio.AbstractEventLoop, obey: Callable[[str], None]) -> None:
    """Hand over each line that comes; after the last, whoever has started this is gone."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(obey, line.strip())
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: str) -> None:
    """Serve until killed."""
    async with App.running(Settings(port=0, data=folder, sandbox="process")) as app:
        [parts] = [service for service in app.services if service.name == "lambda"]
        sweeper: Any = parts.workers["code-sweeper"]

        async def sweep() -> None:
            await sweeper.sweep()
            tell("swept")

        def obey(word: str) -> None:
            if word == "sweep":
                tasks.add(asyncio.get_running_loop().create_task(sweep()))
            else:
                GATE.obey(word)

        tasks: set[asyncio.Task[None]] = set()
        threading.Thread(target=listen, args=(asyncio.get_running_loop(), obey), daemon=True).start()
        tell("ready", app.endpoint)
        await never()


def build() -> None:
    """Put the stand-ins where the composition root looks for them."""
    patched: Any = lambent.app
    patched.SqliteStore, patched.Engine = HaltingStore, StageEngine
    steps: Any = blobs
    steps._step = halting(steps._step)
    for module in (iam, lambda_, logs):
        made: Any = module
        made.build = functools.partial(lambda make, parts: marked(make(parts)), module.build)


if __name__ == "__main__":
    build()
    for word in sys.argv[2:]:
        GATE.obey(word)
    uvloop.run(main(sys.argv[1]))
