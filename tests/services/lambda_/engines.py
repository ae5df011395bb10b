"""An engine that runs functions as the real one does, and writes down what it is told of capacity and snapshots."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.compute.engine import Engine
from tests.conftest import Server, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from lambent.compute.function import FunctionVersion
    from lambent.kernel.errors import AwsError

SNAPSHOT_RUNTIME = "python3.13"
"""A runtime that starts from snapshots, which this engine takes whether or not the machine has it."""


class Figures(msgspec.Struct, frozen=True):
    """How far environments are that are wanted ready."""

    requested: int
    available: int = 0
    allocated: int = 0
    status: Any = "IN_PROGRESS"
    reason: str | None = None


class RecordingEngine(Engine):
    """Provisions nothing and takes no snapshots; a test says what has come of them."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.reservations: dict[str, int] = {}
        self.figures: dict[tuple[str, str], Figures] = {}
        self.told: list[tuple[str, str, int]] = []
        self.snapshots: list[FunctionVersion] = []
        self.failure: AwsError | None = None
        self.may_snapshot: dict[str, asyncio.Event] = defaultdict(_set)

    async def refusal(self, runtime: str) -> str | None:
        return None if runtime in (SNAPSHOT_RUNTIME, "provided.al2023") else await super().refusal(runtime)

    def reserve(self, function_arn: str, executions: int | None) -> None:
        self.reservations.pop(function_arn, None)
        if executions is not None:
            self.reservations[function_arn] = executions

    def provision(self, function: FunctionVersion, count: int) -> None:
        self.told.append(("provision", function.version, count))
        self.figures[function.arn, function.version] = Figures(count)

    def deprovision(self, function: FunctionVersion) -> None:
        self.told.append(("deprovision", function.version, 0))
        del self.figures[function.arn, function.version]

    def provisioned(self, function: FunctionVersion) -> Figures | None:
        return self.figures.get((function.arn, function.version))

    async def snapshot(self, function: FunctionVersion) -> None:
        self.snapshots.append(function)
        await self.may_snapshot[function.name].wait()
        if self.failure is not None:
            raise self.failure


class Recording:
    """A server with such an engine."""

    def __init__(self, server: Server) -> None:
        self.server = server
        parts: Any = next(service.parts for service in server.app.services if service.name == "lambda")
        self.engine: RecordingEngine = parts.engine

    def hold(self, name: str) -> None:
        """Let no snapshot of the function `name` come to an end."""
        self.server.run(lambda: _call(self.engine.may_snapshot[name].clear))

    def let(self, name: str) -> None:
        """Let snapshots of the function `name` come to their end."""
        self.server.run(lambda: _call(self.engine.may_snapshot[name].set))


@contextmanager
def recording(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Recording]:
    """Run a server with a RecordingEngine until the block ends."""
    with monkeypatch.context() as patched:
        patched.setattr("lambent.app.Engine", RecordingEngine)
        with serving(settings_for(folder, **settings)) as server:
            yield Recording(server)


async def _call(what: Any) -> None:
    what()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
