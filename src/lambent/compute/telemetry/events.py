"""The platform's events as typed records, and the system log level of each.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from lambent.compute.telemetry.levels import Level

Status = Literal["success", "failure", "error", "timeout"]
Phase = Literal["init", "invoke", "snap-start"]
"""`invoke`: INIT is repeated within the first invocation."""
Initialization = Literal["on-demand", "provisioned-concurrency", "snap-start", "lambda-managed-instances"]
Category = Literal["platform", "function", "extension"]


class Tracing(msgspec.Struct, frozen=True):
    """The trace that a sampled invocation belongs to."""

    type: Literal["X-Amzn-Trace-Id"]
    value: str
    """`Root=1-...;Parent=...;Sampled=1`."""


class Span(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an invocation's time: `responseLatency`, `responseDuration` or `runtimeOverhead`."""

    name: str
    start: str
    """`2026-11-21T02:34:43.941Z`."""
    duration_ms: float


class Duration(msgspec.Struct, frozen=True, rename="camel"):
    """The metrics of a phase."""

    duration_ms: float


class Produced(msgspec.Struct, frozen=True, rename="camel"):
    """The metrics of what the runtime did; the bytes are those of its answer."""

    duration_ms: float
    produced_bytes: int


class Used(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The metrics of an invocation."""

    duration_ms: float
    billed_duration_ms: int
    memory_size_mb: int = msgspec.field(name="memorySizeMB")
    max_memory_used_mb: int = msgspec.field(name="maxMemoryUsedMB")
    init_duration_ms: float | None = None
    restore_duration_ms: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The `record` of an event; what is None is left out of it."""

    kind: ClassVar[str]
    """The `type` of the event."""
    category: ClassVar[Category] = "platform"


class InitStart(Record, frozen=True, kw_only=True):
    """INIT begins."""

    kind = "platform.initStart"
    initialization_type: Initialization
    phase: Phase
    runtime_version: str | None = None
    runtime_version_arn: str | None = None
    function_name: str
    function_version: str
    instance_id: str
    """The name of the log stream."""
    instance_max_memory: int
    """Bytes."""


class InitRuntimeDone(Record, frozen=True, kw_only=True):
    """The runtime is initialised, or has failed to be."""

    kind = "platform.initRuntimeDone"
    initialization_type: Initialization
    phase: Phase
    status: Status
    error_type: str | None = None


class InitReport(Record, frozen=True, kw_only=True):
    """INIT is over."""

    kind = "platform.initReport"
    initialization_type: Initialization
    phase: Phase
    status: Status
    error_type: str | None = None
    metrics: Duration


class RestoreStart(Record, frozen=True, kw_only=True):
    """An environment is made from a snapshot."""

    kind = "platform.restoreStart"
    runtime_version: str | None = None
    runtime_version_arn: str | None = None
    function_name: str
    function_version: str
    instance_id: str
    instance_max_memory: int


class RestoreRuntimeDone(Record, frozen=True, kw_only=True):
    """The runtime has run its after-restore hooks."""

    kind = "platform.restoreRuntimeDone"
    status: Status
    error_type: str | None = None


class RestoreReport(Record, frozen=True, kw_only=True):
    """The restore is over."""

    kind = "platform.restoreReport"
    status: Status
    error_type: str | None = None
    metrics: Duration


class Start(Record, frozen=True, kw_only=True):
    """An invocation begins."""

    kind = "platform.start"
    request_id: str
    function_arn: str
    version: str
    tenant_id: str | None = None
    tracing: Tracing | None = None


class RuntimeDone(Record, frozen=True, kw_only=True):
    """The runtime has answered, or never will."""

    kind = "platform.runtimeDone"
    request_id: str
    tenant_id: str | None = None
    status: Status
    error_type: str | None = None
    tracing: Tracing | None = None
    spans: tuple[Span, ...] = ()
    metrics: Produced


class Report(Record, frozen=True, kw_only=True):
    """An invocation is over, extensions included."""

    kind = "platform.report"
    request_id: str
    tenant_id: str | None = None
    metrics: Used
    status: Status
    error_type: str | None = None
    tracing: Tracing | None = None


class End(Record, frozen=True, kw_only=True):
    """An invocation is over (Logs API only)."""

    kind = "platform.end"
    request_id: str


class Extension(Record, frozen=True, kw_only=True):
    """An extension is up (`Ready`), or has failed to be (`LaunchError`, `InitError`, ...)."""

    kind = "platform.extension"
    name: str
    state: str
    events: tuple[str, ...]
    error_type: str | None = None


class TelemetrySubscription(Record, frozen=True, kw_only=True):
    """An extension has subscribed by the Telemetry API."""

    kind = "platform.telemetrySubscription"
    name: str
    state: Literal["Subscribed"]
    types: tuple[Category, ...]


class LogsSubscription(Record, frozen=True, kw_only=True):
    """An extension has subscribed by the Logs API."""

    kind = "platform.logsSubscription"
    name: str
    state: Literal["Subscribed"]
    types: tuple[Category, ...]


class LogsDropped(Record, frozen=True, kw_only=True):
    """Events did not reach a subscriber."""

    kind = "platform.logsDropped"
    dropped_bytes: int
    dropped_records: int
    reason: str


class Fault(Record, frozen=True, kw_only=True):
    """An invocation was broken off (Logs API only): the record is the text."""

    kind = "platform.fault"
    text: str


class Line(Record, frozen=True, kw_only=True):
    """A message of the function: the record is the text, or the JSON object that it is."""

    kind = "function"
    category: ClassVar[Category] = "function"
    text: str
    structured: bool
    """Whether the function's log format is JSON."""


class ExtensionLine(Line, frozen=True, kw_only=True):
    """A message of an extension."""

    kind = "extension"
    category = "extension"


def level(record: Record) -> Level:
    """The level of a platform event among the system logs:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    match record:
        case InitStart(runtime_version=None) | RestoreStart(runtime_version=None):
            return Level.DEBUG
        case InitReport(status="success", initialization_type="on-demand"):
            return Level.DEBUG
        case InitRuntimeDone(status="success") | RestoreRuntimeDone(status="success") | RuntimeDone(status="success"):
            return Level.DEBUG
        case InitReport(status="success") | RestoreReport(status="success") | Report(status="success"):
            return Level.INFO
        case InitRuntimeDone() | InitReport() | RestoreRuntimeDone() | RestoreReport() | RuntimeDone() | Report():
            return Level.WARN
        case Extension(error_type=str()) | LogsDropped() | Fault():
            return Level.WARN
        case _:
            return Level.INFO
