"""Every event's exact JSON in every schema, and its level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambent.compute.telemetry import events, schemas
from lambent.compute.telemetry.levels import Level

NOW = 1_700_000_000.1239
TIME = "2023-11-14T22:13:20.123Z"
TRACE = events.Tracing("X-Amzn-Trace-Id", "Root=1-a;Parent=b;Sampled=1")
TRACED = {"type": "X-Amzn-Trace-Id", "value": "Root=1-a;Parent=b;Sampled=1"}
WHERE: dict[str, Any] = {
    "runtime_version": "python:3.13.v5",
    "runtime_version_arn": "arn:v",
    "function_name": "f",
    "function_version": "$LATEST",
    "instance_id": "2023/11/14/[$LATEST]abc",
    "instance_max_memory": 134_217_728,
}
PLACE = {
    "runtimeVersion": "python:3.13.v5",
    "runtimeVersionArn": "arn:v",
    "functionName": "f",
    "functionVersion": "$LATEST",
    "instanceId": "2023/11/14/[$LATEST]abc",
    "instanceMaxMemory": 134_217_728,
}
USED = events.Used(duration_ms=1.5, billed_duration_ms=2, memory_size_mb=128, max_memory_used_mb=40)
USAGE = {"durationMs": 1.5, "billedDurationMs": 2, "memorySizeMB": 128, "maxMemoryUsedMB": 40}

T = ("2022-07-01", "2022-12-13", "2025-01-29")
L = ("2020-08-15", "2021-03-18")
DEEP = '{"a":' + "[" * 5000
SCHEMAS = schemas.TELEMETRY | schemas.LOGS

CASES: list[tuple[events.Record, Level, dict[tuple[str, ...], Any]]] = [
    (
        events.InitStart(initialization_type="on-demand", phase="init", **WHERE),
        Level.INFO,
        {T: {"initializationType": "on-demand", "phase": "init", **PLACE}},
    ),
    (
        events.InitRuntimeDone(initialization_type="snap-start", phase="snap-start", status="success"),
        Level.DEBUG,
        {T: {"initializationType": "snap-start", "phase": "snap-start", "status": "success"}},
    ),
    (
        events.InitRuntimeDone(initialization_type="on-demand", phase="init", status="error", error_type="X"),
        Level.WARN,
        {T: {"initializationType": "on-demand", "phase": "init", "status": "error", "errorType": "X"}},
    ),
    (
        events.InitReport(
            initialization_type="on-demand", phase="init", status="success", metrics=events.Duration(10.5)
        ),
        Level.DEBUG,
        {
            T: {
                "initializationType": "on-demand",
                "phase": "init",
                "status": "success",
                "metrics": {"durationMs": 10.5},
            }
        },
    ),
    (
        events.InitReport(
            initialization_type="provisioned-concurrency", phase="init", status="success", metrics=events.Duration(1.0)
        ),
        Level.INFO,
        {
            T: {
                "initializationType": "provisioned-concurrency",
                "phase": "init",
                "status": "success",
                "metrics": {"durationMs": 1.0},
            }
        },
    ),
    (
        events.InitReport(
            initialization_type="provisioned-concurrency",
            phase="invoke",
            status="timeout",
            metrics=events.Duration(1.0),
        ),
        Level.WARN,
        {
            T: {
                "initializationType": "provisioned-concurrency",
                "phase": "invoke",
                "status": "timeout",
                "metrics": {"durationMs": 1.0},
            }
        },
    ),
    (events.RestoreStart(**WHERE), Level.INFO, {T: PLACE}),
    (events.RestoreRuntimeDone(status="success"), Level.DEBUG, {T: {"status": "success"}}),
    (
        events.RestoreRuntimeDone(status="error", error_type="Runtime.AfterRestoreError"),
        Level.WARN,
        {T: {"status": "error", "errorType": "Runtime.AfterRestoreError"}},
    ),
    (
        events.RestoreReport(status="success", metrics=events.Duration(15.19)),
        Level.INFO,
        {T: {"status": "success", "metrics": {"durationMs": 15.19}}},
    ),
    (
        events.RestoreReport(status="failure", error_type="E", metrics=events.Duration(15.19)),
        Level.WARN,
        {T: {"status": "failure", "errorType": "E", "metrics": {"durationMs": 15.19}}},
    ),
    (
        events.Start(request_id="r", function_arn="arn:f", version="3"),
        Level.INFO,
        {T: {"requestId": "r", "functionArn": "arn:f", "version": "3"}, L: {"requestId": "r", "version": "3"}},
    ),
    (
        events.Start(request_id="r", function_arn="arn:f", version="3", tenant_id="t", tracing=TRACE),
        Level.INFO,
        {
            T: {"requestId": "r", "functionArn": "arn:f", "version": "3", "tenantId": "t", "tracing": TRACED},
            L: {"requestId": "r", "version": "3"},
        },
    ),
    (
        events.RuntimeDone(
            request_id="r",
            status="success",
            tracing=TRACE,
            spans=(events.Span("responseLatency", TIME, 2.215),),
            metrics=events.Produced(11.185, 40),
        ),
        Level.DEBUG,
        {
            T: {
                "requestId": "r",
                "status": "success",
                "tracing": TRACED,
                "spans": [{"name": "responseLatency", "start": TIME, "durationMs": 2.215}],
                "metrics": {"durationMs": 11.185, "producedBytes": 40},
            },
            ("2021-03-18",): {"requestId": "r", "status": "success"},
        },
    ),
    (
        events.RuntimeDone(request_id="r", status="timeout", metrics=events.Produced(5001.182, 0)),
        Level.WARN,
        {
            T: {"requestId": "r", "status": "timeout", "metrics": {"durationMs": 5001.182, "producedBytes": 0}},
            ("2021-03-18",): {"requestId": "r", "status": "timeout"},
        },
    ),
    (
        events.Report(request_id="r", metrics=USED, status="success"),
        Level.INFO,
        {T: {"requestId": "r", "metrics": USAGE, "status": "success"}, L: {"requestId": "r", "metrics": USAGE}},
    ),
    (
        events.Report(
            request_id="r",
            tenant_id="t",
            metrics=events.Used(
                duration_ms=1.5,
                billed_duration_ms=2,
                memory_size_mb=128,
                max_memory_used_mb=40,
                init_duration_ms=3.25,
                restore_duration_ms=4.5,
            ),
            status="error",
            error_type="Runtime.ExitError",
            tracing=TRACE,
        ),
        Level.WARN,
        {
            T: {
                "requestId": "r",
                "tenantId": "t",
                "metrics": {**USAGE, "initDurationMs": 3.25, "restoreDurationMs": 4.5},
                "status": "error",
                "errorType": "Runtime.ExitError",
                "tracing": TRACED,
            },
            L: {
                "requestId": "r",
                "metrics": {**USAGE, "initDurationMs": 3.25, "restoreDurationMs": 4.5},
                "tracing": TRACED,
            },
        },
    ),
    (events.End(request_id="r"), Level.INFO, {L: {"requestId": "r"}}),
    (
        events.Extension(name="x", state="Ready", events=("INVOKE", "SHUTDOWN")),
        Level.INFO,
        {(*T, *L): {"name": "x", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}},
    ),
    (
        events.Extension(name="x", state="LaunchError", events=(), error_type="PermissionDenied"),
        Level.WARN,
        {(*T, *L): {"name": "x", "state": "LaunchError", "events": [], "errorType": "PermissionDenied"}},
    ),
    (
        events.TelemetrySubscription(name="x", state="Subscribed", types=("platform", "function")),
        Level.INFO,
        {T: {"name": "x", "state": "Subscribed", "types": ["platform", "function"]}},
    ),
    (
        events.LogsSubscription(name="x", state="Subscribed", types=("platform",)),
        Level.INFO,
        {L: {"name": "x", "state": "Subscribed", "types": ["platform"]}},
    ),
    (
        events.LogsDropped(dropped_bytes=12345, dropped_records=123, reason="slow"),
        Level.WARN,
        {(*T, *L): {"droppedBytes": 12345, "droppedRecords": 123, "reason": "slow"}},
    ),
    (events.Fault(text="RequestId: r Error: x\n"), Level.WARN, {L: "RequestId: r Error: x\n"}),
    (events.Line(text="hello\n", structured=False), Level.INFO, {(*T, *L): "hello\n"}),
    (events.Line(text='{"a":[1, 2]}\n', structured=False), Level.INFO, {(*T, *L): '{"a":[1, 2]}\n'}),
    (
        events.Line(text='{"a":[1, 2]}\n', structured=True),
        Level.INFO,
        {T[1:]: {"a": [1, 2]}, (T[0], *L): '{"a":[1, 2]}\n'},
    ),
    (events.Line(text='{"a":\n', structured=True), Level.INFO, {(*T, *L): '{"a":\n'}),
    (events.Line(text=DEEP, structured=True), Level.INFO, {(*T, *L): DEEP}),
    (
        events.ExtensionLine(text='{"a":1}\n', structured=True),
        Level.INFO,
        {T[1:]: {"a": 1}, (T[0], *L): '{"a":1}\n'},
    ),
]


@pytest.mark.parametrize("version", sorted(SCHEMAS))
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n][0].kind}")
def test_an_event_in_a_schema(case: int, version: str) -> None:
    record, _, expected = CASES[case]
    encoded = schemas.encode(SCHEMAS[version], NOW, record)
    found = [shown for versions, shown in expected.items() if version in versions]
    if not found:
        assert encoded is None
        return
    assert encoded is not None
    assert json.loads(encoded) == {"time": TIME, "type": record.kind, "record": found[0]}


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n][0].kind}")
def test_the_level_of_an_event(case: int) -> None:
    record, level, _ = CASES[case]
    assert events.level(record) == level


def test_a_start_without_a_runtime_version_is_for_debugging() -> None:
    bare = {name: value for name, value in WHERE.items() if not name.startswith("runtime")}
    assert events.level(events.InitStart(initialization_type="on-demand", phase="init", **bare)) == Level.DEBUG
    assert events.level(events.RestoreStart(**bare)) == Level.DEBUG


def test_a_line_of_the_log_has_the_members_in_the_order_of_aws() -> None:
    record = events.Report(request_id="r", metrics=USED, status="success")
    assert schemas.log_line(NOW, record) == (
        '{"time":"2023-11-14T22:13:20.123Z","type":"platform.report","record":{"requestId":"r","metrics":'
        '{"durationMs":1.5,"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":40},"status":"success"}}\n'
    )
