"""The road of sources: services whose queues and streams event source mappings name."""

from __future__ import annotations

from typing import Protocol

from lambent.kernel.arn import Arn


class Source(Protocol):
    """A service whose queues or streams can be read."""

    async def exists(self, arn: Arn) -> bool:
        """Whether there is such a queue or stream."""


class Sources:
    """The sources by the service in their ARN."""

    def __init__(self) -> None:
        self._by_service: dict[str, Source] = {}

    def register(self, service: str, source: Source) -> None:
        """Let `source` answer for every ARN of `service`."""
        if service in self._by_service:
            raise ValueError(f"{service} has a source already")
        self._by_service[service] = source

    async def exists(self, arn: str) -> bool | None:
        """Whether there is what `arn` names; None where no service answers for it. Raises ValueError for a bad ARN."""
        name = Arn.parse(arn)
        source = self._by_service.get(name.service)
        return None if source is None else await source.exists(name)
