"""The lines that the platform itself writes into a function's log, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion

Status = Literal["success", "timeout", "error", "failure"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an invocation used. Times are milliseconds."""

    duration: float
    init_duration: float | None
    memory_mb: int
    peak_memory: int
    """Bytes."""
    status: Status = "success"
    error_type: str | None = None

    @property
    def billed(self) -> int:
        """Whole milliseconds; a first invocation pays for its INIT as well."""
        return max(math.ceil(self.duration + (self.init_duration or 0.0)), 1)

    @property
    def peak_mb(self) -> int:
        """Whole megabytes, as AWS counts them."""
        return math.ceil(self.peak_memory / 1_048_576)


class Lines(Protocol):
    """The platform's lines in one format. None where the format has no such line."""

    def init_start(self, now: float) -> str:
        """A process starts."""

    def init_report(self, now: float, phase: str, duration: float, status: Status, error_type: str | None) -> str:
        """An INIT has failed."""

    def start(self, now: float, request_id: str) -> str:
        """An invocation begins."""

    def end(self, now: float, request_id: str, report: Report) -> list[str]:
        """An invocation is over."""


class TextLines:
    """LogFormat Text."""

    def __init__(self, function: FunctionVersion, runtime_version: str, runtime_arn: str) -> None:
        self._version = function.version
        self._runtime = f"INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_arn}\n"

    def init_start(self, _now: float) -> str:
        return self._runtime

    def init_report(self, _now: float, phase: str, duration: float, status: Status, error_type: str | None) -> str:
        return f"INIT_REPORT Init Duration: {duration:.2f} ms\tPhase: {phase}\t{_status(status, error_type)}\n"

    def start(self, _now: float, request_id: str) -> str:
        return f"START RequestId: {request_id} Version: {self._version}\n"

    def end(self, _now: float, request_id: str, report: Report) -> list[str]:
        init = "" if report.init_duration is None else f"Init Duration: {report.init_duration:.2f} ms\t"
        status = "" if report.status == "success" else _status(report.status, report.error_type)
        return [
            f"END RequestId: {request_id}\n",
            (
                f"REPORT RequestId: {request_id}\tDuration: {report.duration:.2f} ms\t"
                f"Billed Duration: {report.billed} ms\tMemory Size: {report.memory_mb} MB\t"
                f"Max Memory Used: {report.peak_mb} MB\t{init}{status}\n"
            ),
        ]


class JsonLines:
    """LogFormat JSON: the events of the Telemetry API that a system log level of INFO lets through."""

    def __init__(self, function: FunctionVersion, runtime_version: str, runtime_arn: str) -> None:
        self._function = function
        self._runtime_version = runtime_version
        self._runtime_arn = runtime_arn

    def init_start(self, now: float) -> str:
        return _event(
            now,
            "platform.initStart",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": self._runtime_version,
                "runtimeVersionArn": self._runtime_arn,
                "functionName": self._function.name,
                "functionVersion": self._function.version,
            },
        )

    def init_report(self, now: float, phase: str, duration: float, status: Status, error_type: str | None) -> str:
        record = {
            "initializationType": "on-demand",
            "phase": phase,
            "status": status,
            "errorType": error_type,
            "metrics": {"durationMs": round(duration, 3)},
        }
        return _event(now, "platform.initReport", record)

    def start(self, now: float, request_id: str) -> str:
        return _event(now, "platform.start", {"requestId": request_id, "version": self._function.version})

    def end(self, now: float, request_id: str, report: Report) -> list[str]:
        metrics: dict[str, Any] = {
            "durationMs": round(report.duration, 3),
            "billedDurationMs": report.billed,
            "memorySizeMB": report.memory_mb,
            "maxMemoryUsedMB": report.peak_mb,
        }
        if report.init_duration is not None:
            metrics["initDurationMs"] = round(report.init_duration, 3)
        record = {"requestId": request_id, "metrics": metrics, "status": report.status, "errorType": report.error_type}
        return [_event(now, "platform.report", record)]


def timed_out(now: float, request_id: str, timeout_s: float) -> str:
    """The line that says why an invocation has no END of its own."""
    return f"{_stamp(now)} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


def exited(request_id: str, problem: str) -> str:
    """The line for a runtime that has ended."""
    return f"RequestId: {request_id} Error: {problem}\nRuntime.ExitError\n"


def _status(status: Status, error_type: str | None) -> str:
    return f"Status: {status}" + (f"\tError Type: {error_type}" if error_type else "")


def _event(now: float, kind: str, record: dict[str, Any]) -> str:
    kept = {name: value for name, value in record.items() if value is not None}
    return msgspec.json.encode({"time": _stamp(now), "type": kind, "record": kept}).decode() + "\n"


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
