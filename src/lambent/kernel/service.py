"""What a service is to the rest of the program: its operations, its workers and its tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from lambent.kernel.call import Call, Request, Response

Operation = Callable[[Call[Any], Request], Awaitable[Response | None]]
"""`async def create_function(call, request)`: named like the AWS operation in snake case, as botocore's clients
name their methods. It runs one transaction and knows nothing of HTTP."""


class Worker(Protocol):
    """A background loop of a service; it is kept running until the server stops."""

    async def run(self) -> None:
        """Work until cancelled."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One AWS service on one screen."""

    name: str
    """botocore's name of the service: `lambda`, `logs`, `iam`."""
    operations: tuple[Operation, ...]
    parts: object
    preparations: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What is done once, in order, before the first request is taken; where one raises, the server does not start."""
    workers: Mapping[str, Worker] = {}
    notes: Mapping[str, str] = {}
    """What operations that are built do not do yet, which the status page prints."""
    refused: Mapping[str, str] = {}
    """Operations that are refused on purpose, each with the reason that the status page prints."""
