"""Initialising a function version once, to know that it can be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from lambent.compute.environment import Environment
    from lambent.compute.pooled import Kind, Owner, Pooled

_CODES = {"timeout": "FunctionError.InitTimeout", "Runtime.InvalidEntrypoint": "FunctionError.InvalidEntryPoint"}
"""AWS's StateReasonCodes: https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html"""


class Rehearsal:
    """The owner of one environment that nobody invokes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()

    async def run(self, make: Callable[[Owner, Kind], Coroutine[Any, Any, Environment]]) -> None:
        """Make an environment, initialise it and let it go. Raises AwsError with a StateReasonCode where it fails."""
        environment = await make(self, "snap-start")
        environment.start()
        await self._ready
        problem = environment.init_problem
        environment.stop()
        await self._gone
        if problem is not None:
            code = _CODES.get(problem, "FunctionError")
            raise AwsError(code, f"The function could not be initialised: {problem}.")

    def ready(self, environment: Pooled) -> None:  # noqa: ARG002 an owner's shape
        self._ready.set_result(None)

    def failed(self, environment: Pooled, error: AwsError | OSError) -> None:  # noqa: ARG002 an owner's shape
        self._ready.set_exception(AwsError("InternalError", f"Nothing could be started: {error}"))

    def finished(self, environment: Pooled) -> None:
        raise AssertionError(f"nobody has invoked {environment.function.name}")

    def gone(self, environment: Pooled) -> None:  # noqa: ARG002 an owner's shape
        self._gone.set_result(None)
