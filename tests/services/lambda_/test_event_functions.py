"""Events with real functions: whatever those do, and however the server ends meanwhile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from lambent.kernel.clock import VirtualClock, settle
from tests.services.lambda_.calls import create, create_managed, publish, settle_version
from tests.services.lambda_.queues import SinkEngine, Stage, stage

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_stopping_server_breaks_off_does_not_count(tmp_path: Path) -> None:
    clock = VirtualClock()
    with stage(tmp_path, clock, SinkEngine) as on:
        create(on.client, "f", "sleeps", Timeout=60)
        on.configure(MaximumRetryAttempts=0)
        on.send("f", "kept")
        on.server.run(partial(begun, on))
    with stage(tmp_path, clock) as on:
        run = on.run()
        assert run.event == "kept"
        run.returns()
        assert on.count() == 0


async def begun(on: Stage) -> None:
    """Return once the engine has an invocation."""
    while not on.parts.engine._pool.running:
        await settle()


FAILURES = {
    "raises": ("raises", {}, None, "Exception"),
    "cannot be imported": ("import_raises", {}, None, "Exception"),
    "ends its process": ("exits", {}, None, "Runtime.ExitError"),
    "takes too long": ("sleeps", {"Timeout": 1}, None, "Sandbox.Timedout"),
    "answers too much": ("large", {}, {"bytes": 7_000_000}, "Function.ResponseSizeTooLarge"),
}
"""What functions do, their code and configuration, the event, and AWS's errorType."""


@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_goes_wrong_in_a_function_is_its_error(tmp_path: Path, failure: str) -> None:
    code, members, event, error_type = FAILURES[failure]
    with stage(tmp_path, VirtualClock(), SinkEngine) as on:
        sink = on.create("sink")
        create(on.client, "f", code, **members)
        on.configure(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": sink}})
        request_id = on.send("f", event)
        record = on.told()
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        assert record["responsePayload"]["errorType"] == error_type
        log = logged(on, request_id)
        assert [line.partition(" ")[0] for line in log if line.startswith(("START", "END", "REPORT"))] == [
            "START",
            "END",
            "REPORT",
        ]


def logged(on: Stage, request_id: str) -> list[str]:
    """What the log of `f` says of the request, once it has its report."""
    logs = on.server.client("logs")
    while True:
        found = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
        lines = [event["message"] for event in found if request_id in event["message"]]
        if any(line.startswith("REPORT") for line in lines):
            return lines


def test_a_reservation_is_never_exceeded(tmp_path: Path) -> None:
    """Events compete for it with real environments; all of them are run in the end."""
    with stage(tmp_path, VirtualClock(), SinkEngine) as on:
        sink = on.create("sink")
        create(on.client, "f", "echo")
        on.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
        on.configure(DestinationConfig={"OnSuccess": {"Destination": sink}})
        for number in range(30):
            on.send("f", number)
        assert sorted(on.told()["responsePayload"] for _ in range(30)) == list(range(30))


def test_events_run_on_managed_instances(tmp_path: Path) -> None:
    with stage(tmp_path, VirtualClock(), SinkEngine) as on:
        sink = on.create("sink")
        create_managed(on.client, "f", "echo")
        version = publish(on.client, "f")
        settle_version(on.client, "f", version)
        on.configure(Qualifier=version, DestinationConfig={"OnSuccess": {"Destination": sink}})
        for number in range(3):
            on.send("f", number, Qualifier=version)
        records = [on.told() for _ in range(3)]
        assert sorted(record["responsePayload"] for record in records) == [0, 1, 2]
        assert {record["responseContext"]["executedVersion"] for record in records} == {version}
