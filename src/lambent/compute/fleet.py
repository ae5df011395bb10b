"""The environments on managed instances, and who gets which: they scale by how busy they are, not by who arrives.

A version has at least and at most so many environments. An invocation goes to the one with the most room; where none
has any it is refused, and where there is none yet it waits for the first. When more than half of all workers are taken,
another environment is started, as long as the version, its capacity provider and this machine have room for it; one
that has not been needed for a while is stopped.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from lambent.compute import unable
from lambent.compute.admission import too_many
from lambent.compute.group import key
from lambent.compute.snapshots import reason
from lambent.compute.squad import Squad
from lambent.compute.streaming import forsaken
from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.group import Key
    from lambent.compute.managed import ManagedEnvironment, Owner
    from lambent.compute.squad import Bounds
    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor

    Maker = Callable[[FunctionVersion, Owner], Awaitable[ManagedEnvironment]]

log = logging.getLogger(__name__)


class Fleet:
    """The `Owner` of all of them. Made and used on a running event loop.

    `make` builds an environment that is still to be started. `vcpus` is what this machine has for all of them together;
    for one environment of each version there is always room. `idle_s` is how long one is kept that is not needed,
    `margin_s` how long before the end of its credentials one is replaced.
    """

    def __init__(
        self, make: Maker, clock: Clock, supervisor: Supervisor, *, vcpus: float, idle_s: float, margin_s: float
    ) -> None:
        self._make = make
        self._clock = clock
        self._supervisor = supervisor
        self._vcpus = vcpus
        self._idle_s = idle_s
        self._margin_s = margin_s
        self._squads: dict[Key, Squad] = {}
        self._living: set[Squad] = set()
        """All of them, those that are leaving included."""
        self._homes: dict[ManagedEnvironment, Squad] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._changed = asyncio.Event()

    @property
    def size(self) -> int:
        """Environments that live."""
        return len(self._homes)

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """Run `invocation` in an environment of `function`. Raises AwsError where none has room, or there is none."""
        squad = self._squad(function)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        environment = squad.roomiest()
        if environment is not None:
            environment.begin(invocation, answer)
            squad.busy(self._clock.monotonic())
        else:
            self._queue(squad, invocation, answer)
        self._scale(squad)
        try:
            return await answer
        except asyncio.CancelledError:
            forsaken(answer)
            raise
        finally:
            squad.waiting.pop(answer, None)

    def field(self, function: FunctionVersion, bounds: Bounds) -> None:
        """Have environments of `function` within `bounds` from now on, and none of what its version was before. Raises
        AwsError where the fleet is closing."""
        if self._closing:
            raise unable.closing()
        for other in self._of_version(function):
            if other.key != key(function):
                self._disband(other)
        squad = self._squads.get(key(function))
        if squad is None:
            squad = self._squads[key(function)] = Squad(function, bounds)
            self._living.add(squad)
        squad.bounds = bounds
        if not bounds.most:
            squad.refuse(_deactivated())
        self._shed(squad)
        if len(squad.serving) >= bounds.least:
            squad.settled.set()
        self._scale(squad)
        self._look_for_spare(squad)

    def withdraw(self, function: FunctionVersion) -> None:
        """Have none any more; what runs comes to its end."""
        for squad in self._of_version(function):
            self._disband(squad)

    async def complete(self, function: FunctionVersion) -> bool:
        """Wait until as many environments of `function` are there as are wanted at least; False where none are wanted
        any more. Raises AwsError, its code one of AWS's StateReasonCodes, where one cannot be initialised."""
        squad = self._squads.get(key(function))
        if squad is None:
            return False
        if squad.vcpus * squad.bounds.least > squad.bounds.provider_vcpus:
            raise _no_capacity()
        await squad.settled.wait()
        if squad.leaving:
            return False
        if squad.problem is not None:
            raise squad.problem
        return True

    async def close(self) -> None:
        """Stop everything and wait until nothing is left."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for squad in list(self._squads.values()):
            self._disband(squad)
        for environment in list(self._homes):
            environment.stop()
        while self._homes or self._tasks:
            self._changed.clear()
            await self._changed.wait()

    # What environments tell.

    def ready(self, environment: ManagedEnvironment) -> None:
        squad = self._homes[environment]
        squad.succeeded()
        if not environment.retired:
            lasting = self._lasting(environment) - limits.PROVISION_RENEW_S
            self._plan_renewal(squad, environment, max(lasting, limits.PROVISION_RETRY_MAX_S))
        self._serve(squad)
        self._scale(squad)
        self._look_for_spare(squad)  # it may have come for bounds that are others by now

    def finished(self, environment: ManagedEnvironment) -> None:
        squad = self._homes[environment]
        self._serve(squad)
        self._look_for_spare(squad)

    def worn(self, environment: ManagedEnvironment) -> None:
        environment.retire()
        self._scale(self._homes[environment])

    def gone(self, environment: ManagedEnvironment) -> None:
        squad = self._homes.pop(environment)
        squad.lost(environment)
        if environment.init_problem is not None:
            self._failed(squad, environment.init_problem)
        for each in (squad, *self._squads.values()):
            self._scale(each)  # there is room again
        self._forget(squad)

    def _squad(self, function: FunctionVersion) -> Squad:
        squad = self._squads.get(key(function))
        if squad is None or not squad.bounds.most:
            raise _deactivated()
        return squad

    def _of_version(self, function: FunctionVersion) -> list[Squad]:
        return [squad for squad in self._squads.values() if squad.key[:4] == key(function)[:4]]

    def _queue(self, squad: Squad, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Let a call wait for the first environment. Raises AwsError where there is one, or no place to wait."""
        assert squad.function.managed is not None
        if squad.serving or len(squad.waiting) >= squad.function.managed.concurrency:
            raise too_many("ConcurrentInvocationLimitExceeded")
        if squad.pause is not None:
            raise _no_environment(squad)
        squad.waiting[answer] = invocation

    def _serve(self, squad: Squad) -> None:
        """Give room to who waits."""
        while squad.waiting and (environment := squad.roomiest()) is not None:
            answer, invocation = squad.waiting.popitem(last=False)
            if not answer.done():
                environment.begin(invocation, answer)

    def _scale(self, squad: Squad) -> None:
        """Start what is lacking, as far as there is room."""
        while not self._closing and squad.wants_more and self._has_room(squad):
            squad.coming += 1
            task = self._supervisor.start(f"start {squad.function.name}", self._bring_up(squad))
            self._tasks.add(task)
            task.add_done_callback(partial(self._brought_up, squad))
        if squad.wants_more and squad.whole:
            squad.settled.set()  # for room nobody waits: others may take it for as long as they are there

    def _has_room(self, squad: Squad) -> bool:
        """Whether another environment fits on the machine and on what its capacity provider may take of it. One that
        is about to end is none that a version has."""
        if not squad.staying and not squad.coming:
            return True
        taken = sum(each.size * each.vcpus for each in self._living)
        provided = sum(each.size * each.vcpus for each in self._living if each.provider == squad.provider)
        return taken + squad.vcpus <= self._vcpus and provided + squad.vcpus <= squad.bounds.provider_vcpus

    async def _bring_up(self, squad: Squad) -> None:
        try:
            environment = await self._make(squad.function, self)
        except (AwsError, OSError) as error:
            log.warning("no environment of %s could be started: %s", squad.function.arn, error)
            self._failed(squad, error.code if isinstance(error, AwsError) else "Runtime.ExitError")
            return
        self._homes[environment] = squad
        squad.members.add(environment)
        environment.start()
        if squad.leaving:
            environment.stop()
        self._shed(squad)

    def _brought_up(self, squad: Squad, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        squad.coming -= 1
        if not task.cancelled() and task.exception() is not None:  # a bug, and nobody is to wait because of it
            self._failed(squad, "Runtime.ExitError")
        self._forget(squad)

    def _failed(self, squad: Squad, problem: str) -> None:
        """One could not be had: say so, and try again after a while that grows each time."""
        pause = squad.failed(AwsError(reason(problem), f"The function could not be initialised: {problem}."))
        if not squad.serving:
            squad.refuse(_no_environment(squad))
        if not squad.leaving and squad.pause is None:
            squad.pause = self._clock.call_later(pause, partial(self._resume, squad))

    def _resume(self, squad: Squad) -> None:
        squad.pause = None
        self._scale(squad)

    def _lasting(self, environment: ManagedEnvironment) -> float:
        """For how many seconds its credentials are good."""
        return environment.expires - self._clock.time() - self._margin_s

    def _plan_renewal(self, squad: Squad, environment: ManagedEnvironment, pause: float) -> None:
        squad.renewals[environment] = self._clock.call_later(pause, partial(self._renew, squad, environment))

    def _renew(self, squad: Squad, environment: ManagedEnvironment) -> None:
        """The credentials end soon: another takes the place of `environment`, which ends when it is done. As long as
        there is time it is one after the other, for those that have come together would go together."""
        del squad.renewals[environment]
        left = self._lasting(environment)
        if left > 0 and (squad.surplus < 0 or not squad.whole):
            self._plan_renewal(squad, environment, min(left, limits.PROVISION_RETRY_MIN_S))
            return
        environment.retire()
        self._scale(squad)

    def _look_for_spare(self, squad: Squad) -> None:
        """Look in a while whether one is idle and too many, as long as there may be one."""
        if squad.sweep is None and squad.surplus > 0 and not squad.leaving:
            squad.sweep = self._clock.call_later(self._idle_s, partial(self._shrink, squad))

    def _shrink(self, squad: Squad) -> None:
        squad.sweep = None
        if (spare := squad.spare(self._clock.monotonic(), self._idle_s)) is not None:
            spare.retire()
        self._look_for_spare(squad)

    def _shed(self, squad: Squad) -> None:
        """Let those end that are more than there may be, the least busy ones, as soon as they are done."""
        surplus = len(squad.staying) - squad.bounds.most
        for environment in sorted(squad.staying, key=lambda member: member.running)[: max(0, surplus)]:
            environment.retire()

    def _disband(self, squad: Squad) -> None:
        """Let nobody meet its environments any more, which end when they are done."""
        self._squads.pop(squad.key, None)
        squad.leave()
        squad.refuse(unable.closing() if self._closing else _no_environment(squad))
        squad.settled.set()
        for environment in list(squad.members):
            environment.retire()
        self._forget(squad)

    def _forget(self, squad: Squad) -> None:
        if squad.leaving and not squad.size:
            self._living.discard(squad)
        self._changed.set()


def _no_capacity() -> AwsError:
    """What is wanted at least is more than the capacity provider may have. These words are reported by users of AWS."""
    return AwsError(
        "CapacityProviderScalingLimitExceeded",
        "MinimumExecutionEnvironments can't be provisioned because CapacityProvider has reached maxVCpuCount limit. "
        "Increase maxVCpuCount in the CapacityProvider configuration and try again.",
    )


def _deactivated() -> AwsError:
    """The version may have no environments, or has none."""
    return AwsError("ResourceNotReadyException", "The function version has no environments.", Type="User")


def _no_environment(squad: Squad) -> AwsError:
    problem = "" if squad.problem is None else f" {squad.problem.message}"
    return AwsError("ServiceException", f"There is no environment of the function version.{problem}", Type="Service")
