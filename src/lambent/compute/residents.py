"""The processes that live in a cell: the runtime's, and one for each external extension."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from lambent.compute.channel import secret
from lambent.compute.output import Output
from lambent.compute.pipe import Pipe

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from lambent.compute.sandbox.api import Guest
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids


class Watcher(Protocol):
    """Who is told what extensions print."""

    def extension_printed(self, messages: list[str]) -> None:
        """An extension has written log messages."""


class Resident:
    """A process, and who is told of its end."""

    def __init__(self, name: str, left: Callable[[Resident, int], None]) -> None:
        self.name = name
        self.process: Guest | None = None
        self._left = left

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process."""
        if self.process is not None:
            self.process.signal(number)

    def exited(self, status: int) -> None:
        """Of the cell."""
        self.close()
        self._left(self, status)

    def close(self) -> None:
        """Let go of what belongs to it alone."""


class ExtensionResident(Resident):
    """An external extension: its output is its own."""

    def __init__(
        self, name: str, left: Callable[[Resident, int], None], clock: Clock, ids: Ids, watcher: Watcher
    ) -> None:
        super().__init__(name, left)
        self._watcher = watcher
        self._output = Output(secret(ids))
        reading, self.writing = os.pipe()
        self._pipe = Pipe(reading, self._output, clock, self._printed)

    def drain(self) -> None:
        """Take in what it has said until now."""
        self._pipe.drain()
        self._output.end()
        self._printed()

    def close(self) -> None:
        """Take in what it has said to the end."""
        self.drain()
        self._pipe.close()

    def _printed(self) -> None:
        if messages := self._output.take():
            self._watcher.extension_printed(messages)
