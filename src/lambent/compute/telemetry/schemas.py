"""Events as JSON: in the log of a function, and in every schema that a subscriber can ask for.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.compute import guestjson
from lambent.compute.telemetry import events


class Schema(msgspec.Struct, frozen=True):
    """One schema version of one API."""

    version: str
    kinds: frozenset[str]
    """The types of events that it knows."""
    plain: bool = False
    """Whether the records are those of the Logs API."""
    structured: bool = False
    """Whether a line may be an object; otherwise all are strings."""


_BOTH = (events.Start, events.Report, events.Extension, events.LogsDropped, events.Line, events.ExtensionLine)
_TELEMETRY = frozenset(
    record.kind
    for record in (
        *_BOTH,
        events.InitStart,
        events.InitRuntimeDone,
        events.InitReport,
        events.RestoreStart,
        events.RestoreRuntimeDone,
        events.RestoreReport,
        events.RuntimeDone,
        events.TelemetrySubscription,
    )
)
_LOGS = frozenset(record.kind for record in (*_BOTH, events.End, events.Fault, events.LogsSubscription))

TELEMETRY = {
    schema.version: schema
    for schema in (
        Schema("2022-07-01", _TELEMETRY),
        Schema("2022-12-13", _TELEMETRY, structured=True),
        Schema("2025-01-29", _TELEMETRY, structured=True),
    )
}
"""The schemas of the Telemetry API."""

LOGS = {
    schema.version: schema
    for schema in (
        Schema("2020-08-15", _LOGS, plain=True),
        Schema("2021-03-18", _LOGS | {events.RuntimeDone.kind}, plain=True),
    )
}
"""The schemas of the Logs API."""


class _Event(msgspec.Struct, frozen=True):
    time: str
    type: str
    record: Any


_encode = msgspec.json.Encoder().encode
_object = guestjson.decoder(dict[str, msgspec.Raw])


def stamp(now: float) -> str:
    """`now`, in seconds since the epoch, as events write it: `2026-11-21T02:34:43.941Z`."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log_line(now: float, record: events.Record) -> str:
    """A platform event as a line of a log in JSON."""
    return _encode(_Event(stamp(now), record.kind, _shown(record, plain=False, structured=False))).decode() + "\n"


def encode(schema: Schema, now: float, record: events.Record) -> bytes | None:
    """The event as a subscriber gets it; None where its schema has no such event."""
    if record.kind not in schema.kinds:
        return None
    return _encode(_Event(stamp(now), record.kind, _shown(record, plain=schema.plain, structured=schema.structured)))


def _shown(record: events.Record, *, plain: bool, structured: bool) -> Any:
    match record:
        case events.Line():
            return _line(record, structured=structured)
        case events.Fault():
            return record.text
        case events.Start() if plain:
            return {"requestId": record.request_id, "version": record.version}
        case events.RuntimeDone() if plain:
            return {"requestId": record.request_id, "status": record.status}
        case events.Report() if plain:
            shown = {"requestId": record.request_id, "metrics": record.metrics}
            return shown if record.tracing is None else shown | {"tracing": record.tracing}
        case _:
            return record


def _line(line: events.Line, *, structured: bool) -> Any:
    if structured and line.structured and line.text.startswith("{"):
        try:
            return _object(line.text)
        except guestjson.Malformed:
            return line.text  # it only begins like an object
    return line.text
