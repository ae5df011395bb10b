"""Invoking functions through the API."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.services.lambda_.calls import create, invoke, new, own_client

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def arn(client: Any) -> str:
    """The ARN of the function `f` in the client's account."""
    return client.get_function_configuration(FunctionName="f")["FunctionArn"]


@pytest.mark.parametrize(
    "event",
    [None, 0, -1, 0.5, 10**30, "", "ünïcöde \U0001f600 \x00", [], {}, {"a": [None, True, {"b": ""}]}, "x" * 5_000_000],
    ids=[
        "null",
        "zero",
        "negative",
        "float",
        "large number",
        "empty text",
        "text",
        "list",
        "object",
        "nested",
        "large",
    ],
)
def test_an_event_comes_back_as_it_was(client: Any, event: Any) -> None:
    create(client, "f")
    assert invoke(client, "f", event) == event


def test_every_form_of_the_name_invokes(client: Any) -> None:
    create(client, "f", "context")
    bare = arn(client)
    latest = f"{bare}:$LATEST"
    partial = bare.removeprefix("arn:aws:lambda:us-east-1:")
    forms = {"f": bare, "f:$LATEST": latest, bare: bare, latest: latest, partial: bare, f"{partial}:$LATEST": latest}
    for name, expected in forms.items():
        assert invoke(client, name)["context"]["invoked_function_arn"] == expected
    assert invoke(client, "f", Qualifier="$LATEST")["context"]["invoked_function_arn"] == latest


def test_the_client_context_arrives(client: Any) -> None:
    create(client, "f", "context")
    context = {"custom": {"foo": "bar"}, "env": {"fizz": "buzz"}}
    encoded = base64.b64encode(json.dumps(context).encode()).decode()
    assert invoke(client, "f", ClientContext=encoded)["context"]["client_context"] == context


@pytest.mark.parametrize("context", ["not base64", "eyJ4Ijog", base64.b64encode(b"[1]").decode(), "a" * 3584])
def test_a_bad_client_context_is_refused(client: Any, context: str) -> None:
    create(client, "f")
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="valid Base64-encoded JSON object"):
        client.invoke(FunctionName="f", ClientContext=context)


def test_the_tail_of_the_log_comes_when_it_is_asked_for(client: Any) -> None:
    create(client, "f")
    assert "LogResult" not in client.invoke(FunctionName="f")
    answer = client.invoke(FunctionName="f", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id} Version: $LATEST" in log
    assert f"REPORT RequestId: {request_id}\t" in log


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_a_version_or_alias_that_is_not_there_cannot_be_invoked(client: Any, qualifier: str) -> None:
    create(client, "f")
    with pytest.raises(
        client.exceptions.ResourceNotFoundException, match=f"Function not found: {arn(client)}:{qualifier}"
    ):
        client.invoke(FunctionName="f", Qualifier=qualifier)


def test_a_dry_run_runs_nothing(client: Any) -> None:
    create(client, "f", "counter")
    assert client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert invoke(client, "f") == {"counter": 0}


def test_fifty_callers_at_once_each_get_their_own_answer(client: Any) -> None:
    create(client, "f")

    def caller(number: int) -> bool:
        return all(invoke(client, "f", {"caller": number, "call": call})["call"] == call for call in range(4))

    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(caller, range(50)))


def test_fifty_functions_are_created_and_invoked_at_once(client: Any) -> None:
    def one(number: int) -> Any:
        name = f"f{number}"
        client.create_function(**new(name))
        return invoke(client, name, number)

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(one, range(50))) == list(range(50))


def test_a_warm_invocation_asks_no_database(lambent: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_FLUSH_S", 600)  # the logs of invocations are stored on their own time
    client = lambent.client("lambda")
    create(client, "f")
    invoke(client, "f")

    def asked(calls: int) -> int:
        before = lambent.app.store.statements
        for number in range(calls):
            assert invoke(client, "f", number) == number
        return lambent.app.store.statements - before

    # The workers, which have their part in a new function, may still be at it during the first of them.
    assert any(asked(20) == 0 for _ in range(5))
