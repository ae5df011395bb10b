"""A line of events as the queue has it in memory: what is ready to run, what runs, and when to look again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_.queue.windows import Window

if TYPE_CHECKING:
    from lambent.services.lambda_.records.events import Event, Line


class Waiting:
    """One line. The store has all of its events; `held` are those that are here as well, by their ids."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.ready: deque[Event] = deque()
        self.ready_bytes = 0
        self.held: set[int] = set()
        """The ids of those that are ready and of those that run."""
        self.left: set[int] = set()
        """The ids of those that went while the store was asked: it may have answered before it knew."""
        self.stale = False
        """Whether what the store is asked for is not wanted any more."""
        self.window = Window(limits.ASYNC_RUNNING)
        self.more = False
        """Whether the store may have events that are due and not here."""
        self.reading = False
        self.next_ms: int | None = None
        """When the next event is due that the store has."""
        self.rests_until_ms = 0
        """Until when nothing runs because the function takes no more."""
        self.crowded_out = False
        """Whether the account or the machine took no more when one of its events was last tried."""
        self._rest_s = limits.ASYNC_PAUSE_MIN_S
        self.alarm_ms: int | None = None
        """When somebody looks at it again."""

    @property
    def resting(self) -> bool:
        """Whether nothing is to run now."""
        return self.rests_until_ms > 0

    @property
    def runnable(self) -> bool:
        """Whether one of its events is to run now."""
        return bool(self.ready) and not self.resting and self.window.open

    @property
    def first(self) -> bool:
        """Whether it is to run one before others run more: none of it runs, and nothing says that none can."""
        return not self.window.running and not self.crowded_out

    @property
    def wants(self) -> bool:
        """Whether the store is to be asked: where something could run, and there is little left to."""
        few = 2 * len(self.ready) < limits.ASYNC_PAGE and 2 * self.ready_bytes < limits.ASYNC_LINE_BYTES
        return self.more and few and self.window.open and not (self.resting or self.reading)

    @property
    def blank(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.held or self.more or self.reading or self.next_ms is not None)

    def fits(self, size: int) -> bool:
        """Whether an event of so many bytes that is new may come here at once, behind all others."""
        if self.more or self.resting or len(self.ready) >= limits.ASYNC_LINE_HELD:
            return False
        return not self.ready or self.ready_bytes + size <= limits.ASYNC_LINE_BYTES

    def add(self, event: Event) -> bool:
        """Make `event` ready; False where it is here, or was a moment ago."""
        if event.id in self.held or event.id in self.left:
            return False
        self.held.add(event.id)
        self.ready.append(event)
        self.ready_bytes += len(event.payload)
        return True

    def begin(self) -> Event:
        """The event whose turn it is runs."""
        event = self.ready.popleft()
        self.ready_bytes -= len(event.payload)
        self.window.begin()
        return event

    def put_back(self, event: Event) -> None:
        """It was not run: it is the first again."""
        self.ready.appendleft(event)
        self.ready_bytes += len(event.payload)

    def let_go(self, event: Event) -> None:
        """It is here no longer."""
        self.held.discard(event.id)
        if self.reading:
            self.left.add(event.id)

    def clear(self) -> list[Event]:
        """Nothing is ready any more: the store is to be asked. Returns what was ready."""
        dropped = list(self.ready)
        self.ready.clear()
        self.ready_bytes = 0
        self.held.difference_update(event.id for event in dropped)
        self.stale = self.reading
        self.more = True
        return dropped

    def ask(self) -> frozenset[int]:
        """The store is asked from now on for what is due; not for these."""
        self.reading, self.stale, self.more = True, False, False
        self.next_ms = None
        self.left.clear()
        return frozenset(self.held)

    def due(self, due_ms: int) -> None:
        """The store has an event that is due then."""
        self.next_ms = due_ms if self.next_ms is None else min(self.next_ms, due_ms)

    def rest(self, now_ms: int) -> None:
        """Let nothing run for a while, twice as long as the last time."""
        self.rests_until_ms = now_ms + self._rest_s * 1000
        self._rest_s = min(2 * self._rest_s, limits.ASYNC_PAUSE_MAX_S)

    def resume(self) -> None:
        """Try again now."""
        self.rests_until_ms = 0

    def recover(self) -> None:
        """The function runs again: the next rest is a short one."""
        self.crowded_out = False
        self._rest_s = limits.ASYNC_PAUSE_MIN_S
