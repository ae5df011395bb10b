"""The environments on managed instances of one function version and revision, and the calls that wait for the first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.group import key
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.managed import ManagedEnvironment
    from lambent.kernel.clock import Timer
    from lambent.kernel.errors import AwsError


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many environments a version may have."""

    least: int
    most: int
    provider_vcpus: float
    """What the environments of all versions on its capacity provider may take together."""


class Squad:
    """Keeps the books; what follows from them is the fleet's to do. One that is leaving takes nothing more."""

    def __init__(self, function: FunctionVersion, bounds: Bounds) -> None:
        assert function.managed is not None
        self.function = function
        self.key = key(function)
        self.provider = function.managed.provider
        self.vcpus = function.managed.vcpus
        self.bounds = bounds
        self.members: set[ManagedEnvironment] = set()
        """Every environment that lives, those in INIT and those that are ending included."""
        self.coming = 0
        """Those that are being built and have no process yet."""
        self.waiting: OrderedDict[asyncio.Future[Outcome], Invocation] = OrderedDict()
        """The calls that came while there was no environment, by where their outcome goes."""
        self.renewals: dict[ManagedEnvironment, Timer] = {}
        self.leaving = False
        self.settled = asyncio.Event()
        """Set when as many as are wanted at least, or there is room for, have been there, or one has failed to come."""
        self.problem: AwsError | None = None
        """Why the last one could not be had."""
        self.pause: Timer | None = None
        """Runs while nothing is tried because the last attempt failed."""
        self.sweep: Timer | None = None
        """Runs while there may be one too many."""
        self._pause_s = limits.PROVISION_RETRY_MIN_S
        self._busy_at = 0.0

    @property
    def size(self) -> int:
        """Environments that live or are being built."""
        return len(self.members) + self.coming

    @property
    def staying(self) -> list[ManagedEnvironment]:
        """The members that are not about to end."""
        return [member for member in self.members if not member.retired]

    @property
    def serving(self) -> list[ManagedEnvironment]:
        """Those of them that have been initialised."""
        return [member for member in self.staying if member.initialised]

    @property
    def whole(self) -> bool:
        """Whether there are some, and all of them serve."""
        return not self.coming and 0 < len(self.serving) == len(self.staying)

    @property
    def surplus(self) -> int:
        """How many more serve than are wanted at least."""
        return len(self.serving) - self.bounds.least

    @property
    def wants_more(self) -> bool:
        """Whether one is to be started now."""
        if self.leaving or self.pause is not None:
            return False
        expected = len(self.staying) + self.coming
        if expected < self.bounds.least:
            return True
        return expected < self.bounds.most and (self._saturated if expected else bool(self.waiting))

    def roomiest(self) -> ManagedEnvironment | None:
        """The one with the most room; None where none has any."""
        found = max(self.serving, key=lambda member: member.room, default=None)
        return None if found is None or not found.room else found

    def busy(self, now: float) -> None:
        """More than half of the workers that would do without its surplus are taken at `now`."""
        serving = self.serving
        assert self.function.managed is not None
        running = sum(member.running for member in serving)
        if running > limits.MANAGED_SATURATION * self.function.managed.concurrency * (len(serving) - 1):
            self._busy_at = now

    def spare(self, now: float, idle_s: float) -> ManagedEnvironment | None:
        """One that is idle and has not been needed for that long; None where there is none."""
        if self.surplus <= 0 or now - self._busy_at < idle_s:
            return None
        return next((member for member in self.serving if not member.running), None)

    def succeeded(self) -> None:
        """An environment has come."""
        self._pause_s = limits.PROVISION_RETRY_MIN_S
        self.problem = None
        if len(self.serving) >= self.bounds.least:
            self.settled.set()

    def failed(self, problem: AwsError) -> float:
        """One could not be had; how many seconds to wait before the next attempt, twice as many after the next."""
        self.problem = problem
        self.settled.set()
        pause = self._pause_s
        self._pause_s = min(2 * pause, limits.PROVISION_RETRY_MAX_S)
        return pause

    def refuse(self, error: AwsError) -> None:
        """Tell every call that waits that it waits in vain."""
        while self.waiting:
            answer, _ = self.waiting.popitem(last=False)
            if not answer.done():
                answer.set_exception(error)

    def lost(self, environment: ManagedEnvironment) -> None:
        """Count `environment` out."""
        self.members.discard(environment)
        if (renewal := self.renewals.pop(environment, None)) is not None:
            renewal.cancel()

    def leave(self) -> None:
        """Want nothing more."""
        self.leaving = True
        for timer in (self.pause, self.sweep, *self.renewals.values()):
            if timer is not None:
                timer.cancel()
        self.renewals.clear()

    @property
    def _saturated(self) -> bool:
        """Whether more than half of all workers are taken, and none is on its way."""
        if not self.whole:
            return False
        serving = self.serving
        assert self.function.managed is not None
        workers = len(serving) * self.function.managed.concurrency
        return sum(member.running for member in serving) > limits.MANAGED_SATURATION * workers
