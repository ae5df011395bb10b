"""What every environment is: guests in a cell, a journal of what they do, and an end. What it serves is its own."""

from __future__ import annotations

import abc
import asyncio
from typing import TYPE_CHECKING

from lambent.compute.boot import Boot
from lambent.compute.guests import discard
from lambent.compute.household import NoEntrypoint
from lambent.compute.progress import Progress
from lambent.compute.state import State

if TYPE_CHECKING:
    from lambent.compute.boot import Plan
    from lambent.compute.extensions.api import Reason
    from lambent.compute.guests import Guests
    from lambent.compute.journal import Journal
    from lambent.compute.occupancy import Household
    from lambent.compute.runtime_api.api import Version
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.events import Status
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor


class Dwelling(abc.ABC):
    """The life of the guests, as the state machines of environments go through it; all of it on the event loop."""

    def __init__(
        self, plan: Plan, cell: Cell, journal: Journal, clock: Clock, ids: Ids, supervisor: Supervisor
    ) -> None:
        self.plan = plan
        self.function = plan.function
        self.expires = plan.expires
        self.state = State.STARTING
        self.retired = False
        """Set where it must not take another invocation."""
        self.init_problem: str | None = None
        """Why INIT has failed before any invocation: an error type, or `timeout`."""
        self._cell: Cell | None = cell
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._supervisor = supervisor
        self._guests: Guests | None = None
        self._boot = Boot(plan.origin, journal, clock)
        self._progress = Progress(plan, self._boot, journal, clock)
        self._initialised = False
        self._loop = asyncio.get_running_loop()

    @property
    def initialised(self) -> bool:
        """Whether INIT has succeeded."""
        return self._initialised

    @abc.abstractmethod
    def printed(self) -> None:
        """Of the guests: there is output."""

    @abc.abstractmethod
    def gone(self) -> None:
        """Of the guests: every process has ended."""

    def extension_printed(self, messages: list[str]) -> None:
        """Of the guests."""
        self._journal.write_extension(messages)

    def subscribe(self, extension: str, version: Version, body: bytes) -> None:
        """Of the Runtime API: an extension wants the log as it comes."""
        self._journal.subscribe(extension, version, body, self.connect)

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to what an extension listens on. Raises OSError."""
        if self._guests is None:
            raise OSError("nobody lives there any more")
        return await self._guests.connect(port)

    def credentials(self, token: str) -> bytes | None:
        """Of the Runtime API: SnapStart environments fetch their credentials."""
        return self.plan.credentials(token)

    @abc.abstractmethod
    def _guests_in(self, cell: Cell, household: Household) -> Guests:
        """Those who live in `cell` from now on."""

    def _move_in(self, cell: Cell) -> None:
        """Raises OSError where nothing can be started, NoEntrypoint where there is nothing to start; `cell` is gone."""
        try:
            self._guests = self._guests_in(cell, self.plan.household(cell))
        except (NoEntrypoint, OSError):
            discard(cell)
            raise
        try:
            self._guests.start()
        except OSError:
            self._let_go()
            raise

    def _tell_init_done(self, status: Status, error_type: str | None) -> None:
        guests = self._guests
        extensions = () if guests is None else guests.extensions()
        self._boot.done(status, error_type, extensions, runtime_started=guests is not None and guests.runtime_started)

    def _take_output(self) -> None:
        """Tell the journal what has been printed until now."""
        if self._guests is None or self._guests.quiet:
            return
        if messages := self._guests.take():
            self._journal.write(messages)
        if frames := self._guests.take_framed():
            self._journal.framed(frames)

    def _silence(self) -> None:
        """Let nobody within go on, and take what they have said until now."""
        self._progress.measure(self._guests)
        if self._guests is not None:
            self._guests.silence()
            self._guests.pass_answer()
            self.printed()

    def _let_go(self) -> None:
        """End the guests for good; what runs next does so in a new cell."""
        self._silence()
        guests, self._guests = self._guests, None
        if guests is not None:
            guests.abandon()

    def _leave(self, reason: Reason) -> None:
        """The SHUTDOWN phase, and the end of the guests; `gone` follows."""
        self.retired = True
        self.state = State.STOPPING
        if self._guests is None:
            self._loop.call_soon(self.gone)
            return
        self._guests.retire()
        if self._journal.heard:
            self._supervisor.start(f"stop {self.function.name}", self._flush_and_stop(self._guests, reason))
        else:
            self._guests.shutdown(reason)

    async def _flush_and_stop(self, guests: Guests, reason: Reason) -> None:
        """Let extensions have the last of the telemetry before they are told to go."""
        await self._journal.flush()
        guests.shutdown(reason)
