"""The journal: every line in text and in JSON, what the levels let through, the order, the tail, the subscribers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.compute.function import FunctionVersion
from lambent.compute.journal import Journal
from lambent.compute.loglines import Report, Response, Subject
from lambent.compute.telemetry import subscriptions
from lambent.compute.telemetry.frames import Frame
from lambent.compute.telemetry.levels import Level
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.facts import LogEvent, LogStream
from lambent.kernel.tasks import Supervisor
from tests.compute.telemetry.listeners import connect, http_listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.compute.telemetry.events import Initialization

START = 1_700_000_000.0
TIME = "2023-11-14T22:13:20.000Z"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
TRACING = {"type": "X-Amzn-Trace-Id", "value": TRACE}

Act = Callable[[Journal], object]


class Told:
    def __init__(self) -> None:
        self.calls: list[list[LogEvent]] = []

    def log(self, stream: LogStream, events: list[LogEvent]) -> None:
        assert stream.name == "2023/11/14/[3]abc"
        assert events, "nothing is told for nothing"
        self.calls.append(events)

    @property
    def messages(self) -> list[str]:
        return [event.message for call in self.calls for event in call]

    @property
    def stamps(self) -> list[int]:
        return [event.timestamp for call in self.calls for event in call]


class Desk:
    """A journal and where it goes."""

    def __init__(self, initialization: Initialization = "on-demand", **changes: Any) -> None:
        self.told = Told()
        self.clock = VirtualClock(START)
        self.supervisor = Supervisor(self.clock)
        stream = LogStream(account="", region="", group="g", name="2023/11/14/[3]abc")
        subject = Subject(
            function=function(**changes),
            runtime_version="python:3.13.v5",
            runtime_version_arn="arn:runtime",
            initialization=initialization,
        )
        self.journal = Journal(self.told, self.clock, stream, subject, self.supervisor)

    def after(self, *acts: Act) -> list[str]:
        for act in acts:
            act(self.journal)
        return self.told.messages


def function(**changes: Any) -> FunctionVersion:
    fields: dict[str, Any] = {
        "account": "000000000000",
        "region": "us-east-1",
        "name": "f",
        "version": "3",
        "revision": "",
        "role": "",
        "runtime": "python3.13",
        "handler": "",
        "code_sha256": "",
        "memory_mb": 128,
        "timeout_s": 3,
        "variables": {},
        "log_group": "g",
    }
    return FunctionVersion(**fields | changes)


def report(**changes: Any) -> Report:
    return Report(**{"duration": 12.3456, "memory_mb": 128, "peak_memory": 41_000_000} | changes)


def begun(journal: Journal) -> None:
    journal.start("r")


def body(port: int, *types: str, schema: str = "2022-12-13") -> bytes:
    destination = {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}"}
    return json.dumps({"schemaVersion": schema, "types": types, "destination": destination}).encode()


PLACE = {
    "runtimeVersion": "python:3.13.v5",
    "runtimeVersionArn": "arn:runtime",
    "functionName": "f",
    "functionVersion": "3",
    "instanceId": "2023/11/14/[3]abc",
    "instanceMaxMemory": 134_217_728,
}
METRICS = {"durationMs": 12.346, "billedDurationMs": 13, "memorySizeMB": 128, "maxMemoryUsedMB": 40}
REPORT_LINE = (
    "REPORT RequestId: r\tDuration: 12.35 ms\tBilled Duration: {} ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB"
    "\t{}\n{}"
)

# What is done, the lines in text, and per event of JSON: its type, its record and its level.
CASES: dict[str, tuple[Act, list[str], list[tuple[str, Any, str]]]] = {
    "init_start": (
        lambda journal: journal.init_start(),
        ["INIT_START Runtime Version: python:3.13.v5\tRuntime Version ARN: arn:runtime\n"],
        [("platform.initStart", {"initializationType": "on-demand", "phase": "init", **PLACE}, "INFO")],
    ),
    "init_start_again": (
        lambda journal: journal.init_start("invoke"),
        [],
        [("platform.initStart", {"initializationType": "on-demand", "phase": "invoke", **PLACE}, "INFO")],
    ),
    "init_runtime_done": (
        lambda journal: journal.init_runtime_done("init", "success"),
        [],
        [
            (
                "platform.initRuntimeDone",
                {"initializationType": "on-demand", "phase": "init", "status": "success"},
                "DEBUG",
            )
        ],
    ),
    "init_runtime_failed": (
        lambda journal: journal.init_runtime_done("init", "error", "Runtime.ImportModuleError"),
        [],
        [
            (
                "platform.initRuntimeDone",
                {
                    "initializationType": "on-demand",
                    "phase": "init",
                    "status": "error",
                    "errorType": "Runtime.ImportModuleError",
                },
                "WARN",
            )
        ],
    ),
    "init_report": (
        lambda journal: journal.init_report("init", 173.7784, "success"),
        [],
        [
            (
                "platform.initReport",
                {
                    "initializationType": "on-demand",
                    "phase": "init",
                    "status": "success",
                    "metrics": {"durationMs": 173.778},
                },
                "DEBUG",
            )
        ],
    ),
    "init_report_failed": (
        lambda journal: journal.init_report("invoke", 87.284, "error", "Runtime.ImportModuleError"),
        ["INIT_REPORT Init Duration: 87.28 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError\n"],
        [
            (
                "platform.initReport",
                {
                    "initializationType": "on-demand",
                    "phase": "invoke",
                    "status": "error",
                    "errorType": "Runtime.ImportModuleError",
                    "metrics": {"durationMs": 87.284},
                },
                "WARN",
            )
        ],
    ),
    "init_report_timeout": (
        lambda journal: journal.init_report("init", 10_000.4871, "timeout"),
        ["INIT_REPORT Init Duration: 10000.49 ms\tPhase: init\tStatus: timeout\n"],
        [
            (
                "platform.initReport",
                {
                    "initializationType": "on-demand",
                    "phase": "init",
                    "status": "timeout",
                    "metrics": {"durationMs": 10_000.487},
                },
                "WARN",
            )
        ],
    ),
    "restore_start": (
        lambda journal: journal.restore_start(),
        ["RESTORE_START Runtime Version: python:3.13.v5\tRuntime Version ARN: arn:runtime\n"],
        [("platform.restoreStart", PLACE, "INFO")],
    ),
    "restore_runtime_done": (
        lambda journal: journal.restore_runtime_done("success"),
        [],
        [("platform.restoreRuntimeDone", {"status": "success"}, "DEBUG")],
    ),
    "restore_report": (
        lambda journal: journal.restore_report(398.97, "success"),
        ["RESTORE_REPORT Restore Duration: 398.97 ms\n"],
        [("platform.restoreReport", {"status": "success", "metrics": {"durationMs": 398.97}}, "INFO")],
    ),
    "restore_report_failed": (
        lambda journal: journal.restore_report(1.0, "error", "Runtime.AfterRestoreError"),
        ["RESTORE_REPORT Restore Duration: 1.00 ms\tStatus: error\tError Type: Runtime.AfterRestoreError\n"],
        [
            (
                "platform.restoreReport",
                {"status": "error", "errorType": "Runtime.AfterRestoreError", "metrics": {"durationMs": 1.0}},
                "WARN",
            )
        ],
    ),
    "extension": (
        lambda journal: journal.extension("agent", "Ready", ["INVOKE", "SHUTDOWN"]),
        ["EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"],
        [("platform.extension", {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}, "INFO")],
    ),
    "extension_failed": (
        lambda journal: journal.extension("agent", "LaunchError", [], "PermissionDenied"),
        ["EXTENSION\tName: agent\tState: LaunchError\tEvents: []\tError Type: PermissionDenied\n"],
        [
            (
                "platform.extension",
                {"name": "agent", "state": "LaunchError", "events": [], "errorType": "PermissionDenied"},
                "WARN",
            )
        ],
    ),
    "invocation": (
        lambda journal: (journal.start("r"), journal.end("r", report())),
        ["START RequestId: r Version: 3\n", "END RequestId: r\n", REPORT_LINE.format(13, "", "")],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            ("platform.report", {"requestId": "r", "metrics": METRICS, "status": "success"}, "INFO"),
        ],
    ),
    "first_invocation": (
        lambda journal: (begun(journal), journal.end("r", report(init_duration=463.5124))),
        [
            "START RequestId: r Version: 3\n",
            "END RequestId: r\n",
            REPORT_LINE.format(476, "Init Duration: 463.51 ms\t", ""),
        ],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            (
                "platform.report",
                {
                    "requestId": "r",
                    "metrics": {**METRICS, "billedDurationMs": 476, "initDurationMs": 463.512},
                    "status": "success",
                },
                "INFO",
            ),
        ],
    ),
    "restored_invocation": (
        lambda journal: (begun(journal), journal.end("r", report(restore_duration=398.97, billed_restore=182))),
        [
            "START RequestId: r Version: 3\n",
            "END RequestId: r\n",
            REPORT_LINE.format(195, "Restore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\t", ""),
        ],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            (
                "platform.report",
                {
                    "requestId": "r",
                    "metrics": {**METRICS, "billedDurationMs": 195, "restoreDurationMs": 398.97},
                    "status": "success",
                },
                "INFO",
            ),
        ],
    ),
    "timeout": (
        lambda journal: (
            begun(journal),
            journal.timed_out("r", 3),
            journal.runtime_done("r", "timeout", duration_ms=3000.1, produced_bytes=0),
            journal.end("r", report(status="timeout", init_duration=1.0)),
        ),
        [
            "START RequestId: r Version: 3\n",
            f"{TIME} r Task timed out after 3.00 seconds\n\n",
            "END RequestId: r\n",
            REPORT_LINE.format(14, "Init Duration: 1.00 ms\tStatus: timeout", ""),
        ],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            (
                "platform.runtimeDone",
                {"requestId": "r", "status": "timeout", "metrics": {"durationMs": 3000.1, "producedBytes": 0}},
                "WARN",
            ),
            (
                "platform.report",
                {
                    "requestId": "r",
                    "metrics": {**METRICS, "billedDurationMs": 14, "initDurationMs": 1.0},
                    "status": "timeout",
                },
                "WARN",
            ),
        ],
    ),
    "crash": (
        lambda journal: (
            begun(journal),
            journal.exited("r", "Runtime exited with error: exit status 1"),
            journal.end("r", report(status="error", error_type="Runtime.ExitError")),
        ),
        [
            "START RequestId: r Version: 3\n",
            "RequestId: r Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n",
            "END RequestId: r\n",
            REPORT_LINE.format(13, "Status: error\tError Type: Runtime.ExitError", ""),
        ],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            (
                "platform.report",
                {"requestId": "r", "metrics": METRICS, "status": "error", "errorType": "Runtime.ExitError"},
                "WARN",
            ),
        ],
    ),
    "traced": (
        lambda journal: (journal.start("r", trace_id=TRACE, tenant_id="t"), journal.end("r", report())),
        [
            "START RequestId: r Version: 3\n",
            "END RequestId: r\n",
            REPORT_LINE.format(
                13,
                "",
                "XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 53995c3f42cd8ad8\tSampled: true\t\n",
            ),
        ],
        [
            (
                "platform.start",
                {"requestId": "r", "functionArn": ARN, "version": "3", "tenantId": "t", "tracing": TRACING},
                "INFO",
            ),
            (
                "platform.report",
                {"requestId": "r", "tenantId": "t", "metrics": METRICS, "status": "success", "tracing": TRACING},
                "INFO",
            ),
        ],
    ),
    "runtime_done": (
        lambda journal: (
            begun(journal),
            journal.runtime_done(
                "r",
                "success",
                duration_ms=11.185,
                produced_bytes=40,
                response=Response(latency=2.2151, duration=0.056, overhead=8.686),
            ),
            journal.write(["last\n"]),
        ),
        ["START RequestId: r Version: 3\n", "last\n"],
        [
            ("platform.start", {"requestId": "r", "functionArn": ARN, "version": "3"}, "INFO"),
            (
                "platform.runtimeDone",
                {
                    "requestId": "r",
                    "status": "success",
                    "spans": [
                        {"name": "responseLatency", "start": TIME, "durationMs": 2.215},
                        {"name": "responseDuration", "start": "2023-11-14T22:13:20.002Z", "durationMs": 0.056},
                        {"name": "runtimeOverhead", "start": "2023-11-14T22:13:20.002Z", "durationMs": 8.686},
                    ],
                    "metrics": {"durationMs": 11.185, "producedBytes": 40},
                },
                "DEBUG",
            ),
        ],
    ),
}


@pytest.fixture
async def plain() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    desk.journal.close()
    await desk.supervisor.stop()


@pytest.mark.parametrize("case", list(CASES))
async def test_text(plain: Desk, case: str) -> None:
    act, lines, _ = CASES[case]
    assert plain.after(act) == lines


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARN"])
@pytest.mark.parametrize("case", list(CASES))
async def test_json(case: str, level: str) -> None:
    act, _, events = CASES[case]
    desk = Desk(log_format="JSON", system_log_level=level)
    messages = desk.after(act, lambda journal: journal.write(["end\n"]))[:-1]
    assert all(message.endswith("}\n") for message in messages if message[0] == "{")
    assert [json.loads(message) for message in messages if message[0] == "{"] == [
        {"time": TIME, "type": kind, "record": record} for kind, record, own in events if Level[own] >= Level[level]
    ]


async def test_what_breaks_an_invocation_off_is_said_in_text_in_both_formats() -> None:
    desk = Desk(log_format="JSON", system_log_level="WARN")
    messages = desk.after(begun, lambda journal: journal.fault("RequestId: r Error: x\nX\n"))
    assert messages == ["RequestId: r Error: x\nX\n"]


@pytest.mark.parametrize("initialization", ["provisioned-concurrency", "snap-start"])
async def test_an_init_ahead_of_time_has_a_line_of_its_own(initialization: Any) -> None:
    desk = Desk(initialization)
    assert desk.after(lambda journal: journal.init_report("init", 9908.09, "success")) == [
        "INIT_REPORT Init Duration: 9908.09 ms\n"
    ]


@pytest.mark.parametrize(
    "header", [None, "", "Root=1-a;Parent=b;Sampled=0", "Root=1-a;Parent=b", "Sampled=1", "=;=Sampled=1"]
)
async def test_what_is_not_sampled_is_not_traced(plain: Desk, header: str | None) -> None:
    messages = plain.after(lambda journal: journal.start("r", trace_id=header), lambda j: j.end("r", report()))
    assert messages[-1] == REPORT_LINE.format(13, "", "")


def test_an_invocation_is_billed_with_its_init() -> None:
    assert report(duration=0.0).billed == 1
    assert report(duration=1655.10, init_duration=322.04).billed == 1978
    assert report(duration=2338.66, restore_duration=398.97, billed_restore=182).billed == 2521
    assert report(peak_memory=0).peak_mb == 0
    assert report(peak_memory=1).peak_mb == 1


async def test_a_quiet_invocation_is_told_in_one_go(plain: Desk) -> None:
    plain.after(begun)
    assert plain.told.calls == []
    plain.after(lambda journal: journal.end("r", report()))
    assert [len(call) for call in plain.told.calls] == [3]


async def test_start_may_be_told_behind_a_repeated_init(plain: Desk) -> None:
    tails: list[bytes | None] = []
    messages = plain.after(
        lambda journal: journal.init_start(),
        lambda journal: journal.write(["before\n"]),
        lambda journal: journal.init_start("invoke"),
        lambda journal: journal.write(["[ERROR] no\n"]),
        lambda journal: journal.init_report("invoke", 1.0, "error", "X"),
        lambda journal: journal.start("r", tail=True),
        lambda journal: tails.append(journal.end("r", report())),
    )
    heads = ["INIT_START", "before", "[ERROR]", "INIT_REPORT", "START", "END", "REPORT"]
    assert [message.split()[0] for message in messages] == heads
    assert tails == ["".join(messages[1:]).encode()]


async def test_the_tail_of_a_first_invocation_has_its_init() -> None:
    desk = Desk(log_format="JSON")
    desk.after(lambda journal: journal.init_start(), lambda journal: journal.write(["loading\n"]))
    desk.journal.start("r", tail=True)
    assert desk.journal.end("r", report()) == "".join(desk.told.messages).encode()
    assert desk.told.messages[0].startswith('{"time":')
    desk.journal.start("s", tail=True)
    tail = desk.journal.end("s", report())
    assert tail is not None
    assert b"loading" not in tail


@pytest.mark.parametrize("initialization", ["provisioned-concurrency", "snap-start"])
async def test_an_init_that_nobody_waited_for_is_in_no_tail(initialization: Initialization) -> None:
    desk = Desk(initialization)
    desk.after(lambda journal: journal.init_start(), lambda journal: journal.write(["loading\n"]))
    desk.journal.start("r", tail=True)
    tail = desk.journal.end("r", report())
    assert tail is not None
    assert tail.startswith(b"START")


async def test_the_tail_is_the_last_of_the_log(plain: Desk) -> None:
    plain.journal.start("r", tail=True)
    plain.journal.write(["x" * 3000 + "\n", "y" * 3000])
    tail = plain.journal.end("r", report())
    assert tail is not None
    assert len(tail) == limits.LOG_TAIL_BYTES
    assert tail.startswith(b"x")
    assert b"y\nEND RequestId" in tail
    plain.journal.start("s")
    assert plain.journal.end("s", report()) is None


async def test_the_tail_leaves_out_what_the_levels_leave_out() -> None:
    desk = Desk(log_format="JSON", log_level="ERROR", system_log_level="WARN")
    desk.journal.start("r", tail=True)
    desk.journal.write(['{"level":"info","timestamp":"2023-11-14T22:13:20Z"}\n', "bare\n"])
    assert desk.journal.end("r", report()) == b"bare\n"
    assert desk.told.messages == ["bare\n"]


def leveled(level: str, time: str = "2023-11-14T22:13:20Z") -> str:
    return json.dumps({"level": level, "timestamp": time}) + "\n"


@pytest.mark.parametrize(
    ("level", "passing"),
    [
        ("TRACE", ["trace", "DEBUG", "info", "WARNING", "error", "Critical"]),
        ("DEBUG", ["DEBUG", "info", "WARNING", "error", "Critical"]),
        ("INFO", ["info", "WARNING", "error", "Critical"]),
        ("WARN", ["WARNING", "error", "Critical"]),
        ("ERROR", ["error", "Critical"]),
        ("FATAL", ["Critical"]),
    ],
)
async def test_the_application_level_filters_objects(level: str, passing: list[str]) -> None:
    levels = ["trace", "DEBUG", "info", "WARNING", "error", "Critical"]
    desk = Desk(log_format="JSON", log_level=level)
    desk.journal.write(["text\n", *(leveled(one) for one in levels), "[1]\n"])
    assert desk.told.messages == ["text\n", *(leveled(one) for one in passing), "[1]\n"]
    assert len(desk.told.calls) == 1


async def test_what_a_line_does_not_say_of_itself_is_info() -> None:
    silent = ['{"msg":"x"}\n', '{"level":"error"}\n', '{"level":"?","timestamp":"2023-11-14T22:13:20Z"}\n']
    for level, expected in (("INFO", silent), ("WARN", [])):
        desk = Desk(log_format="JSON", log_level=level)
        desk.journal.write(silent)
        assert desk.told.messages == expected


async def test_in_text_nothing_is_filtered(plain: Desk) -> None:
    lines = [leveled("trace"), "text\n"]
    plain.journal.write(lines)
    plain.journal.framed([Frame("debug", Level.DEBUG, START)])
    plain.journal.write_extension(["extension\n"])
    assert plain.told.messages == [*lines, "debug", "extension\n"]


async def test_frames_are_filtered_by_their_level() -> None:
    desk = Desk(log_format="JSON", log_level="WARN")
    desk.journal.framed([Frame("a", Level.INFO), Frame("b", Level.WARN), Frame("c"), Frame("d", Level.FATAL)])
    desk.journal.write_extension([leveled("debug")])
    assert desk.told.messages == ["b", "c", "d", leveled("debug")]


async def test_a_message_may_give_itself_an_earlier_time_but_not_change_the_order(plain: Desk) -> None:
    plain.journal.write(["a\n"])
    await plain.clock.advance(10)
    plain.journal.framed([Frame("b", time=START + 4), Frame("c", time=START + 2), Frame("d", time=START + 99)])
    plain.journal.framed([Frame("e", time=START + 1), Frame("f", time=1e13)])
    ms = int(START * 1000)
    assert plain.told.stamps == [ms, ms + 4000, ms + 4000, ms + 10_000, ms + 10_000, ms + 10_000]


async def test_the_time_of_an_object_is_used() -> None:
    desk = Desk(log_format="JSON")
    desk.journal.write(["a\n"])
    await desk.clock.advance(10)
    desk.journal.write([leveled("info", "2023-11-14T22:13:27Z"), "b\n"])
    ms = int(START * 1000)
    assert desk.told.stamps == [ms, ms + 7000, ms + 10_000]


ACTS = st.sampled_from(
    [
        lambda journal: journal.write(["line\n"]),
        lambda journal: journal.framed([Frame("frame", time=START)]),
        lambda journal: journal.write_extension(["extension\n"]),
        lambda journal: journal.start("r"),
        lambda journal: (journal.start("r"), journal.end("r", report())),
        lambda journal: journal.extension("x", "Ready", []),
    ]
)


@given(st.lists(st.tuples(ACTS, st.floats(0, 5)), max_size=20))
async def test_time_never_goes_back(steps: list[tuple[Act, float]]) -> None:
    desk = Desk()
    for act, seconds in steps:
        desk.after(act)
        await desk.clock.advance(seconds)
    assert desk.told.stamps == sorted(desk.told.stamps)


async def test_a_subscriber_gets_all_in_order_whatever_the_levels() -> None:
    desk = Desk(log_format="JSON", log_level="FATAL", system_log_level="WARN")
    journal = desk.journal
    async with http_listener() as listener:
        journal.init_start()
        assert not journal.heard
        journal.subscribe("agent", subscriptions.TELEMETRY_API, body(listener.port, "platform", "function"), connect)
        assert journal.heard
        journal.write(["importing\n", leveled("debug")])
        journal.write_extension(["not asked for\n"])
        journal.extension("agent", "Ready", ["INVOKE"])
        journal.init_runtime_done("init", "success")
        journal.init_report("init", 1.0, "success")
        journal.start("r", tail=True)
        journal.framed([Frame('{"a":1}', Level.INFO)])
        journal.runtime_done("r", "success", duration_ms=1, produced_bytes=2, response=Response(latency=1))
        journal.end("r", report())
        await journal.flush()
        assert [event["type"] for event in listener.events] == [
            "platform.initStart",
            "platform.telemetrySubscription",
            "function",
            "function",
            "platform.extension",
            "platform.initRuntimeDone",
            "platform.initReport",
            "platform.start",
            "function",
            "platform.runtimeDone",
            "platform.report",
        ]
        records = [event["record"] for event in listener.events]
        assert records[1] == {"name": "agent", "state": "Subscribed", "types": ["platform", "function"]}
        assert records[2] == "importing\n"
        assert records[3] == {"level": "debug", "timestamp": "2023-11-14T22:13:20Z"}
        assert records[8] == {"a": 1}
        assert desk.told.messages == ["importing\n", "not asked for\n"]
    journal.close()
    await desk.supervisor.stop()


async def test_a_subscriber_of_the_logs_api_gets_its_own_events(plain: Desk) -> None:
    async with http_listener() as listener:
        plain.journal.init_start()
        asked = body(listener.port, "platform", "extension", schema="2021-03-18")
        plain.journal.subscribe("agent", subscriptions.LOGS_API, asked, connect)
        plain.journal.init_report("init", 1.0, "success")
        plain.journal.start("r")
        plain.journal.write_extension(["collected\n"])
        plain.journal.timed_out("r", 3)
        plain.journal.runtime_done("r", "timeout", duration_ms=3000, produced_bytes=0)
        plain.journal.end("r", report(status="timeout"))
        await plain.journal.flush()
        assert [(event["type"], event["record"]) for event in listener.events] == [
            ("platform.logsSubscription", {"name": "agent", "state": "Subscribed", "types": ["platform", "extension"]}),
            ("platform.start", {"requestId": "r", "version": "3"}),
            ("extension", "collected\n"),
            ("platform.fault", f"{TIME} r Task timed out after 3.00 seconds\n\n"),
            ("platform.runtimeDone", {"requestId": "r", "status": "timeout"}),
            ("platform.end", {"requestId": "r"}),
            ("platform.report", {"requestId": "r", "metrics": METRICS}),
        ]
        assert "LOGS\tName: agent\tState: Subscribed\tTypes: [Platform, Extension]\n" in plain.told.messages


async def test_a_subscription_has_a_line(plain: Desk) -> None:
    async with http_listener() as listener:
        plain.journal.init_start()
        for _ in range(2):
            plain.journal.subscribe("x", subscriptions.TELEMETRY_API, body(listener.port, "platform"), connect)
        assert plain.told.messages[1:] == ["TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform]\n"]


async def test_a_loss_stands_in_a_log_in_json() -> None:
    desk = Desk(log_format="JSON", system_log_level="WARN")
    async with http_listener() as listener:
        listener.statuses = [500]
        desk.journal.init_start()
        desk.journal.subscribe("x", subscriptions.TELEMETRY_API, body(listener.port, "platform"), connect)
        await desk.journal.flush()
        desk.journal.extension("x", "Ready", [])
        await desk.journal.flush()
        (line,) = desk.told.messages
        record = json.loads(line)["record"]
        assert record["droppedRecords"] == 2
        assert listener.events[2]["record"] == record
    desk.journal.close()
    await desk.supervisor.stop()


async def test_where_nobody_subscribes_no_record_is_made(plain: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain.after(lambda journal: journal.init_start(), lambda journal: journal.init_report("init", 1.0, "success"))

    def unwanted(*_: object) -> None:
        raise AssertionError("somebody is told")

    monkeypatch.setattr(plain.journal._relay, "tell", unwanted)
    plain.after(
        begun,
        lambda journal: journal.write(["x\n"]),
        lambda journal: journal.framed([Frame("y")]),
        lambda journal: journal.write_extension(["z\n"]),
        lambda journal: journal.runtime_done("r", "success", duration_ms=1, produced_bytes=1),
        lambda journal: journal.end("r", report()),
    )
    assert len(plain.told.messages) == 7
