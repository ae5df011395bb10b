"""An environment's log: what it and the platform say, told to the facts in order, and the tail a caller may want."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent, LogStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.compute.loglines import Lines, Report, Status
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import Facts


class Journal:
    """Writes one log stream. A START waits for the next thing to be told, so that a quiet invocation is told once."""

    def __init__(self, facts: Facts, clock: Clock, stream: LogStream, lines: Lines) -> None:
        self._facts = facts
        self._clock = clock
        self._stream = stream
        self._lines = lines
        self._waiting: list[LogEvent] = []
        self._tail: _Tail | None = None

    def init_start(self) -> None:
        self.write((self._lines.init_start(self._clock.time()),))

    def init_failed(self, phase: str, duration: float, status: Status, error_type: str | None) -> None:
        """`duration` in milliseconds."""
        self.write((self._lines.init_report(self._clock.time(), phase, duration, status, error_type),))

    def start(self, request_id: str, *, tail: bool) -> None:
        now = self._clock.time()
        line = self._lines.start(now, request_id)
        self._tail = _Tail() if tail else None
        if self._tail is not None:
            self._tail.add(line)
        self._waiting.append(LogEvent(int(now * 1000), line))

    def write(self, messages: Iterable[str]) -> None:
        """Tell `messages`, each one event."""
        stamp = int(self._clock.time() * 1000)
        events, self._waiting = self._waiting, []
        for message in messages:
            events.append(LogEvent(stamp, message))
            if self._tail is not None:
                self._tail.add(message)
        if events:
            self._facts.log(self._stream, events)

    def end(self, request_id: str, report: Report) -> bytes | None:
        """Tell the end of an invocation; its last 4 KiB where they were wanted."""
        self.write(self._lines.end(self._clock.time(), request_id, report))
        tail, self._tail = self._tail, None
        return None if tail is None else tail.bytes()


class _Tail:
    """The last LOG_TAIL_BYTES of what was added."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._size = 0

    def add(self, message: str) -> None:
        data = message.encode() if message.endswith("\n") else message.encode() + b"\n"
        self._messages.append(data)
        self._size += len(data)
        while self._size - len(self._messages[0]) >= limits.LOG_TAIL_BYTES:
            self._size -= len(self._messages.popleft())

    def bytes(self) -> bytes:
        return b"".join(self._messages)[-limits.LOG_TAIL_BYTES :]
