"""Who may run: the counting behind concurrency limits, reservations and provisioned concurrency.

An account in a region runs at most `limit` invocations at once. A function with a reservation has that many of them for
itself and no more; all others share what is not reserved. Provisioned concurrency takes its units out of the one or the
other for one version alone, in use or not; what exceeds it spills over.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html

Everything is counted by invocations in progress, not by environments, so a unit of provisioned concurrency whose
environment is still starting can be used all the same.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lambent.compute.scale import ScalingRate
from lambent.kernel import limits
from lambent.kernel.arn import Arn
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambent.compute.function import FunctionVersion
    from lambent.kernel.clock import Clock


class _Allowance:
    """Units that invocations without a provisioned one compete for."""

    __slots__ = ("reason", "size", "used")

    def __init__(self, size: int, reason: str) -> None:
        self.size = size
        """Less than `used`, even negative, after a change of configuration; nothing is admitted then."""
        self.used = 0
        self.reason = reason


class _Account:
    """One account in one region."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.unreserved = _Allowance(limit, "ConcurrentInvocationLimitExceeded")
        self.functions: dict[str, _Function] = {}


class _Function:
    """All versions of one function."""

    def __init__(self, account: _Account, rate: ScalingRate) -> None:
        self.account = account
        self.rate = rate
        self.reserved: int | None = None
        self.own = _Allowance(0, "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.allowance = account.unreserved
        self.versions: dict[str, Share] = {}

    @property
    def provisioned(self) -> int:
        return sum(share.provisioned for share in self.versions.values())

    @property
    def running(self) -> int:
        return sum(share.running for share in self.versions.values())

    @property
    def spilled(self) -> int:
        return sum(max(0, share.running - share.provisioned) for share in self.versions.values())

    @property
    def blank(self) -> bool:
        return self.reserved is None and not self.versions and self.rate.full

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Count anew which units are whose, for what is configured in the block. All other functions stay counted."""
        shared = self.account.unreserved
        shared.size += self._claimed
        if self.reserved is None:
            shared.used -= self.spilled
        yield
        shared.size -= self._claimed
        self.allowance = shared if self.reserved is None else self.own
        self.own.size = (self.reserved or 0) - self.provisioned
        self.own.used = self.spilled
        if self.reserved is None:
            shared.used += self.spilled

    @property
    def _claimed(self) -> int:
        """What it takes away from all others, in use or not."""
        return self.provisioned if self.reserved is None else self.reserved


class Share:
    """What one version of a function may run. It lasts as long as somebody holds it or an invocation runs."""

    __slots__ = ("_account", "_function", "holders", "provisioned", "running")

    def __init__(self, account: _Account, function: _Function) -> None:
        self._account = account
        self._function = function
        self.running = 0
        """Invocations in progress, those that wait for an environment included."""
        self.provisioned = 0
        """Units for this version alone."""
        self.holders = 0

    @property
    def rate(self) -> ScalingRate:
        """How fast the function may grow."""
        return self._function.rate

    @property
    def blank(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.running or self.provisioned or self.holders)

    def admit(self) -> None:
        """Count an invocation in. Raises AwsError TooManyRequestsException where that would be one too many."""
        account = self._account
        if account.running >= account.limit:
            raise too_many("ConcurrentInvocationLimitExceeded")
        function = self._function
        if self.running >= self.provisioned:
            allowance = function.allowance
            if allowance.used >= allowance.size:
                raise too_many(allowance.reason)
            allowance.used += 1
        elif function.reserved is not None and function.running >= function.reserved:
            raise too_many(function.own.reason)
        account.running += 1
        self.running += 1

    def release(self) -> None:
        """Count an invocation out."""
        self._account.running -= 1
        self.running -= 1
        if self.running >= self.provisioned:
            self._function.allowance.used -= 1

    def provision(self, units: int) -> None:
        """Take `units` for this version alone, in place of what it had."""
        with self._function.changing():
            self.provisioned = units

    def house(self, environments: int) -> None:
        """Take leave to start one environment more for a tenant, where tenants of the function have so many, idle or
        not. Raises AwsError TooManyRequestsException where that would be one too many.

        https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-troubleshooting.html
        """
        function = self._function
        executions = self._account.limit if function.reserved is None else function.reserved
        if environments >= executions * limits.TENANT_ENVIRONMENTS_PER_EXECUTION:
            raise too_many(function.allowance.reason)

    def grow(self) -> None:
        """Take leave to start one environment more. Raises AwsError TooManyRequestsException over the scaling rate."""
        if not self._function.rate.take():
            reserved = "" if self._function.reserved is None else "Reserved"
            raise too_many(f"{reserved}FunctionInvocationRateLimitExceeded")


class Admission:
    """The books of all accounts and regions. Each may run `limit` invocations at once."""

    def __init__(self, clock: Clock, limit: int, scaling: int = limits.SCALING_ENVIRONMENTS) -> None:
        self._clock = clock
        self._limit = limit
        self._scaling = scaling
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._shares = 0
        self._tidy_at = limits.SHARES_COUNTED

    @property
    def running(self) -> int:
        """Invocations in progress, everywhere."""
        return sum(account.running for account in self._accounts.values())

    def share(self, version: FunctionVersion) -> Share:
        """The share of `version`, held once more: `drop` ends that."""
        function = self._function(version.account, version.region, version.arn)
        share = function.versions.get(version.version)
        if share is None:
            share = function.versions[version.version] = Share(function.account, function)
            self._shares += 1
        share.holders += 1
        return share

    def drop(self, share: Share) -> None:
        """Hold `share` no longer. Now and then, throw away what nobody holds and nothing is counted in."""
        share.holders -= 1
        if self._shares >= self._tidy_at:
            self._tidy()

    def reserve(self, function_arn: str, units: int | None) -> None:
        """Reserve `units` for the function with that unqualified ARN, 0 to let it run nothing, None to reserve nothing.

        Whether enough remains for the others is the caller's to check; invocations in progress go on.
        Raises ValueError where it is no ARN.
        """
        parsed = Arn.parse(function_arn)
        function = self._function(parsed.account, parsed.region, function_arn)
        with function.changing():
            function.reserved = units

    def _account(self, account: str, region: str) -> _Account:
        found = self._accounts.get((account, region))
        if found is None:
            found = self._accounts[account, region] = _Account(self._limit)
        return found

    def _function(self, account: str, region: str, function_arn: str) -> _Function:
        home = self._account(account, region)
        function = home.functions.get(function_arn)
        if function is None:
            rate = ScalingRate(self._clock, self._scaling, limits.SCALING_PERIOD_S)
            function = home.functions[function_arn] = _Function(home, rate)
        return function

    def _tidy(self) -> None:
        for account in self._accounts.values():
            for arn, function in list(account.functions.items()):
                function.versions = {name: share for name, share in function.versions.items() if not share.blank}
                if function.blank:
                    del account.functions[arn]
        functions = [function for account in self._accounts.values() for function in account.functions.values()]
        self._shares = sum(len(function.versions) for function in functions)
        self._tidy_at = max(limits.SHARES_COUNTED, 2 * self._shares)


def too_many(reason: str) -> AwsError:
    """AWS's answer to a throttled caller; `reason` is one of its `ThrottleReason`s.
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    return AwsError("TooManyRequestsException", "Rate Exceeded.", Reason=reason, Type="User")
