"""Holds environments to their memory where no control group does: by looking, the more often the less is left.

What lies between two looks is nobody's: who fills memory faster than `LOOK_GROWTH_BYTES_PER_S`, by several cores or
large pages, has more than its own until the next look. An environment that rests is looked at ever less often, as long
as it does not grow.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from lambent.compute.sandbox import holdings
from lambent.compute.sandbox.holdings import Holdings
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.sandbox.cgroups import Cgroups
    from lambent.compute.sandbox.holdings import Seen
    from lambent.kernel.clock import Clock, Timer

log = logging.getLogger(__name__)


def lacking(cgroups: Cgroups) -> str:
    """Which limits `cgroups` do not hold functions to and why, and what is done about it, for people; empty where they
    hold them to all."""
    if "memory" in cgroups.controls or not cgroups.lacking:
        return cgroups.lacking
    return f"{cgroups.lacking}; memory is still held, though not exactly, by looking at it, and pids by RLIMIT_NPROC"


def pause_s(left: int, cost_s: float, watched: int) -> float:
    """How long after a look the next one is, where `left` bytes of memory are left: until they could be used up, but
    with `watched` environments all looks together take no more than `LOOK_CORES` of the processor."""
    wait = left / limits.LOOK_GROWTH_BYTES_PER_S
    return max(min(wait, limits.LOOK_MOST_S), limits.LOOK_LEAST_S, cost_s * watched / limits.LOOK_CORES)


class Looks:
    """The watches of one server. `freezes` says whether environments stand still while they rest; where `needless`,
    control groups do it all and nothing is looked at. Made on the event loop."""

    def __init__(self, clock: Clock, *, freezes: bool, needless: bool) -> None:
        self.clock = clock
        self.freezes = freezes
        self.needless = needless
        self.busy = 0
        """How many environments are watched and do not rest."""
        self.obstacle = ""
        """Why nothing can be looked at, for people; empty where it can."""
        self._threads = ThreadPoolExecutor(limits.LOOK_THREADS, "lambent-looks")
        self._loop = asyncio.get_running_loop()

    def watch(self, inhabitant: int) -> Watch:
        """A watch over a cell, in which the process of this pidfd lives. It does nothing where that has ended, or
        nothing can be looked at."""
        return Watch(self, None if self.needless else self._holdings(inhabitant))

    def _holdings(self, inhabitant: int) -> Holdings | None:
        try:
            return Holdings(holdings.processes(inhabitant))
        except ProcessLookupError:
            return None  # the cell is ending
        except OSError as error:
            if not self.obstacle:
                self.obstacle = str(error)
                log.warning("nothing holds functions to their memory: %s", error)
            return None

    def look(self, holdings: Holdings) -> asyncio.Future[Seen]:
        """Look on a thread: what is shared is not found at once in a large process."""
        return self._loop.run_in_executor(self._threads, holdings.look)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown()


class Watch:
    """Of one environment. `holdings` are the watch's own; None where there are none to look at."""

    def __init__(self, looks: Looks, holdings: Holdings | None = None) -> None:
        self._looks = looks
        self._holdings = holdings
        self._state: Literal["new", "busy", "resting", "ended"] = "new"
        self._timer: Timer | None = None
        self._looking = False
        self._rest_s = 0.0
        self._last = 0

    @property
    def most(self) -> int:
        """The most bytes that were seen in use at once; 0 where nobody has looked."""
        return self._holdings.most if self._holdings else 0

    @property
    def kills(self) -> int:
        """How many processes were killed because the memory was used up."""
        return self._holdings.kills if self._holdings else 0

    def branch(self, root: str) -> Watch:
        """A watch over a branch of the cell, whose root is at that path there. Raises OSError."""
        return Watch(self._looks, self._holdings and self._holdings.branch(root))

    def hold(self, memory: int) -> None:
        """Hold who lives there to so many bytes from now on; once."""
        if self._holdings is not None and self._state == "new":
            self._holdings.memory = memory
            self._be_busy(self._holdings)

    def rest(self) -> None:
        """Nothing runs there from now on. Harmless twice."""
        if self._state == "busy":
            self._state = "resting"
            self._rest_s = limits.LOOK_MOST_S
            self._looks.busy -= 1
            if self._looks.freezes:
                self._cancel()

    def wake(self) -> None:
        """Something runs there. Harmless twice."""
        if self._holdings is not None and self._state == "resting":
            self._be_busy(self._holdings)

    def end(self) -> None:
        """Look no more. Harmless twice."""
        if self._state == "ended":
            return
        self._looks.busy -= self._state == "busy"
        self._state = "ended"
        self._cancel()
        if self._holdings is not None and not self._looking:
            self._holdings.close()

    def _be_busy(self, holdings: Holdings) -> None:
        self._state = "busy"
        self._looks.busy += 1
        if not self._looking:
            self._look_after(pause_s(holdings.memory - self._last, 0, self._looks.busy), holdings)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_after(self, wait: float, holdings: Holdings) -> None:
        self._cancel()
        self._timer = self._looks.clock.call_later(wait, lambda: self._look(holdings))

    def _look(self, holdings: Holdings) -> None:
        self._timer = None
        self._looking = True
        self._looks.look(holdings).add_done_callback(lambda look: self._looked(look, holdings))

    def _looked(self, look: asyncio.Future[Seen], holdings: Holdings) -> None:
        self._looking = False
        error = look.exception()
        if self._state == "ended":
            holdings.close()
        elif isinstance(error, OSError):  # the server has too many files open
            log.warning("the memory of an environment cannot be looked at: %s", error)
            self._look_after(limits.LOOK_RETRY_S, holdings)
        else:
            self._go_on(look.result(), holdings)

    def _go_on(self, seen: Seen, holdings: Holdings) -> None:
        if self._state == "busy":
            left = holdings.memory - seen.used
            self._look_after(pause_s(left, seen.cost_s, self._looks.busy), holdings)
        elif not self._looks.freezes:
            self._look_after(self._next_at_rest(seen), holdings)
        self._last = seen.used

    def _next_at_rest(self, seen: Seen) -> float:
        """Twice as late as the last time, unless it has grown although it should not: seconds."""
        grown = seen.used > self._last + limits.LOOK_IDLE_GROWTH_BYTES
        self._rest_s = limits.LOOK_MOST_S if grown else min(2 * self._rest_s, limits.LOOK_IDLE_S)
        return self._rest_s
