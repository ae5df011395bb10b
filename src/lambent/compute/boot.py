"""How an environment comes to be, by INIT or from a snapshot: what it is built from, and what the log is told of it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from lambent.compute.extensions.api import Extension
    from lambent.compute.function import FunctionVersion
    from lambent.compute.journal import Journal
    from lambent.compute.occupancy import Household
    from lambent.compute.pooled import Kind
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.events import Phase, Status
    from lambent.kernel.clock import Clock

Origin = Literal["init", "snapshot", "restore"]
"""How an environment comes to be: by INIT; by an INIT after which it is a snapshot, and never invoked; or from one."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is built from."""

    function: FunctionVersion
    kind: Kind
    origin: Origin
    cell: Callable[[], Awaitable[Cell]]
    """A new cell for it."""
    household: Callable[[Cell], Household]
    """Who moves into a cell of its."""
    credentials: Callable[[str], bytes | None]
    """As `runtime_api.Host.credentials`."""
    expires: float
    """When its credentials end, in seconds since the epoch."""

    @property
    def init_limit_s(self) -> float:
        """How long INIT may take before any invocation.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
        """
        if self.origin == "restore":
            return limits.RESTORE_S
        if self.kind == "on-demand":
            return limits.INIT_S
        return max(limits.INIT_AHEAD_S, float(self.function.timeout_s))


class Boot:
    """The INITs of one environment, one after the other, as its journal is told of them. A restore counts as one."""

    def __init__(self, origin: Origin, journal: Journal, clock: Clock) -> None:
        self._restores = origin == "restore"
        self._phase: Phase = "snap-start" if origin == "snapshot" else "init"
        self._journal = journal
        self._clock = clock
        self._began = 0.0
        self._runtime_told = False
        self.under_way = False
        """Whether INIT has begun and is not over."""
        self.took_ms: float | None = None
        """What the INIT took that came before any invocation."""

    def begin(self, *, invoked: bool) -> None:
        """INIT begins; `invoked` where it is repeated within an invocation."""
        self.under_way, self._runtime_told = True, False
        self._began = self._clock.monotonic()
        if invoked:
            self._phase = "invoke"
        if self._restores:
            self._journal.restore_start()
        else:
            self._journal.init_start(self._phase)

    def runtime_done(self, status: Status, error_type: str | None) -> None:
        """Once for each INIT: when the runtime asks for an event, or when INIT has failed before that."""
        if self._runtime_told:
            return
        self._runtime_told = True
        if self._restores:
            self._journal.restore_runtime_done(status, error_type)
        else:
            self._journal.init_runtime_done(self._phase, status, error_type)

    def done(
        self, status: Status, error_type: str | None, extensions: Iterable[Extension], *, runtime_started: bool
    ) -> None:
        """INIT is over, for `extensions` as well. Of a runtime that was never started AWS tells nothing."""
        self.under_way = False
        if runtime_started:
            self.runtime_done(status, error_type)
        for extension in extensions:
            self._journal.extension(extension.name, extension.state, extension.events, extension.error_type)
        took_ms = (self._clock.monotonic() - self._began) * 1000
        if self._phase != "invoke" and status == "success":
            self.took_ms = took_ms
        if self._restores:
            self._journal.restore_report(took_ms, status, error_type)
        else:
            self._journal.init_report(self._phase, took_ms, status, error_type)


def restore_failure(status: Status) -> AwsError:
    """What cannot be restored is not initialised either: the invocation is refused.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
    """
    if status == "timeout":
        kind, problem = "SnapStartTimeoutException", "The snapshot was not restored within the time limit."
    else:
        kind, problem = "SnapStartException", "The snapshot was not restored: see the function's log."
    return AwsError(kind, problem, Type="User")
