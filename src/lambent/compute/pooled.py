"""What the pool asks of an environment, and of whoever makes one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.state import State
    from lambent.kernel.errors import AwsError

Kind = Literal["on-demand", "provisioned-concurrency", "snap-start", "lambda-managed-instances"]
"""How an environment came to be: the values of AWS_LAMBDA_INITIALIZATION_TYPE."""


class Pooled(Protocol):
    """An environment as the pool sees it. What becomes of it is told to its `Owner`."""

    idle_since: float
    """When it came to rest, in seconds of the monotonic clock. The pool's to set."""
    retired: bool
    """Whether it must not take another invocation. The environment's to set; the pool stops it then."""

    @property
    def state(self) -> State:
        """Where it is in its life."""

    @property
    def function(self) -> FunctionVersion:
        """What it runs."""

    @property
    def expires(self) -> float:
        """When its credentials end, in seconds since the epoch."""

    @property
    def initialised(self) -> bool:
        """Whether INIT has succeeded; where not, the first invocation repeats it."""

    def start(self) -> None:
        """Begin INIT. Never raises; the owner is told `ready` or `failed`, which may happen before this returns."""

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Run `invocation` and resolve `answer`. The environment is idle.

        The pool calls this from within `ready` and `finished` too, so an environment tells these as the last thing
        that it does in a turn.
        """

    def stop(self) -> None:
        """End it, and tell `gone` once nothing is left; an invocation in progress ends with it. Harmless twice."""


class Owner(Protocol):
    """The pool as an environment sees it. All of it is called on the event loop."""

    def ready(self, environment: Pooled) -> None:
        """INIT is over, or has failed and is repeated within the first invocation: it takes one now."""

    def failed(self, environment: Pooled, error: AwsError | OSError) -> None:
        """Nothing could be started, and nothing is left of the environment."""

    def settling(self, environment: Pooled) -> None:
        """The invocation is answered, and is over as soon as everybody within is done; `finished` follows."""

    def finished(self, environment: Pooled) -> None:
        """The invocation is over; `environment.state` says whether it can take another."""

    def gone(self, environment: Pooled) -> None:
        """Nothing of the environment is left. An invocation that was in progress has been told `finished` before."""


Maker = Callable[["FunctionVersion", Owner, Kind], Awaitable[Pooled]]
"""Builds an environment that is still to be started. Raises AwsError or OSError where that cannot be done."""
