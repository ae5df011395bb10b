"""The lines that the platform itself writes into a function's log, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import msgspec

from lambent.compute.telemetry import events, schemas

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.compute.telemetry.events import Initialization, Status
    from lambent.compute.telemetry.levels import Level

_BYTES_PER_MB = 1_048_576


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose log it is: what the lines and events of an environment say of where they come from."""

    function: FunctionVersion
    runtime_version: str
    """As INIT_START names it: `python:3.13.v5`."""
    runtime_version_arn: str
    initialization: Initialization = "on-demand"


class Trace(msgspec.Struct, frozen=True):
    """The trace of a sampled invocation."""

    header: str
    """`Root=1-...;Parent=...;Sampled=1`, as the runtime gets it."""
    root: str
    parent: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an invocation used. Times are milliseconds."""

    duration: float
    init_duration: float | None = None
    """Set for the first invocation of an environment whose INIT came before it."""
    restore_duration: float | None = None
    """Set for the first invocation of an environment that was made from a snapshot."""
    billed_restore: int = 0
    """Whole milliseconds of the restore that the function's own hooks took."""
    memory_mb: int
    peak_memory: int
    """Bytes."""
    status: Status = "success"
    error_type: str | None = None

    @property
    def billed(self) -> int:
        """Whole milliseconds; a first invocation pays for its INIT, or for its restore, as well."""
        return max(math.ceil(self.duration + (self.init_duration or 0.0)) + self.billed_restore, 1)

    @property
    def peak_mb(self) -> int:
        """Whole megabytes, as AWS counts them."""
        return math.ceil(self.peak_memory / _BYTES_PER_MB)


class Start(msgspec.Struct, frozen=True):
    """An invocation that has begun, as its START tells of it."""

    request_id: str
    began: float
    """Seconds since the epoch."""
    trace: Trace | None = None
    tenant_id: str | None = None

    def tracing(self) -> events.Tracing | None:
        """The trace as events tell it."""
        return None if self.trace is None else events.Tracing("X-Amzn-Trace-Id", self.trace.header)

    def record(self, function: FunctionVersion) -> events.Start:
        """The event of its start."""
        return events.Start(
            request_id=self.request_id,
            function_arn=function.arn,
            version=function.version,
            tenant_id=self.tenant_id,
            tracing=self.tracing(),
        )

    def report(self, report: Report) -> events.Report:
        """The event of its end."""
        init, restore = report.init_duration, report.restore_duration
        metrics = events.Used(
            duration_ms=rounded(report.duration),
            billed_duration_ms=report.billed,
            memory_size_mb=report.memory_mb,
            max_memory_used_mb=report.peak_mb,
            init_duration_ms=None if init is None else rounded(init),
            restore_duration_ms=None if restore is None else rounded(restore),
        )
        return events.Report(
            request_id=self.request_id,
            tenant_id=self.tenant_id,
            metrics=metrics,
            status=report.status,
            error_type=report.error_type,
            tracing=self.tracing(),
        )


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """How a runtime has answered. Times are milliseconds, each from the end of the one before."""

    latency: float
    """From the start of the invocation to the first byte of the answer."""
    duration: float = 0.0
    """To its last byte."""
    overhead: float | None = None
    """To the asking for the next event, where the runtime has asked."""

    def spans(self, began: float) -> tuple[events.Span, ...]:
        """The same as the spans of an invocation that began then, in seconds since the epoch."""
        parts = [("responseLatency", self.latency), ("responseDuration", self.duration)]
        if self.overhead is not None:
            parts.append(("runtimeOverhead", self.overhead))
        spans = []
        for name, length in parts:
            spans.append(events.Span(name, schemas.stamp(began), rounded(length)))
            began += length / 1000
        return tuple(spans)


class Lines(Protocol):
    """The platform's lines in one format."""

    def start(self, now: float, start: Start) -> list[str]:
        """An invocation begins."""

    def end(self, now: float, start: Start, report: Report) -> list[str]:
        """An invocation is over."""

    def event(self, now: float, record: events.Record) -> list[str]:
        """Any other event; nothing where the format, or its level, has no line for it."""


class TextLines:
    """LogFormat Text."""

    def __init__(self, subject: Subject) -> None:
        self._version = subject.function.version

    def start(self, _now: float, start: Start) -> list[str]:
        return [f"START RequestId: {start.request_id} Version: {self._version}\n"]

    def end(self, _now: float, start: Start, report: Report) -> list[str]:
        first = "" if report.init_duration is None and report.restore_duration is None else _first(report)
        status = "" if report.status == "success" else _status(report.status, report.error_type)
        trace = "" if start.trace is None else _xray(start.trace)
        return [
            f"END RequestId: {start.request_id}\n",
            (
                f"REPORT RequestId: {start.request_id}\tDuration: {report.duration:.2f} ms\t"
                f"Billed Duration: {report.billed} ms\tMemory Size: {report.memory_mb} MB\t"
                f"Max Memory Used: {report.peak_mb} MB\t{first}{status}\n{trace}"
            ),
        ]

    def event(self, _now: float, record: events.Record) -> list[str]:
        match record:
            case events.InitStart(phase="init") | events.InitStart(phase="snap-start"):
                return [f"INIT_START {_runtime(record)}\n"]
            case events.InitReport():
                return _init_report(record)
            case events.RestoreStart():
                return [f"RESTORE_START {_runtime(record)}\n"]
            case events.RestoreReport():
                status = "" if record.status == "success" else "\t" + _status(record.status, record.error_type)
                return [f"RESTORE_REPORT Restore Duration: {record.metrics.duration_ms:.2f} ms{status}\n"]
            case events.Extension():
                error = f"\tError Type: {record.error_type}" if record.error_type else ""
                named = ", ".join(record.events)
                return [f"EXTENSION\tName: {record.name}\tState: {record.state}\tEvents: [{named}]{error}\n"]
            case events.TelemetrySubscription():
                return [f"TELEMETRY\t{_subscription(record)}"]
            case events.LogsSubscription():
                return [f"LOGS\t{_subscription(record)}"]
            case events.Fault():
                return [record.text]
            case _:
                return []


class JsonLines:
    """LogFormat JSON: the events of the Telemetry API that the system log level lets through."""

    def __init__(self, subject: Subject, level: Level) -> None:
        self._function = subject.function
        self._level = level

    def start(self, now: float, start: Start) -> list[str]:
        return self.event(now, start.record(self._function))

    def end(self, now: float, start: Start, report: Report) -> list[str]:
        return self.event(now, start.report(report))

    def event(self, now: float, record: events.Record) -> list[str]:
        if isinstance(record, events.Fault):
            return [record.text]  # AWS has no JSON for it
        return [schemas.log_line(now, record)] if events.level(record) >= self._level else []


def timed_out(now: float, request_id: str, timeout_s: float) -> str:
    """The line that says why an invocation has no END of its own."""
    return f"{schemas.stamp(now)} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


def exited(request_id: str, problem: str, error_type: str) -> str:
    """The line for a runtime that has ended."""
    return f"RequestId: {request_id} Error: {problem}\n{error_type}\n"


def sampled(header: str | None) -> Trace | None:
    """The trace of a tracing header (`Root=1-...;Parent=...;Sampled=1`); None where it is not sampled."""
    if not header or "Sampled=1" not in header:
        return None
    parts = dict(part.partition("=")[::2] for part in header.split(";"))
    if parts.get("Sampled") != "1" or "Root" not in parts:
        return None
    return Trace(header, parts["Root"], parts.get("Parent", ""))


def rounded(milliseconds: float) -> float:
    """To the microsecond, as AWS tells durations."""
    return round(milliseconds, 3)


def _first(report: Report) -> str:
    """What only the first invocation of an environment reports."""
    if report.restore_duration is not None:
        return (
            f"Restore Duration: {report.restore_duration:.2f} ms\tBilled Restore Duration: {report.billed_restore} ms\t"
        )
    return f"Init Duration: {report.init_duration:.2f} ms\t"


def _init_report(record: events.InitReport) -> list[str]:
    """On demand a good INIT has no line of its own: the first REPORT tells of it."""
    head = f"INIT_REPORT Init Duration: {record.metrics.duration_ms:.2f} ms"
    if record.status != "success":
        return [f"{head}\tPhase: {record.phase}\t{_status(record.status, record.error_type)}\n"]
    return [] if record.initialization_type == "on-demand" else [head + "\n"]


def _runtime(record: events.InitStart | events.RestoreStart) -> str:
    return f"Runtime Version: {record.runtime_version}\tRuntime Version ARN: {record.runtime_version_arn}"


def _subscription(record: events.TelemetrySubscription | events.LogsSubscription) -> str:
    types = ", ".join(category.capitalize() for category in record.types)
    return f"Name: {record.name}\tState: {record.state}\tTypes: [{types}]\n"


def _status(status: Status, error_type: str | None) -> str:
    return f"Status: {status}" + (f"\tError Type: {error_type}" if error_type else "")


def _xray(trace: Trace) -> str:
    return f"XRAY TraceId: {trace.root}\tSegmentId: {trace.parent}\tSampled: true\t\n"
