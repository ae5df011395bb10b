"""The nursery of an image: its zygote, the cells that were made ahead, and who waits for one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from lambent.compute.sandbox.zygotes import Zygote
from lambent.kernel import limits
from lambent.kernel.clock import deadline

if TYPE_CHECKING:
    from lambent.compute.sandbox.api import Image
    from lambent.compute.sandbox.cells import JailCell
    from lambent.compute.sandbox.zygotes import Walls
    from lambent.kernel.clock import Clock, Timer

log = logging.getLogger(__name__)


class Maker(Protocol):
    """Who makes cells for nurseries."""

    def make(self, zygote: Zygote, nursery: Nursery) -> None:
        """Begin to make a cell: `made` or `gone` of the nursery follows. Raises OSError."""

    def empty(self, nursery: Nursery) -> None:
        """Nothing is left in the nursery, and no zygote."""


class Nursery:
    """Makes cells of one image, at once for who waits and with a pause for the stock: the pause begins anew whenever a
    cell is taken, so that a cold start has the machine to itself while it lasts."""

    def __init__(self, image: Image, walls: Walls, maker: Maker, clock: Clock) -> None:
        self.wanted = 0
        self._image = image
        self._walls = walls
        self._maker = maker
        self._clock = clock
        self._zygote: Zygote | None = None
        self._heard_of = 0.0
        """When the zygote was made, or has last made a cell."""
        self._ready: deque[JailCell] = deque()
        self._waiting: deque[asyncio.Future[JailCell]] = deque()
        self._making = 0
        self._proven = False
        """Whether the zygote has ever made a cell."""
        self._living: dict[JailCell, Zygote] = {}
        """And whose they are."""
        self._timer: Timer | None = None
        self._closed = False
        self._told = ""
        """Why the last zygote has ended that made no cell."""

    async def take(self) -> JailCell:
        """A cell that is ready. Raises OSError where none can be made, which TimeoutError is, too."""
        self._pause()
        while self._ready:
            cell = self._ready.popleft()
            if cell.alive:
                self._plan(limits.CELL_REFILL_S)
                return cell
        answer: asyncio.Future[JailCell] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._make(len(self._waiting))
        try:
            async with deadline(self._clock, limits.CELL_WAIT_S):
                return await answer
        except (asyncio.CancelledError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self._look_at_zygote()
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().kill()
            raise
        finally:
            if answer in self._waiting:
                self._waiting.remove(answer)

    def foresee(self, count: int) -> None:
        """Keep `count` cells ready."""
        self.wanted = count
        while len(self._ready) > count:
            self._ready.pop().kill()
        self._pause()
        self._plan(0.0)

    def close(self) -> None:
        """Kill every cell and end the zygote; `empty` follows."""
        self._closed = True
        self.wanted = 0
        self._pause()
        self._timer = self._clock.call_later(limits.ZYGOTE_END_S, self._insist)
        self._fail(len(self._waiting), "the sandbox is closing")
        for cell in tuple(self._living):
            cell.kill()
        self._rest()

    def begun(self, cell: JailCell) -> None:
        """A cell is being made."""
        assert self._zygote is not None
        self._living[cell] = self._zygote
        self._making += 1

    def made(self, cell: JailCell) -> None:
        """It is ready: for who waits longest, or for the stock."""
        self._making -= 1
        self._heard_of = self._clock.monotonic()
        self._proven = True
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(cell)
                self._plan(limits.CELL_REFILL_S)
                return
        if len(self._ready) < self.wanted:
            self._ready.append(cell)
            self._plan(0.0)
        else:
            cell.kill()

    def gone(self, cell: JailCell, reason: str) -> None:
        """Nothing is left of it."""
        zygote = self._living.pop(cell)
        if cell in self._ready:
            self._ready.remove(cell)
            self._plan(limits.CELL_RETRY_S)
        if not cell.ready:
            self._making -= 1
            if zygote is self._zygote and zygote.alive:
                self._fail(1, reason or "it ended while it was made")
            self._plan(limits.CELL_RETRY_S)
        elif reason:
            log.error("a cell of %s has ended: %s", self._image.runtime.name, reason)
        self._rest()

    def ended(self, reason: str) -> None:
        """The zygote is gone; the kernel ends its cells, each of which tells of itself. Who waits for one is served by
        the next zygote, unless this one never made any."""
        self._zygote = None
        if reason and not self._proven and self._waiting:
            self._fail(len(self._waiting), reason)
        elif reason and (self._proven or reason != self._told):
            log.error("the zygote of %s has ended: %s", self._image.runtime.name, reason)
        self._told = "" if self._proven else reason
        self._plan(limits.CELL_RETRY_S)
        self._rest()

    def _make(self, count: int) -> None:
        """Have up to `count` cells in the making, and no more than is good for the machine."""
        while not self._closed and self._making < min(count, limits.CELLS_MADE_AT_ONCE):
            try:
                if self._zygote is None:
                    self._zygote = Zygote(self._image, self._walls, self)
                    self._heard_of, self._proven = self._clock.monotonic(), False
                self._maker.make(self._zygote, self)
            except BrokenPipeError:
                return  # it is ending: `ended` follows, and sees to who waits
            except OSError as error:
                self._fail(len(self._waiting), str(error))
                self._plan(limits.CELL_RETRY_S)
                return

    def _plan(self, pause: float) -> None:
        """Serve who waits now, and fill the stock in a while."""
        if self._waiting:
            self._make(len(self._waiting))
        elif self._timer is None and not self._closed and self._missing() > 0:
            self._timer = self._clock.call_later(pause, self._refill)

    def _refill(self) -> None:
        self._timer = None
        self._make(1)  # one after the other: a refill is to leave a processor to those who work

    def _missing(self) -> int:
        return self.wanted - len(self._ready) - self._making

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, count: int, reason: str) -> None:
        for _ in range(min(count, len(self._waiting))):
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(OSError(reason))

    def _rest(self) -> None:
        """Where nothing is left to do, let the zygote go: at once when closing, else after a while."""
        if self._living or self._waiting or self.wanted:
            return
        if self._zygote is None:
            self._pause()
            self._maker.empty(self)
        elif self._closed:
            self._zygote.stop()
        elif self._timer is None:
            self._timer = self._clock.call_later(limits.ZYGOTE_UNUSED_S, self._unused)

    def _look_at_zygote(self) -> None:
        """Somebody has waited in vain. A zygote that has made no cell in all that time does not run, and would make
        none for others either, nor tell of the ends of those that it has made."""
        if self._zygote is not None and self._clock.monotonic() - self._heard_of >= limits.CELL_WAIT_S:
            self._zygote.kill(f"it has made no cell in {limits.CELL_WAIT_S:.0f} s")

    def _insist(self) -> None:
        """The zygote does not end as it was told, or does not take leave of its cells."""
        if self._zygote is not None:
            self._zygote.kill(f"it did not come to an end in {limits.ZYGOTE_END_S:.0f} s")

    def _unused(self) -> None:
        self._timer = None
        if self._zygote is not None and not self._living and not self.wanted:
            self._zygote.stop()
