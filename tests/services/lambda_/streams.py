"""A function that streams, written by the test that reads its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lambent.compute.function import FunctionVersion, Invocation, Outcome
from lambent.compute.streaming import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import pytest

    from tests.conftest import Server


class Function:
    """A function that streams, as far as the engine tells of it: the test writes in its place."""

    def __init__(self, server: Server, content_type: str = "text/html") -> None:
        self._server = server
        self._content_type = content_type
        self._begun = asyncio.Event()
        self.stream: Any = None
        self.invocation: Any = None

    async def invoke(self, _function: FunctionVersion, invocation: Invocation) -> Outcome:
        clock: Any = self._parts().clock
        self.invocation = invocation
        self.stream = Stream(clock, lambda _stream: None, self._content_type)
        self._begun.set()
        return Outcome(payload=b"", stream=self.stream)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Do what a runtime does, where it does it: on the server's loop."""
        self._server.run(work)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(self._parts().engine, "invoke", self.invoke)

    def write(self, chunk: bytes) -> None:
        """Write, once the function has been invoked."""

        async def write() -> None:
            await self._begun.wait()
            await self.stream.write(chunk)

        self.run(write)

    def end(self, log_tail: bytes | None = None) -> None:
        async def end() -> None:
            self.stream.end()
            self.stream.complete(log_tail)

        self.run(end)

    def fail(self, error_type: str, error: bytes) -> None:
        async def fail() -> None:
            self.stream.fail(error_type, error)
            self.stream.complete()

        self.run(fail)

    def _parts(self) -> Any:
        (service,) = (service for service in self._server.app.services if service.name == "lambda")
        return service.parts
