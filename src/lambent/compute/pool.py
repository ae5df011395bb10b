"""The live environments, and who gets which: never more invocations at once than the limit, never fewer.

Invariants: an environment serves one invocation at a time; while requests of a version wait, at least as many of its
environments are starting; an environment is retired between invocations, never within one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from lambent.compute.environment import Environment, State
from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.compute.environment import Kind, Owner
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.tasks import Supervisor

    Maker = Callable[[FunctionVersion, Owner, Kind], Awaitable[Environment]]

log = logging.getLogger(__name__)

Key = tuple[str, str, str, str, str]


class _Group:
    """The environments and the waiting requests of one function version and revision."""

    def __init__(self, function: FunctionVersion) -> None:
        self.key = _key(function)
        self.function_arn = function.arn
        self.version = function.version
        self.waiting: deque[asyncio.Future[Environment]] = deque()
        self.planned = 0
        """Environments that are being built and have no process yet."""
        self.members: set[Environment] = set()
        self.unready: set[Environment] = set()
        """Members in INIT."""
        self.idle: list[Environment] = []
        """Members that wait, the most recently used last."""

    @property
    def starting(self) -> int:
        return self.planned + len(self.unready)


class Pool:
    """Hands every invocation an environment. `make` builds one that is still to be started."""

    def __init__(
        self, make: Maker, clock: Clock, supervisor: Supervisor, concurrency: int, idle_s: float, margin_s: float
    ) -> None:
        self._make = make
        self._clock = clock
        self._supervisor = supervisor
        self._concurrency = concurrency
        self._idle_s = idle_s
        self._margin_s = margin_s
        self._groups: dict[Key, _Group] = {}
        self._running = 0
        self._size = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._sweep: Timer | None = None
        self._closing = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def running(self) -> int:
        """Invocations in progress, waiting ones included."""
        return self._running

    @property
    def size(self) -> int:
        """Environments that live."""
        return self._size

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """Run `invocation` in an environment of `function`. Raises AwsError over the limit, or what `make` raised.

        A caller that is cancelled gives up its place in the queue; an invocation that has begun runs on without it.
        """
        if self._running >= self._concurrency:
            raise _too_many()
        self._running += 1
        environment = self._take_idle(function)
        if environment is None:
            try:
                environment = await self._wait_for_one(function)
            except BaseException:
                self._running -= 1
                raise
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        environment.begin(invocation, answer)
        return await answer

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """Stop the environments of the function, or of that version of it, as they are now: idle ones at once, others
        after their invocation."""
        for group in [group for group in self._groups.values() if group.function_arn == function_arn]:
            if version not in (None, group.version):
                continue
            for environment in group.members:
                environment.retired = True
            for environment in _emptied(group.idle):
                environment.stop()

    async def close(self) -> None:
        """Stop everything and wait until nothing is left."""
        self._closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        for task in self._starts:
            task.cancel()
        for group in list(self._groups.values()):
            while group.waiting:
                _resolve(group.waiting.popleft(), _closing())
            for environment in list(group.members):
                environment.stop()
        while self._groups or self._starts:
            self._changed.clear()
            await self._changed.wait()

    def ready(self, environment: Environment) -> None:
        group = self._groups[_key(environment.plan.function)]
        group.unready.discard(environment)
        self._offer(group, environment, environment.initialised and self._usable(environment))

    def finished(self, environment: Environment) -> None:
        self._running -= 1
        if environment.state is not State.IDLE:
            return
        if self._usable(environment):
            self._offer(self._groups[_key(environment.plan.function)], environment, worth_keeping=True)
        else:
            environment.stop()

    def failed(self, environment: Environment, problem: OSError) -> None:
        group = self._groups[_key(environment.plan.function)]
        group.members.discard(environment)
        group.unready.discard(environment)
        group.planned += 1
        log.warning("no environment of %s could be started: %s", environment.function.arn, problem)
        self._refuse(group, _no_room())

    def gone(self, environment: Environment) -> None:
        group = self._groups[_key(environment.plan.function)]
        group.members.discard(environment)
        group.unready.discard(environment)
        if environment in group.idle:
            group.idle.remove(environment)
        self._size -= 1
        self._forget(group)

    async def _wait_for_one(self, function: FunctionVersion) -> Environment:
        """An idle environment once one is free. It may have died while its taker was being woken."""
        while True:
            if self._closing:
                raise _closing()
            environment = self._take_idle(function) or await self._queue(function)
            if environment.state is State.IDLE:
                return environment

    def _take_idle(self, function: FunctionVersion) -> Environment | None:
        group = self._groups.get(_key(function))
        while group is not None and group.idle:
            environment = group.idle.pop()
            if self._usable(environment):
                return environment
            environment.stop()
        return None

    async def _queue(self, function: FunctionVersion) -> Environment:
        key = _key(function)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(function)
        waiter: asyncio.Future[Environment] = self._loop.create_future()
        group.waiting.append(waiter)
        if group.starting < len(group.waiting):
            self._start(group, function)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._give_up(group, waiter)
            raise

    def _give_up(self, group: _Group, waiter: asyncio.Future[Environment]) -> None:
        """A waiting caller is gone; what it has been handed already goes to the next."""
        if waiter in group.waiting:
            group.waiting.remove(waiter)
        elif not waiter.cancelled() and waiter.exception() is None and waiter.result().state is State.IDLE:
            self._offer(group, waiter.result(), worth_keeping=self._usable(waiter.result()))

    def _offer(self, group: _Group, environment: Environment, worth_keeping: bool) -> None:
        """Give a free environment to who waits longest, or else keep it for later."""
        while group.waiting:
            if _resolve(group.waiting.popleft(), environment):
                return
        if not worth_keeping or self._closing:
            environment.stop()
            return
        environment.idle_since = self._clock.monotonic()
        group.idle.append(environment)
        if self._sweep is None:
            self._sweep = self._clock.call_later(self._idle_s, self._retire_idle)

    def _usable(self, environment: Environment) -> bool:
        return not environment.retired and environment.plan.expires - self._clock.time() > self._margin_s

    def _start(self, group: _Group, function: FunctionVersion) -> None:
        if self._size >= self._concurrency:
            self._make_room()
        group.planned += 1
        self._size += 1
        task = self._supervisor.start(f"start {function.name}", self._bring_up(group, function))
        self._starts.add(task)
        task.add_done_callback(lambda task: self._brought_up(group, task))

    async def _bring_up(self, group: _Group, function: FunctionVersion) -> None:
        try:
            environment = await self._make(function, self, "on-demand")
            environment.start()
        except AwsError as error:
            self._refuse(group, error)
        except OSError as error:
            log.warning("no environment of %s could be started: %s", function.arn, error)
            self._refuse(group, _no_room())
        else:
            group.planned -= 1
            group.members.add(environment)
            group.unready.add(environment)

    def _brought_up(self, group: _Group, task: asyncio.Task[None]) -> None:
        self._starts.discard(task)
        if task.cancelled():
            self._refuse(group, _closing())
        elif (failure := task.exception()) is not None:
            self._refuse(group, failure)
        self._changed.set()

    def _refuse(self, group: _Group, failure: BaseException) -> None:
        """An environment could not be built: that is the answer to one request, if one still waits for it."""
        group.planned -= 1
        self._size -= 1
        while len(group.waiting) > group.starting and not _resolve(group.waiting.popleft(), failure):
            continue
        self._forget(group)

    def _make_room(self) -> None:
        """Stop the environment that has been idle longest, whosever it is."""
        oldest = min((group.idle[0] for group in self._groups.values() if group.idle), key=_idle_since, default=None)
        if oldest is not None:
            self._groups[_key(oldest.plan.function)].idle.pop(0)
            oldest.stop()

    def _retire_idle(self) -> None:
        """Stop what has been idle for too long, and come again when the next is due, but not at every instant."""
        self._sweep = None
        due = self._clock.monotonic() - self._idle_s
        for group in list(self._groups.values()):
            while group.idle and group.idle[0].idle_since <= due:
                group.idle.pop(0).stop()
        oldest = min((group.idle[0].idle_since for group in self._groups.values() if group.idle), default=None)
        if oldest is not None:
            self._sweep = self._clock.call_later(max(oldest - due, limits.IDLE_SWEEP_S), self._retire_idle)

    def _forget(self, group: _Group) -> None:
        if not (group.members or group.planned or group.waiting):
            self._groups.pop(group.key, None)
        self._changed.set()


def _key(function: FunctionVersion) -> Key:
    return function.account, function.region, function.name, function.version, function.revision


def _idle_since(environment: Environment) -> float:
    return environment.idle_since


def _emptied(environments: list[Environment]) -> list[Environment]:
    taken = environments[:]
    environments.clear()
    return taken


def _resolve(waiter: asyncio.Future[Environment], answer: Environment | BaseException) -> bool:
    """Answer a waiting request; False where it has been given up."""
    if waiter.done():
        return False
    if isinstance(answer, BaseException):
        waiter.set_exception(answer)
    else:
        waiter.set_result(answer)
    return True


def _too_many() -> AwsError:
    return AwsError(
        "TooManyRequestsException", "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User"
    )


def _no_room() -> AwsError:
    return AwsError("ServiceException", "This machine cannot start another environment now.", Type="Service")


def _closing() -> AwsError:
    return AwsError("ServiceException", "The server is stopping.", Type="Service")
