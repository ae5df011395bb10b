"""SnapStart: function versions that are initialised once, and whose environments are branches of that one.

A snapshot is an environment that nobody invokes. After INIT its runtime has parked, and its cell branches; where it
could not, the version has none, and its environments initialise themselves.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.group import key
from lambent.kernel import limits
from lambent.kernel.arn import arn
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.compute.environment import Environment
    from lambent.compute.function import FunctionVersion
    from lambent.compute.group import Key
    from lambent.compute.household import Furniture
    from lambent.compute.pooled import Owner, Pooled
    from lambent.compute.sandbox.api import Cell
    from lambent.kernel.tasks import Supervisor

log = logging.getLogger(__name__)

_CODES = {"timeout": "FunctionError.InitTimeout", "Runtime.InvalidEntrypoint": "FunctionError.InvalidEntryPoint"}
"""AWS's StateReasonCodes: https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html"""


class Prepared(msgspec.Struct, frozen=True, eq=False):
    """An environment that is still to be started, and what its branches need."""

    environment: Environment
    cell: Cell
    furniture: Furniture


class Snapshot:
    """One snapshot, from before its INIT to its end; the owner of its environment. `gone` is called once nothing is
    left of it."""

    def __init__(self, function: FunctionVersion, gone: Callable[[Snapshot], None]) -> None:
        self.function = function
        self._told_gone = gone
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._prepared: Prepared | None = None
        self._branches = 0
        self._released = False

    @property
    def furniture(self) -> Furniture:
        """Who lives in it."""
        assert self._prepared is not None
        return self._prepared.furniture

    async def take(self, make: Callable[[Owner], Awaitable[Prepared]]) -> bool:
        """Make an environment and initialise it. False where it cannot branch, and is gone. Raises AwsError with a
        StateReasonCode where INIT fails, or what `make` raises."""
        try:
            self._prepared = await make(self)
        except BaseException:
            self._told_gone(self)
            raise
        environment = self._prepared.environment
        environment.start()
        self._look_for_end()
        await self._ready
        if environment.parked:
            return True
        problem = environment.init_problem
        self.release()
        await self._gone
        if problem is not None:
            raise AwsError(reason(problem), f"The function could not be initialised: {problem}.")
        return False

    async def branch(self) -> Cell:
        """A cell for an environment that is restored. Raises OSError."""
        assert self._prepared is not None
        self._branches += 1
        try:
            return await self._prepared.cell.branch(self._branch_gone)
        except BaseException:
            self._branch_gone()
            raise

    def release(self) -> None:
        """End it once its last branch is gone. Harmless twice."""
        self._released = True
        self._look_for_end()

    def ready(self, environment: Pooled) -> None:  # noqa: ARG002 an owner's shape
        if not self._ready.done():
            self._ready.set_result(None)

    def failed(self, environment: Pooled, error: AwsError | OSError) -> None:
        if not self._ready.done():
            self._ready.set_exception(AwsError("InternalError", f"Nothing could be started: {error}"))
        self.gone(environment)

    def settling(self, environment: Pooled) -> None:
        raise AssertionError(f"nobody has invoked {environment.function.name}")

    def finished(self, environment: Pooled) -> None:
        raise AssertionError(f"nobody has invoked {environment.function.name}")

    def gone(self, environment: Pooled) -> None:
        self.ready(environment)
        self._gone.set_result(None)
        self._told_gone(self)

    def _branch_gone(self) -> None:
        self._branches -= 1
        self._look_for_end()

    def _look_for_end(self) -> None:
        if self._released and not self._branches and self._prepared is not None:
            self._prepared.environment.stop()


class Snapshots:
    """Those of an engine, by function version and revision: at most SNAPSHOTS, the most recently used ones. One that is
    missing (the server was started anew, or it has died) is made when the next environment is wanted."""

    def __init__(self, make: Callable[[FunctionVersion, Owner], Awaitable[Prepared]], supervisor: Supervisor) -> None:
        self._make = make
        self._supervisor = supervisor
        self._known: dict[Key, asyncio.Task[Snapshot | AwsError | None]] = {}
        """The least recently used first. A result of None stands for a version that cannot have one."""
        self._living: set[Snapshot] = set()
        self._closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    async def find(self, function: FunctionVersion) -> Snapshot | None:
        """The one of `function`, made now where there is none; None where it cannot have one. Raises AwsError with a
        StateReasonCode where it cannot be initialised."""
        task = self._known.pop(key(function), None) or self._begin(function)
        self._known[key(function)] = task
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            self._forget(function, task)
            raise result
        return result

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """Let no environment be made any more from those of `function_arn` (unqualified), or of that version of it."""
        for known in [each for each in self._known if _belongs(each, function_arn, version)]:
            self._drop(known)

    async def close(self) -> None:
        """End them all, and wait until nothing is left of them. Their branches are gone."""
        self._closing = True
        for known in list(self._known):
            self._drop(known)
        for snapshot in list(self._living):
            snapshot.release()
        await self._empty.wait()

    def _begin(self, function: FunctionVersion) -> asyncio.Task[Snapshot | AwsError | None]:
        while len(self._known) >= limits.SNAPSHOTS:
            self._drop(next(iter(self._known)))
        return self._supervisor.start(f"snapshot {function.name}", self._take(function))

    async def _take(self, function: FunctionVersion) -> Snapshot | AwsError | None:
        if self._closing:
            return AwsError("ServiceException", "The server is stopping.", Type="Service")
        snapshot = Snapshot(function, self._gone)
        self._living.add(snapshot)
        self._empty.clear()
        try:
            return snapshot if await snapshot.take(lambda owner: self._make(function, owner)) else None
        except AwsError as error:
            return error
        except OSError as error:
            return AwsError("InternalError", f"Nothing could be started: {error}")

    def _gone(self, snapshot: Snapshot) -> None:
        """Of a snapshot. One that was in use has died."""
        self._living.discard(snapshot)
        if not self._living:
            self._empty.set()
        task = self._known.get(key(snapshot.function))
        if task is not None and task.done() and not task.cancelled() and task.result() is snapshot:
            log.warning("the snapshot of %s:%s has ended", snapshot.function.arn, snapshot.function.version)
            del self._known[key(snapshot.function)]

    def _forget(self, function: FunctionVersion, task: asyncio.Task[Snapshot | AwsError | None]) -> None:
        if self._known.get(key(function)) is task:
            del self._known[key(function)]

    def _drop(self, known: Key) -> None:
        self._known.pop(known).add_done_callback(_release)


def _belongs(known: Key, function_arn: str, version: str | None) -> bool:
    account, region, name, number, _, _ = known
    return arn("lambda", region, account, f"function:{name}") == function_arn and version in (None, number)


def _release(task: asyncio.Task[Snapshot | AwsError | None]) -> None:
    """It is not wanted any more, as soon as it is made."""
    if not task.cancelled() and isinstance(snapshot := task.result(), Snapshot):
        snapshot.release()


def reason(problem: str) -> str:
    """The StateReasonCode for an INIT that has failed with the error type `problem`, or by `timeout`."""
    return _CODES.get(problem, "FunctionError")
