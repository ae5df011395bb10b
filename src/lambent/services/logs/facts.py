"""The road of facts as CloudWatch Logs offers it: log events from inside the program, queued and stored in batches.

A teller pays for an append to a queue and nothing else. What was told is in the store at most LOG_FLUSH_S plus one
commit later; a server that is killed loses what it was told in that time and nothing older.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent
from lambent.services.logs.records import GroupRecord
from lambent.services.logs.rules.chunks import pack
from lambent.services.logs.store import chunks, groups, streams
from lambent.store.errors import StoreError

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import LogStream
    from lambent.services.logs.records import NewChunk
    from lambent.store.api import Store, Transaction

log = logging.getLogger(__name__)

_OVERHEAD: Final = limits.LOG_EVENT_OVERHEAD_BYTES

_Told = tuple["LogStream", list[LogEvent], int]
_Packed = dict["LogStream", list["NewChunk"]]


class LogFacts:
    """Implements `kernel.facts.Facts`; belongs to the event loop. Run it as a worker, and `close` it at the end."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queue: deque[_Told] = deque()
        self._queued_bytes = 0
        self._dropped: Counter[LogStream] = Counter()
        self._told = 0
        self._settled = 0
        self._due = asyncio.Event()
        self._timing = False
        self._readers: list[tuple[int, asyncio.Future[None]]] = []
        self._storing = asyncio.Lock()

    def log(self, stream: LogStream, events: list[LogEvent]) -> None:
        """Append `events` to `stream`, soon and durably. Returns at once; what cannot be kept is counted.

        The list is handed over: its owner does not change it any more.
        """
        size = _OVERHEAD
        for event in events:
            size += len(event.message) + _OVERHEAD
        self._queue.append((stream, events, size))
        self._told += 1
        self._queued_bytes += size
        if self._queued_bytes > limits.LOG_QUEUE_BYTES:
            self._drop()
        if not self._timing:
            self._timing = True
            self._clock.call_later(limits.LOG_FLUSH_S, self._due.set)

    async def flush(self) -> None:
        """Wait until all that was told before this call is in the store. Raises what storing it raised."""
        if self._settled == self._told:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append((self._told, stored))
        self._due.set()
        await stored

    async def run(self) -> None:
        """Store what is told until cancelled."""
        while True:
            await self._due.wait()
            await self._drain()

    async def close(self) -> None:
        """Store what is left; called when nobody tells anything more."""
        await self._drain()

    async def _drain(self) -> None:
        async with self._storing:
            self._due.clear()
            self._timing = False
            told = self._told  # what comes meanwhile waits for the next round, or there would be a commit for a handful
            try:
                while self._settled < told or self._dropped:
                    await self._store_some()
            except Exception as failure:
                # The supervisor logs it and starts the worker again; what is queued by then is tried anew.
                self._due.set()
                self._release(failure)
                raise

    async def _store_some(self) -> None:
        told, dropped = self._take()
        now_ms = int(self._clock.time() * 1000)
        try:
            packed = await asyncio.to_thread(_pack, told, dropped, now_ms)
            await self._store.write(lambda tx: _append(tx, packed, now_ms))
        except (StoreError, asyncio.CancelledError):
            # After a cancellation the batch may have been committed all the same: events twice rather than never.
            self._put_back(told, dropped)
            raise
        except Exception:
            # Something in the batch cannot be stored at all; kept, it would stand in the way of all that follows.
            log.error("%d batches of log events cannot be stored and are dropped", len(told))  # noqa: TRY400
            self._settled += len(told)
            raise
        self._settled += len(told)
        self._release(None)

    def _take(self) -> tuple[list[_Told], Counter[LogStream]]:
        """The next of the queue, about LOG_FLUSH_BYTES, and all counts of what was dropped."""
        told: list[_Told] = []
        size = 0
        while self._queue and size < limits.LOG_FLUSH_BYTES:
            told.append(self._queue.popleft())
            size += told[-1][2]
        self._queued_bytes -= size
        dropped, self._dropped = self._dropped, Counter()
        return told, dropped

    def _put_back(self, told: list[_Told], dropped: Counter[LogStream]) -> None:
        self._queue.extendleft(reversed(told))
        self._queued_bytes += sum(size for _, _, size in told)
        self._dropped.update(dropped)
        self._drop()

    def _drop(self) -> None:
        """Give up the oldest of the queue until it fits, counting what goes for the stream that loses it."""
        while self._queued_bytes > limits.LOG_QUEUE_BYTES and self._queue:
            stream, events, size = self._queue.popleft()
            self._queued_bytes -= size
            if not self._dropped:
                log.warning("logs come faster than they can be stored; the oldest are dropped")
            self._dropped[stream] += len(events)
            self._settled += 1

    def _release(self, failure: Exception | None) -> None:
        """Answer the readers whose events are stored, all of them where storing failed."""
        waiting = []
        for told, stored in self._readers:
            if stored.done():
                continue
            if failure is not None:
                stored.set_exception(failure)
            elif told <= self._settled:
                stored.set_result(None)
            else:
                waiting.append((told, stored))
        self._readers = waiting


def _pack(told: list[_Told], dropped: Counter[LogStream], now_ms: int) -> _Packed:
    """The chunks of every stream; where events were dropped, one event in the stream says how many."""
    events: dict[LogStream, list[LogEvent]] = {}
    for stream, some, _ in told:
        events.setdefault(stream, []).extend(some)
    for stream, count in dropped.items():
        notice = f"{count} events dropped: logs came faster than they could be stored"
        events.setdefault(stream, []).append(LogEvent(now_ms, notice))
    return {stream: pack(some) for stream, some in events.items() if some}


def _append(tx: Transaction, packed: _Packed, now_ms: int) -> None:
    for stream, some in packed.items():
        group = groups.find(tx, stream.account, stream.region, stream.group)
        group_id = (
            groups.add(tx, stream.account, stream.region, stream.group, now_ms, GroupRecord())
            if group is None
            else group.id
        )
        known = streams.find(tx, group_id, stream.name)
        stream_id = streams.add(tx, group_id, stream.name, now_ms) if known is None else known.id
        chunks.add(tx, group_id, stream_id, some, now_ms)
