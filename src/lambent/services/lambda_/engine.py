"""What Lambda asks of the invocation engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.squad import Bounds


class Provisioned(Protocol):
    """How far the engine is with environments that are wanted ready."""

    @property
    def requested(self) -> int:
        """How many are wanted."""

    @property
    def available(self) -> int:
        """How many of them are initialised and free."""

    @property
    def allocated(self) -> int:
        """How many of them are initialised."""

    @property
    def status(self) -> Literal["IN_PROGRESS", "READY", "FAILED"]:
        """AWS's word for it."""

    @property
    def reason(self) -> str | None:
        """Why it failed."""


class Engine(Protocol):
    """`compute.engine.Engine`, as far as Lambda uses it."""

    @property
    def closing(self) -> bool:
        """Whether the server stops: what fails from then on says nothing about a function."""

    def invoke(self, function: FunctionVersion, invocation: Invocation) -> Awaitable[Outcome]:
        """Run `function` once. Raises AwsError where it takes no more."""

    async def prepare(self, code_sha256: str) -> None:
        """Unpack the zip with that sha256 (hex). Raises AwsError for one that AWS would refuse."""

    async def prune(self) -> None:
        """Remove the unpacked code of zips whose blobs are gone."""

    async def refusal(self, runtime: str) -> str | None:
        """Why this machine cannot run functions of `runtime`; None where it can."""

    async def snapshot(self, function: FunctionVersion) -> None:
        """Initialise `function` and keep what its environments start from. Raises AwsError where it does not
        initialise; the code is then one of AWS's StateReasonCodes, as `FunctionError.InitTimeout`."""

    def field(self, function: FunctionVersion, bounds: Bounds) -> None:
        """Have environments of `function`, which is on managed instances, within `bounds` from now on."""

    def withdraw(self, function: FunctionVersion) -> None:
        """Have none of that version any more."""

    async def complete(self, function: FunctionVersion) -> bool:
        """Wait until as many of them are there as are wanted at least; False where none are wanted any more. Raises
        AwsError with one of AWS's StateReasonCodes for a code."""

    def retire(self, function_arn: str, version: str | None = None, keep: str | None = None) -> None:
        """Let no invocation that comes from now on meet an environment of `function_arn` (unqualified), or of that
        version of it, as it was; those of the revision `keep` stay."""

    def reserve(self, function_arn: str, executions: int | None) -> None:
        """Give `function_arn` (unqualified) that many executions of its own, and no more; None where it has none."""

    def provision(self, function: FunctionVersion, count: int) -> None:
        """Have `count` environments of `function` initialised at any time from now on."""

    def deprovision(self, function: FunctionVersion) -> None:
        """Have none ready any more."""

    def provisioned(self, function: FunctionVersion) -> Provisioned | None:
        """How far it is; None where nothing is wanted."""
