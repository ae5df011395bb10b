"""Events on a clock that a test moves, with functions that the test plays itself."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import queue
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.admission import too_many
from lambent.compute.engine import Engine
from lambent.compute.function import Outcome
from lambent.kernel.clock import VirtualClock, settle
from lambent.services import lambda_
from lambent.services.lambda_.queue import attempts
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.services.lambda_.records.events import Event
    from lambent.store.api import Transaction
    from tests.conftest import Server

PATIENCE_S = 30


class Run:
    """An invocation that the test answers in the function's place."""

    def __init__(self, function: FunctionVersion, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        self.function = function
        self.invocation = invocation
        self.event: Any = json.loads(invocation.payload)
        self.over = threading.Event()
        """Set when the server has stored what came of it."""
        self._answer = answer

    def returns(self, value: Any = None) -> None:
        """Succeed."""
        self.answers(Outcome(payload=json.dumps(value).encode()))

    def raises(self, message: str = "broken") -> None:
        """Fail."""
        payload = json.dumps({"errorMessage": message, "errorType": "Broken"}).encode()
        self.answers(Outcome(payload=payload, error="Unhandled"))

    def is_refused(self, reason: str = "ReservedFunctionConcurrentInvocationLimitExceeded") -> None:
        """Run nothing, because that would be one too many."""
        self.answers(too_many(reason))

    def answers(self, outcome: Outcome | Exception) -> None:
        """Answer with whatever an engine may, or with a bug of it."""
        give = self._answer.set_exception if isinstance(outcome, Exception) else self._answer.set_result
        self._answer.get_loop().call_soon_threadsafe(give, outcome)
        assert self.over.wait(PATIENCE_S)


class PuppetEngine(Engine):
    """Hands every invocation to the test."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.runs: queue.Queue[Run] = queue.Queue()
        self.under_way: dict[str, Run] = {}

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        run = self.under_way[invocation.request_id] = Run(function, invocation, answer)
        self.runs.put(run)
        return await answer


class SinkEngine(PuppetEngine):
    """Hands the test what the function `sink` is invoked with, and runs all others."""

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        if function.name == "sink":
            return await super().invoke(function, invocation)
        return await Engine.invoke(self, function, invocation)


class WatchedDispatcher(attempts.Dispatcher):
    """Tells a run when what came of it is stored."""

    async def run(self) -> None:
        await self._parts.queue.run(self._attempt)

    async def _attempt(self, event: Event) -> Any:
        under_way: dict[str, Run] = self._parts.engine.under_way  # type: ignore[attr-defined]
        try:
            return await attempts.attempt(self._parts, event)
        finally:
            run = under_way.pop(event.envelope.request_id, None)
            if run is not None:
                run.over.set()


class Stage:
    """A server whose Lambda service lives by a clock that stands still."""

    def __init__(self, server: Server, clock: VirtualClock) -> None:
        self.server = server
        self.client = server.client("lambda")
        self.parts: Any = next(service.parts for service in server.app.services if service.name == "lambda")
        self._clock = clock

    def create(self, name: str, **members: Any) -> str:
        """A function; returns its ARN."""
        arn: str = create(self.client, name, **members)["FunctionArn"]
        return arn

    def send(self, name: str, event: Any = None, **members: Any) -> str:
        """Invoke a function asynchronously; returns the id of the request."""
        answer = self.client.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode(), **members
        )
        assert answer["StatusCode"] == 202
        request_id: str = answer["ResponseMetadata"]["RequestId"]
        return request_id

    def configure(self, name: str = "f", **members: Any) -> None:
        """Configure the asynchronous invocation of a function."""
        self.client.put_function_event_invoke_config(FunctionName=name, **members)

    def told(self) -> dict[str, Any]:
        """The record of an event that the function `sink` gets next."""
        run = self.run()
        assert run.function.name == "sink"
        record: dict[str, Any] = run.event
        run.returns()
        return record

    def run(self) -> Run:
        """The next invocation."""
        run: Run = self.parts.engine.runs.get(timeout=PATIENCE_S)
        return run

    def quiet(self) -> None:
        """Return when everything that can happen now has happened, and assert that nothing more is run."""
        self.server.run(self._rest)
        assert self.parts.engine.runs.empty()

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, and let happen what is due by then."""
        self.server.run(partial(self._pass, seconds))

    def count(self, table: str = "lambda_event") -> int:
        """How many rows there are."""

        def work(tx: Transaction) -> int:
            row = tx.one(f"SELECT COUNT(*) FROM {table}")
            assert row is not None
            return int(row[0])

        found: int = self.server.run(lambda: self.parts.store.read(work))
        return found

    async def _pass(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        await self._rest()
        while (due := self._next_timer()) is not None and due <= end:
            await self._clock.advance(due - self._clock.monotonic())
            await self._rest()
        await self._clock.advance(end - self._clock.monotonic())
        await self._rest()

    def _next_timer(self) -> float | None:
        due = [at for at, _, timer in self._clock._timers if timer.callback is not None]
        return min(due, default=None)

    async def _rest(self) -> None:
        """The store is read on other threads, which this loop does not run."""
        events = self.parts.queue
        while events._readers or events._window.running > len(self.parts.engine.under_way):
            await settle()
        await settle()


def answer(runs: list[Run]) -> None:
    """Let all of them succeed."""
    for run in runs:
        run.returns()


@contextmanager
def stage(folder: Path, clock: VirtualClock, engine: type[Engine] = PuppetEngine, **settings: Any) -> Iterator[Stage]:
    """A server in `folder`; a second one there goes on where the first one was."""
    build = lambda_.build
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(lambda_, "build", lambda parts: build(dataclasses.replace(parts, clock=clock)))
            patched.setattr(lambda_, "Dispatcher", WatchedDispatcher)
            patched.setattr("lambent.app.Engine", engine)
            server = stack.enter_context(serving(settings_for(folder, **settings)))
        yield Stage(server, clock)
