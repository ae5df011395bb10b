"""The road of facts: tell, never ask. A teller neither waits nor fails."""

from __future__ import annotations

from typing import Protocol

import msgspec


class LogEvent(msgspec.Struct, frozen=True):
    """One event of a log stream; `timestamp` is milliseconds since the epoch."""

    timestamp: int
    message: str


class LogStream(msgspec.Struct, frozen=True):
    """The log stream that events go to; it and its group come into being with the first event."""

    account: str
    region: str
    group: str
    name: str


class Facts(Protocol):
    """Where anybody tells what happened."""

    def log(self, stream: LogStream, events: list[LogEvent]) -> None:
        """Append `events` to `stream`, soon and durably. Returns at once; what cannot be kept is counted."""
