"""The levels of log lines, and how the platform reads them off what a function writes.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from lambent.compute import guestjson


class Level(enum.IntEnum):
    """How much a line matters. The numbers are those of the framed log protocol."""

    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5
    FATAL = 6


_NAMES = {**Level.__members__, "WARNING": Level.WARN, "CRITICAL": Level.FATAL}
_TIMESTAMPS = ("timestamp", "time", "Timestamp", "@timestamp")

_Rfc3339 = Annotated[datetime, msgspec.Meta(tz=True)]
_decode = guestjson.decoder(dict[str, Any])


class Own(NamedTuple):
    """What a line says of itself."""

    level: Level
    time: float | None
    """Seconds since the epoch; None where it gives no valid time."""


def named(name: object) -> Level | None:
    """The level of that name in any case, the names of Python's logging included; None where there is none."""
    return _NAMES.get(name.upper()) if isinstance(name, str) else None


def read(line: str) -> Own | None:
    """What a line that is a JSON object says of itself. Without a valid level, or without a valid RFC 3339 timestamp,
    its level is INFO. None for any other line: it has no level, and nothing filters it."""
    if not line.startswith("{"):
        return None
    try:
        entry = _decode(line)
    except guestjson.Malformed:
        return None
    time = next((_moment(entry[name]) for name in _TIMESTAMPS if name in entry), None)
    level = named(entry.get("level"))
    return Own(Level.INFO if time is None or level is None else level, time)


def _moment(value: object) -> float | None:
    try:
        return msgspec.convert(value, _Rfc3339).timestamp()
    except (msgspec.ValidationError, OverflowError):
        return None
