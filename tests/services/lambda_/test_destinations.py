"""What comes of asynchronous events, to the end: destinations, dead-letter queues, chains and loops of functions."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.settings import Elsewhere
from lambent.kernel.targets import Attribute
from lambent.store.dead import DeadEvents
from tests.conftest import serving, settings_for
from tests.inboxes import PATIENCE_S, Inbox, inbox
from tests.services.lambda_.calls import ARN, create, publish
from tests.support import server_process
from tests.wire.places import listening

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"
LETTERS = "arn:aws:sqs:us-east-1:000000000000:letters"
OTHER_LETTERS = "arn:aws:sqs:us-east-1:000000000000:other-letters"
KILLS = 3
EVENTS = 40


@pytest.fixture
def client(lambent: Server) -> Any:
    return lambent.client("lambda")


@pytest.fixture
def box(lambent: Server) -> Inbox:
    return inbox(lambent)


def tell(
    client: Any, name: str, success: str | None = None, failure: str | None = None, **members: Any
) -> dict[str, Any]:
    """Configure where records of the function go; nothing is tried twice."""
    config = {}
    if success:
        config["OnSuccess"] = {"Destination": success}
    if failure:
        config["OnFailure"] = {"Destination": failure}
    answer: dict[str, Any] = client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=config, **members
    )
    return answer


def send(client: Any, name: str, event: Any, **members: Any) -> str:
    """Invoke asynchronously; returns the request's id."""
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **members)
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def test_a_record_is_the_event_of_the_next_function(client: Any, box: Inbox) -> None:
    create(client, "f", "intentional")
    create(client, "g")
    client.create_alias(FunctionName="g", Name="live", FunctionVersion="$LATEST")
    tell(client, "f", success=f"{ARN}g:live", failure=QUEUE)
    tell(client, "g", success=QUEUE, Qualifier="live")
    request_id = send(client, "f", {"n": 1})
    message = box.take(QUEUE)
    told = message.json()
    assert told["requestContext"]["functionArn"] == f"{ARN}g:live"
    first = told["requestPayload"]
    assert first["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{ARN}f:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert first["requestPayload"] == {"n": 1}
    assert told["responsePayload"] == first
    assert message.trace.rpartition("Lineage=")[2].startswith("2:")
    assert message.sender is None
    assert box.empty(QUEUE)


def test_a_failure_goes_to_both_who_want_to_know(client: Any, box: Inbox) -> None:
    create(client, "f", "raises", DeadLetterConfig={"TargetArn": LETTERS})
    tell(client, "f", success=LETTERS, failure=QUEUE)
    request_id = send(client, "f", {"n": 1})
    told, letter = box.take(QUEUE), box.take(LETTERS)
    assert told.json()["responsePayload"]["errorMessage"] == "Handler fails"
    assert told.attributes == {}
    assert letter.json() == {"n": 1}
    assert letter.attributes == {
        "RequestID": Attribute("String", request_id),
        "ErrorCode": Attribute("Number", "200"),
        "ErrorMessage": Attribute("String", "Handler fails"),
    }
    assert told.trace == letter.trace


def test_a_version_keeps_the_dead_letter_queue_that_it_was_published_with(client: Any, box: Inbox) -> None:
    create(client, "f", "raises", DeadLetterConfig={"TargetArn": LETTERS})
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    client.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": OTHER_LETTERS})
    client.get_waiter("function_updated_v2").wait(FunctionName="f")
    for qualifier in ("1", "live", "$LATEST"):
        tell(client, "f", Qualifier=qualifier, failure=QUEUE)
        send(client, "f", qualifier, Qualifier=qualifier)
        assert box.take(QUEUE).json()["requestPayload"] == qualifier
    assert {box.take(LETTERS).json() for _ in range(2)} == {"1", "live"}
    assert box.take(OTHER_LETTERS).json() == "$LATEST"


def test_a_dead_letter_queue_is_changed_by_a_target_only(client: Any) -> None:
    create(client, "f", DeadLetterConfig={"TargetArn": LETTERS})
    for change, kept in (({}, {"TargetArn": LETTERS}), ({"TargetArn": ""}, None)):
        client.update_function_configuration(FunctionName="f", DeadLetterConfig=change)
        client.get_waiter("function_updated_v2").wait(FunctionName="f")
        assert client.get_function_configuration(FunctionName="f").get("DeadLetterConfig") == kept


def test_an_answer_that_no_event_may_be_as_large_as_is_kept(lambent: Server, client: Any, box: Inbox) -> None:
    create(client, "f", "large", Timeout=60)
    create(client, "g")
    tell(client, "f", success=f"{ARN}g")
    tell(client, "g", success=QUEUE, failure=QUEUE)
    send(client, "f", {"bytes": limits.EVENT_INVOKE_BYTES})
    (dead,) = _dead(lambent)
    assert (dead.target, dead.attempts) == (f"{ARN}g", 1)
    assert dead.error.startswith("RequestEntityTooLargeException")
    assert box.empty(QUEUE)


def _dead(server: Server) -> Any:
    """The dead events, of which there is one at least, which is waited for."""
    end = time.monotonic() + PATIENCE_S
    while not (found := server.run(DeadEvents(server.app.store).page)):
        assert time.monotonic() < end, "nothing dies"
        time.sleep(0.01)
    return found


def test_what_goes_to_a_service_that_is_not_built_is_kept(lambent: Server, client: Any) -> None:
    create(client, "f")
    tell(client, "f", success=QUEUE)
    request_id = send(client, "f", {"n": 1})
    (dead,) = _dead(lambent)
    assert (dead.target, dead.attempts) == (QUEUE, 1)
    assert dead.error == f"sqs is not built in Lambent yet, so nothing takes events for {QUEUE}"
    content = lambent.run(lambda: DeadEvents(lambent.app.store).content(dead.id))
    assert json.loads(content)["requestContext"]["requestId"] == request_id


def test_a_queue_elsewhere_gets_records_and_dead_letters(tmp_path: Path) -> None:
    with listening() as place:
        where = Elsewhere(place.endpoint, "key", "secret")
        with serving(settings_for(tmp_path, elsewhere={"sqs": where})) as server:
            client = server.client("lambda")
            create(client, "f", "raises", DeadLetterConfig={"TargetArn": LETTERS})
            tell(client, "f", failure=QUEUE)
            request_id = send(client, "f", {"n": 1})
            sent = [json.loads(place.requests.get(timeout=30).body) for _ in range(2)]
    record, letter = sorted(sent, key=lambda message: "MessageAttributes" in message)
    assert record["QueueUrl"] == f"{place.endpoint}/000000000000/queue"
    assert json.loads(record["MessageBody"])["requestContext"]["requestId"] == request_id
    assert letter["QueueUrl"] == f"{place.endpoint}/000000000000/letters"
    assert json.loads(letter["MessageBody"]) == {"n": 1}
    assert letter["MessageAttributes"]["RequestID"] == {"DataType": "String", "StringValue": request_id}
    trace = letter["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]
    assert trace == record["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]
    assert "Lineage=1:" in trace


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops are stopped early: each of their rounds takes invocations."""
    monkeypatch.setattr(limits, "LOOP_ROUNDS", 3)


@pytest.mark.usefixtures("soon")
def test_a_loop_of_destinations_is_stopped(client: Any, box: Inbox) -> None:
    for name, other in (("f", "g"), ("g", "f")):
        create(client, name, DeadLetterConfig={"TargetArn": LETTERS})
        if name == "g":
            tell(client, "f", success=f"{ARN}g", failure=QUEUE)
            tell(client, "g", success=f"{ARN}{other}", failure=QUEUE)
    send(client, "f", 0)
    told, letter = box.take(QUEUE).json(), box.take(LETTERS)
    assert told["responseContext"] == {"statusCode": 400}
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert letter.attributes["ErrorMessage"].value.startswith("Lambda has detected your function being invoked in a")
    assert letter.json() == told["requestPayload"]
    depth, record = 0, told
    while isinstance(record["requestPayload"], dict):
        depth, record = depth + 1, record["requestPayload"]
    assert depth == 7
    assert (box.empty(QUEUE), box.empty(LETTERS)) == (True, True)


@pytest.mark.usefixtures("soon")
def test_a_loop_that_is_wanted_goes_on(lambent: Server, client: Any, box: Inbox) -> None:
    for name in "fg":
        create(client, name)
        client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    tell(client, "f", success=f"{ARN}g", failure=QUEUE)
    tell(client, "g", success=f"{ARN}f", failure=QUEUE)
    send(client, "f", 0)
    # Until a record, which holds all of those before it, is larger than an event may be.
    (dead,) = _dead(lambent)
    assert dead.error.startswith("RequestEntityTooLargeException")
    assert box.empty(QUEUE)


def told_of(folder: Path) -> set[int]:
    """The events of `f` whose records have passed through `g` so far: what is told of those has nowhere to go, and is
    kept, while log lines of the last moment go with a server that is killed."""
    with closing(sqlite3.connect(f"file:{folder}/data/lambent.db?mode=ro", uri=True)) as database:
        records = [json.loads(event) for (event,) in database.execute("SELECT event FROM dead_events")]
    return {record["requestPayload"]["requestPayload"] for record in records}


def test_every_outcome_is_told_also_over_kills(tmp_path: Path) -> None:
    accepted: set[int] = set()
    for kill in range(KILLS):
        with server_process(tmp_path) as server:
            client = server.client("lambda")
            if kill == 0:
                create(client, "f")
                create(client, "g")
                tell(client, "f", success=f"{ARN}g")
                tell(client, "g", success=QUEUE)
            for number in range(EVENTS):
                send(client, "f", kill * EVENTS + number)
                accepted.add(kill * EVENTS + number)
            server.kill()
    with server_process(tmp_path):
        until = time.monotonic() + PATIENCE_S
        while told_of(tmp_path) < accepted and time.monotonic() < until:
            time.sleep(0.05)
        assert told_of(tmp_path) == accepted
