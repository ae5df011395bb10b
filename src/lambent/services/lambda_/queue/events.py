"""The queue of events: everything waits in the store, and what is to run next is here, in bounded number."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_.queue.alarms import Alarms
from lambent.services.lambda_.queue.lines import Waiting
from lambent.services.lambda_.queue.windows import Window
from lambent.services.lambda_.rules.async_outcomes import Retry, Wait
from lambent.services.lambda_.store import events as store_events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.events import Event, Line
    from lambent.services.lambda_.rules.async_outcomes import Done
    from lambent.store.api import Store

    Attempt = Callable[[Event], Awaitable[Retry | Wait | Done | None]]


class Queue:
    """Runs events, by turns between the lines in which they wait.

    An event that is accepted comes here straight from its commit. Where there is no room for it, it is read from the
    store when its turn has come. A line whose function takes no more rests: until one of its events has come to its
    end, or for a time that doubles. One timer tells when the next line is to be looked at; without need there is none.
    """

    def __init__(self, store: Store, clock: Clock, supervisor: Supervisor) -> None:
        self._store = store
        self._clock = clock
        self._supervisor = supervisor
        self._attempt: Attempt | None = None
        self._lines: dict[int, Waiting] = {}
        self._by_key: defaultdict[FunctionKey, dict[int, Waiting]] = defaultdict(dict)
        self._turns: OrderedDict[Waiting, None] = OrderedDict()
        """The lines of which an event is to run."""
        self._first: OrderedDict[Waiting, None] = OrderedDict()
        """Those of which none runs: they do not wait for what others have running for long."""
        self._hungry: OrderedDict[Waiting, None] = OrderedDict()
        """The lines for which the store is to be asked."""
        self._crowded_out: dict[Waiting, None] = {}
        """The lines that rest because the account or the machine takes no more."""
        self._window = Window(limits.ASYNC_RUNNING)
        self._held = 0
        self._held_bytes = 0
        self._readers = 0
        self._alarms = Alarms(clock, self._wake)

    async def run(self, attempt: Attempt) -> None:
        """Work until cancelled, first on what an earlier run has left.

        `attempt` runs one event and stores what came of it. It returns None where the server stops.
        """
        self._attempt = attempt
        try:
            for line in await self._store.read(store_events.lines):
                waiting = self._waiting(line)
                waiting.more = True
                self._look(waiting)
            await asyncio.get_running_loop().create_future()
        finally:
            self._attempt = None

    def take(self, event: Event) -> None:
        """Take an event that the store has just got."""
        waiting, size = self._waiting(event.line), len(event.payload)
        if self._has_room and waiting.fits(size):
            self._hold(waiting, (event,))
        else:
            waiting.more = True
        self._look(waiting)

    def changed(self, key: FunctionKey) -> None:
        """Something about the function has changed, or it is gone: look at what the store has of it now."""
        for waiting in list(self._by_key.get(key, {}).values()):
            self._drop(waiting.clear())
            waiting.resume()
            waiting.recover()
            waiting.window.reset()
            self._look(waiting)

    @property
    def _has_room(self) -> bool:
        return self._held < limits.ASYNC_HELD and self._held_bytes < limits.ASYNC_HELD_BYTES

    def _waiting(self, line: Line) -> Waiting:
        found = self._lines.get(line.id)
        if found is None:
            found = self._lines[line.id] = self._by_key[line.key][line.id] = Waiting(line)
        return found

    def _look(self, waiting: Waiting) -> None:
        """See to what a line needs now."""
        if waiting.blank:
            self._forget(waiting)
        if waiting.runnable:
            (self._first if waiting.first else self._turns).setdefault(waiting)
        if waiting.wants:
            self._hungry.setdefault(waiting)
        self._alarms.arm(waiting)
        self._go()

    def _forget(self, waiting: Waiting) -> None:
        """It may be forgotten already, and its line be here anew: an alarm comes late."""
        if self._lines.get(waiting.line.id) is not waiting:
            return
        del self._lines[waiting.line.id]
        siblings = self._by_key[waiting.line.key]
        del siblings[waiting.line.id]
        if not siblings:
            del self._by_key[waiting.line.key]
        self._crowded_out.pop(waiting, None)

    def _go(self) -> None:
        """Start what may run, and ask the store for what is to run next."""
        if self._attempt is None:
            return
        while self._first and self._window.running < limits.ASYNC_RUNNING_MOST:
            waiting, _ = self._first.popitem(last=False)
            if waiting.runnable:
                self._start(waiting, self._attempt)
        while self._window.open and self._turns:
            waiting, _ = self._turns.popitem(last=False)
            if waiting.runnable:
                self._start(waiting, self._attempt)
        while self._hungry and self._readers < limits.ASYNC_PAGES_READ and (self._has_room or self._made_room()):
            waiting, _ = self._hungry.popitem(last=False)
            if waiting.wants:
                self._readers += 1
                self._supervisor.start(f"read events of {waiting.line.arn}", self._read(waiting))

    def _made_room(self) -> bool:
        """Whether a line could leave its place to the hungry one whose turn it is: the one with the most here of those
        that cannot run now, or where the hungry one is to run first, of all."""
        urgent = next(iter(self._hungry)).first and self._window.running < limits.ASYNC_RUNNING_MOST
        others = [each for each in self._lines.values() if each.ready and (urgent or not each.runnable)]
        if not others:
            return False
        victim = max(others, key=lambda each: (not each.runnable, each.ready_bytes))
        self._drop(victim.clear())
        if victim.wants:
            self._hungry.setdefault(victim)
        return self._has_room

    def _start(self, waiting: Waiting, attempt: Attempt) -> None:
        event = waiting.begin()
        self._window.begin()
        self._supervisor.start(f"event {event.envelope.request_id}", self._run(waiting, event, attempt))
        if waiting.runnable:
            self._turns[waiting] = None
        if waiting.wants:
            self._hungry.setdefault(waiting)

    async def _run(self, waiting: Waiting, event: Event, attempt: Attempt) -> None:
        """A bug on the way is told by the supervisor; the event stays, and is tried again after a rest."""
        verdict: Retry | Wait | Done | None = Wait(everywhere=False, until_ms=sys.maxsize)
        try:
            verdict = await attempt(event)
        except asyncio.CancelledError:
            verdict = None
            raise
        finally:
            waiting.window.end()
            self._window.end()
            if verdict is None:
                self._attempt = None
            elif isinstance(verdict, Wait):
                self._refused(waiting, event, verdict)
            else:
                self._ended(waiting, event, verdict)

    def _refused(self, waiting: Waiting, event: Event, verdict: Wait) -> None:
        waiting.put_back(event)
        if verdict.everywhere:
            self._window.close()
            waiting.crowded_out = True
            self._crowded_out[waiting] = None
        else:
            waiting.window.close()
        if not waiting.resting:
            waiting.rest(self._now_ms())
        waiting.rests_until_ms = min(waiting.rests_until_ms, verdict.until_ms)
        if not waiting.window.running:
            self._drop(waiting.clear())
        self._look(waiting)

    def _ended(self, waiting: Waiting, event: Event, verdict: Retry | Done) -> None:
        waiting.let_go(event)
        self._drop((event,))
        if isinstance(verdict, Retry):
            waiting.due(verdict.due_ms)
        for window in (self._window, waiting.window):
            window.widen()
        waiting.recover()
        crowded, self._crowded_out = self._crowded_out, {}
        for each in (*crowded, waiting):
            each.resume()
            self._look(each)

    async def _read(self, waiting: Waiting) -> None:
        held, now_ms, page = waiting.ask(), self._now_ms(), None
        try:
            page = await self._store.read(lambda tx: store_events.page(tx, waiting.line, now_ms, held, len(held)))
        finally:
            self._readers -= 1
            waiting.reading = False
            if page is None:
                waiting.rest(self._now_ms())
            if page is None or waiting.stale:
                waiting.more = True
            else:
                self._hold(waiting, page.events)
                waiting.more = waiting.more or page.more
                if page.next_ms is not None:
                    waiting.due(page.next_ms)
            self._look(waiting)

    def _hold(self, waiting: Waiting, events: Iterable[Event]) -> None:
        for event in events:
            if waiting.add(event):
                self._held += 1
                self._held_bytes += len(event.payload)

    def _drop(self, events: Iterable[Event]) -> None:
        for event in events:
            self._held -= 1
            self._held_bytes -= len(event.payload)

    def _wake(self, waiting: Waiting, now_ms: int) -> None:
        if waiting.resting and waiting.rests_until_ms <= now_ms:
            waiting.resume()
        if waiting.next_ms is not None and waiting.next_ms <= now_ms:
            waiting.next_ms = None
            waiting.more = True
        self._look(waiting)

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)
