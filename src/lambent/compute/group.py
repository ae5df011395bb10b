"""The environments and the waiting requests of one function version, revision and tenant, and what is provisioned."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.admission import Share
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.keepalive import Rhythm
    from lambent.compute.pooled import Pooled
    from lambent.kernel.clock import Timer

Key = tuple[str, str, str, str, str, str | None]


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """How far provisioned concurrency has come.
    https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html"""

    requested: int
    available: int
    """Environments that have finished INIT, idle or not; AWS tells this number as allocated, too."""
    status: Literal["IN_PROGRESS", "READY", "FAILED"]
    reason: str | None
    """Why the last attempt failed, where that is the status."""

    @property
    def allocated(self) -> int:
        """As `available`."""
        return self.available


class Provision:
    """The provisioned environments of a group. Each is in one of `unready` and `ready`, idle ones in `idle` as well."""

    def __init__(self) -> None:
        self.requested = 0
        self.planned = 0
        """Environments that are being built and have no process yet."""
        self.unready: set[Pooled] = set()
        self.ready: dict[Pooled, Timer] = {}
        """Those that INIT has succeeded in, with the timer of their renewal."""
        self.leaving: set[Pooled] = set()
        """Those of `ready` whose credentials are about to end: they serve until their replacement does."""
        self.idle: dict[Pooled, None] = {}
        self.reached = False
        """Whether everything requested has been there at once."""
        self.reason: str | None = None
        self.pause: Timer | None = None
        """Runs while nothing is tried because the last attempt failed."""
        self._pause_s = limits.PROVISION_RETRY_MIN_S

    @property
    def coming(self) -> int:
        """How many are being built or in INIT."""
        return self.planned + len(self.unready)

    @property
    def lacking(self) -> int:
        """How many must still be started; negative where there are too many."""
        return self.requested - self.coming - len(self.ready) + len(self.leaving)

    @property
    def wants_start(self) -> bool:
        """Whether one is to be started now."""
        return self.lacking > 0 and self.pause is None

    def spares(self, environment: Pooled) -> bool:
        """Whether `environment` is one too many. Those that are leaving are the first to be."""
        surplus = len(self.ready) - self.requested
        if surplus <= 0 or environment not in self.ready:
            return False
        return environment in self.leaving or surplus > len(self.leaving)

    def request(self, environments: int) -> None:
        """Begin anew with another number of environments."""
        self.requested = environments
        self.reached = False
        self.succeeded()

    def succeeded(self) -> None:
        """INIT has succeeded: whatever was wrong is over."""
        self.reason = None
        self._pause_s = limits.PROVISION_RETRY_MIN_S
        self.resume()
        self.reached = self.reached or len(self.ready) >= self.requested > 0

    def resume(self) -> None:
        """Try again from now on."""
        if self.pause is not None:
            self.pause.cancel()
            self.pause = None

    def next_pause_s(self) -> float:
        """How long to wait after this failure; twice as long after the next."""
        pause = self._pause_s
        self._pause_s = min(2 * pause, limits.PROVISION_RETRY_MAX_S)
        return pause

    def drop(self, environment: Pooled) -> bool:
        """Count `environment` out; False where it is not counted."""
        self.idle.pop(environment, None)
        self.leaving.discard(environment)
        renewal = self.ready.pop(environment, None)
        if renewal is not None:
            renewal.cancel()
            return True
        known = environment in self.unready
        self.unready.discard(environment)
        return known

    def allocation(self) -> Allocation:
        """How far it has come. A replacement that is under way leaves READY what has been READY once."""
        status: Literal["IN_PROGRESS", "READY", "FAILED"] = "READY" if self.reached else "IN_PROGRESS"
        return Allocation(
            requested=self.requested,
            available=min(len(self.ready), self.requested),
            status=status if self.reason is None else "FAILED",
            reason=self.reason,
        )


class Group:
    """One function version and revision, for one tenant where the function has tenants. A group that is retired serves
    who waits in it already, and nobody else."""

    def __init__(self, function: FunctionVersion, tenant: str | None, share: Share, rhythm: Rhythm) -> None:
        self.function = function
        self.tenant = tenant
        self.key = key(function, tenant)
        self.function_arn = function.arn
        self.share = share
        self.rhythm = rhythm
        self.retired = False
        self.waiting: OrderedDict[asyncio.Future[Outcome], Invocation] = OrderedDict()
        """The requests for which no environment is free, who came first in front, by where their outcome goes."""
        self.ordered = 0
        """Starts that the scaling rate has granted and whose turn has not come."""
        self.planned = 0
        """Environments that are being built and have no process yet."""
        self.members: set[Pooled] = set()
        """Every environment that lives, provisioned ones included."""
        self.unready: set[Pooled] = set()
        """On-demand members in INIT."""
        self.settling: set[Pooled] = set()
        """Members that are expected to be free in a moment."""
        self.patience: Timer | None = None
        """Runs while somebody waits for one of these in place of a start."""
        self.idle: dict[Pooled, None] = {}
        """On-demand members that wait, the most recently used last."""
        self.provision = Provision()

    @property
    def lacking(self) -> int:
        """How many more requests wait than environments are coming or about to be free."""
        return len(self.waiting) - self.ordered - self.planned - len(self.unready) - len(self.settling)

    @property
    def patient(self) -> list[asyncio.Future[Outcome]]:
        """Who waits and can do so for longer; empty where the one that has waited longest cannot."""
        longest = next(iter(self.waiting.values()), None)
        if longest is None or not longest.patient:
            return []
        return [answer for answer, invocation in self.waiting.items() if invocation.patient]

    @property
    def size(self) -> int:
        """Environments that live, are being built or will be."""
        return len(self.members) + self.ordered + self.planned + self.provision.planned

    @property
    def wants_start(self) -> bool:
        """Whether an environment of either kind is to be started now."""
        return self.ordered > 0 or self.provision.wants_start

    @property
    def blank(self) -> bool:
        """Whether nothing would be lost with it."""
        busy = self.members or self.planned or self.waiting or self.provision.planned
        return not (busy or self.provision.requested)


def key(function: FunctionVersion, tenant: str | None = None) -> Key:
    """What makes the environments for two invocations the same to the pool."""
    return function.account, function.region, function.name, function.version, function.revision, tenant
