"""A data folder of a former version goes on under this one: `recorded/folder_of_november_2026.sql` is the database of a
server that was killed at work, before the schemas `0010` of functions and `0002` of the store were there; beside it are
its packages.

The function `flow` has an execution that asks somebody, one that waits for 300 seconds, one that calls another one,
which waits for 200, one that ran when the server was killed, and one that has ended.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel.clock import VirtualClock, settle
from lambent.store.dead import DeadEvents
from tests.conftest import settings_for
from tests.services.lambda_.calls import ARN, invoke
from tests.services.lambda_.durables import DAY_S, stage
from tests.support import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambent.store.api import Transaction
    from tests.services.lambda_.durables import Stage

RECORDED = Path(__file__).parent / "recorded"
KILLED_S = 1_795_286_911.0
"""When the former server was killed."""
NAMES = ("asks", "waits", "calls", "runs", "ended")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    """A server of this version on the folder, at the moment at which the former one was killed."""
    folder = Path(settings_for(tmp_path).data)
    folder.mkdir()
    script = (RECORDED / "folder_of_november_2026.sql").read_text().replace("python3.11", RUNTIME)
    with closing(sqlite3.connect(folder / "lambent.db")) as database:
        database.executescript(script)
    for digest, blob in json.loads((RECORDED / "folder_of_november_2026_blobs.json").read_text()).items():
        place = folder / "blobs" / digest[:2]
        place.mkdir(parents=True)
        (place / digest).write_bytes(base64.b64decode(blob))
    with stage(tmp_path, VirtualClock(KILLED_S), puppets=True) as staged:
        yield staged


def executions(on: Stage) -> dict[str, str]:
    """The ARNs of the executions of `flow` by their names; the one that was called has `child`."""
    listed = on.client.list_durable_executions_by_function(FunctionName="flow")["DurableExecutions"]
    named = {entry["DurableExecutionName"]: entry["DurableExecutionArn"] for entry in listed}
    return {name if name in NAMES else "child": arn for name, arn in named.items()}


def test_executions_under_way_come_to_their_end(on: Stage) -> None:
    arns = executions(on)
    assert set(arns) == {*NAMES, "child"}
    turn = on.turn()
    assert turn.arn == arns["runs"], "it is begun again at once"
    turn.returns("SUCCEEDED")
    on.client.send_durable_execution_callback_success(CallbackId=on.callback(arns["asks"], 1), Result=b"1")
    turn = on.turn()
    assert (turn.arn, turn.operations[1]["Status"]) == (arns["asks"], "SUCCEEDED")
    turn.returns("SUCCEEDED")
    for seconds, name in ((200, "child"), (0, "calls"), (100, "waits")):
        on.pass_time(seconds)
        turn = on.turn()
        assert (turn.arn, turn.operations[1]["Status"]) == (arns[name], "SUCCEEDED")
        turn.returns("SUCCEEDED")
    assert {name: on.ended(arn)["Status"] for name, arn in arns.items()} == dict.fromkeys(arns, "SUCCEEDED")


def test_an_execution_that_has_ended_is_kept_for_its_time(on: Stage) -> None:
    arn = executions(on)["ended"]
    held = on.execution(arn)
    assert (held["Status"], held["Result"]) == ("SUCCEEDED", "1")
    assert on.kinds(arn)[::5] == ["ExecutionStarted", "ExecutionSucceeded"]
    assert on.begin("flow", json.loads(held["InputPayload"]), DurableExecutionName="ended") == arn
    on.pass_time(DAY_S)
    assert on.gone(arn)


def test_executions_go_with_their_function(on: Stage) -> None:
    on.client.delete_function(FunctionName="flow")
    on.swept()
    assert on.rows() == 0


def test_functions_and_what_belongs_to_them_are_there(on: Stage) -> None:
    client = on.client
    held = client.get_function(FunctionName="echo")
    assert (held["Tags"], held["Concurrency"]) == ({"a": "b"}, {"ReservedConcurrentExecutions": 3})
    assert client.get_alias(FunctionName="echo", Name="live")["FunctionVersion"] == "1"
    assert client.get_function_url_config(FunctionName="echo")["AuthType"] == "NONE"
    settings = client.get_function_event_invoke_config(FunctionName="echo")
    assert (settings["MaximumRetryAttempts"], settings["DestinationConfig"]["OnFailure"]) == (1, {"Destination": QUEUE})
    for asked in ({}, {"FunctionName": "echo"}, {"EventSourceArn": QUEUE}):
        (mapping,) = client.list_event_source_mappings(**asked)["EventSourceMappings"]
        assert (mapping["FunctionArn"], mapping["BatchSize"]) == (f"{ARN}echo", 5)
    assert invoke(client, "echo", 1) == invoke(client, "echo", 1, Qualifier="live") == 1
    client.update_function_configuration(FunctionName="echo", Description="new")


def test_events_that_were_dead_can_be_had_and_those_that_waited_leave(on: Stage) -> None:
    dead = DeadEvents(on.parts.store)
    (event,) = on.server.run(dead.page)
    assert (event.target, event.attempts, event.died_ms) == (f"{ARN}gone", 20, 0)
    assert on.server.run(lambda: dead.content(event.id)) == b'{"n":1}'

    def waiting(tx: Transaction) -> Any:
        return tx.one("SELECT 1 FROM outbox LIMIT 1")

    async def until() -> None:
        while await on.parts.store.read(waiting):
            await settle()

    on.server.run(until)
    assert len(on.server.run(dead.page)) == 1
