"""Recursive loops: functions that call one another are stopped, unless that is wanted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import Parts
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import ARN, create, new, own_client, refused
from tests.support import server_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

LOOP = "RecursiveInvocationException"
INVALID = "InvalidParameterValueException"
TEXT = (
    "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources "
    "and stopped your function's invocation."
)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def tracing(client: Any, header: str) -> None:
    """Let every request of the client carry this tracing header."""

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-sign.lambda", add)


def lineage(client: Any, name: str) -> str:
    """What the function is told of its chain."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(["_X_AMZN_TRACE_ID"]))
    header: str = json.loads(answer["Payload"].read())["_X_AMZN_TRACE_ID"]
    return header.rpartition("Lineage=")[2]


def around(client: Any, name: str, rounds: int) -> str:
    """A tracing header of a chain in which the function has come up again `rounds` times."""
    _, function, _ = lineage(client, name).split(":")
    return f"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage={rounds + 1}:{function}:{rounds}"


def test_a_function_is_told_how_often_it_has_come_up(client: Any) -> None:
    create(client, "f", "variables")
    count, function, rounds = lineage(client, "f").split(":")
    assert (count, rounds) == ("1", "0")
    tracing(client, f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=3:{function}:2")
    assert lineage(client, "f") == f"4:{function}:3"


def test_a_front_passes_the_chain_on(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, fronts=1)) as server:
        client = server.client("lambda")
        create(client, "f", "variables")
        _, function, _ = lineage(client, "f").split(":")
        tracing(client, f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=3:{function}:2")
        assert lineage(client, "f") == f"4:{function}:3"


def test_the_sixteenth_invocation_of_a_loop_is_the_last(client: Any) -> None:
    create(client, "f", "variables")
    last, beyond = (around(client, "f", rounds) for rounds in (limits.LOOP_ROUNDS - 2, limits.LOOP_ROUNDS - 1))
    tracing(client, last)
    assert lineage(client, "f").endswith(f":{limits.LOOP_ROUNDS - 1}")
    tracing(client, beyond)
    for call in (client.invoke, client.invoke_with_response_stream):
        assert refused(client, LOOP, call, FunctionName="f", Payload=b"[]") == TEXT
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert lineage(client, "f").endswith(f":{limits.LOOP_ROUNDS}")
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Terminate")
    assert refused(client, LOOP, client.invoke, FunctionName="f", Payload=b"[]") == TEXT


def test_a_loop_is_stopped_on_the_road_of_targets(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f", "variables")
    header = around(client, "f", limits.LOOP_ROUNDS - 1)
    parts = next(service.parts for service in lambent.app.services if service.name == "lambda")
    assert isinstance(parts, Parts)
    with pytest.raises(AwsError) as caught:
        lambent.run(lambda: parts.targets.call(f"{ARN}f", b"[]", header))
    assert caught.value.code == LOOP


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops are stopped early: each of their invocations starts an environment."""
    monkeypatch.setattr(limits, "LOOP_ROUNDS", 3)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(("names", "deepest"), [("f", 3), ("fg", 7)], ids=["itself", "one another"])
def test_functions_that_call_themselves_are_stopped(lambent: Server, names: str, deepest: int) -> None:
    client = lambent.client("lambda")
    for name in names:
        create(client, name, "recursive", Timeout=60)
    event = {"names": list(names[1:] + names[:1]), "depth": 1, "most": 12}
    answer = client.invoke(FunctionName=names[0], Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == [deepest, LOOP]


@pytest.mark.usefixtures("soon")
def test_a_recursion_that_is_wanted_goes_on(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f", "recursive", Timeout=60)
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    event = {"names": ["f"], "depth": 1, "most": 5}
    answer = client.invoke(FunctionName="f", Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == [5, None]


def test_a_new_function_stops_loops_again(client: Any) -> None:
    create(client, "f")
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    client.update_function_configuration(FunctionName="f", Description="another")
    assert client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    client.delete_function(FunctionName="f")
    client.create_function(**new("f"))
    assert client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"


def test_what_is_configured_survives_the_server_being_killed(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        create(client, "f")
        client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
        server.kill()
    with server_process(tmp_path) as server:
        held = server.client("lambda").get_function_recursion_config(FunctionName="f")
        assert held["RecursiveLoop"] == "Allow"
