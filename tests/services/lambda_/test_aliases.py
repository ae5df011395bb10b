"""Aliases: names for versions, and how they split and move what is invoked through them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from lambent.compute.function import FunctionVersion
from lambent.kernel import limits
from lambent.kernel.ids import SeededIds
from lambent.services.lambda_.routes import Route
from tests.services.lambda_.calls import create, invoke, own_client, publish, refused

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(made, "f", "version_one")
    publish(made, "f")
    publish(made, "f", "version_two")
    return made


def split(version: str, weight: float) -> dict[str, Any]:
    return {"AdditionalVersionWeights": {version: weight}}


def names(client: Any, **members: Any) -> list[str]:
    pages = client.get_paginator("list_aliases").paginate(FunctionName="f", **members)
    return [alias["Name"] for page in pages for alias in page["Aliases"]]


def test_an_alias_has_what_it_was_given(client: Any) -> None:
    made = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert made.pop("RevisionId")
    assert made.pop("AliasArn").endswith(":function:f:live")
    assert made == {"Name": "live", "FunctionVersion": "1", "Description": ""}
    full = client.create_alias(
        FunctionName="f", Name="canary", FunctionVersion="1", Description="d", RoutingConfig=split("2", 0.25)
    )
    held = client.get_alias(FunctionName="f", Name="canary")
    assert {**held, "ResponseMetadata": None} == {**full, "ResponseMetadata": None}
    assert (full["Description"], full["RoutingConfig"]) == ("d", split("2", 0.25))


def test_an_alias_can_point_to_latest(client: Any) -> None:
    made = client.create_alias(FunctionName="f", Name="now", FunctionVersion="$LATEST", RoutingConfig={})
    assert "RoutingConfig" not in made
    answer = client.invoke(FunctionName="f", Qualifier="now")
    assert answer["ExecutedVersion"] == "$LATEST"
    configuration = client.get_function(FunctionName="f:now")["Configuration"]
    assert (configuration["Version"], configuration["FunctionArn"][-6:]) == ("$LATEST", ":f:now")


def test_an_alias_moves(client: Any) -> None:
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert invoke(client, "f", Qualifier="live") == "one"
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    answer = client.invoke(FunctionName="f:live")
    assert (answer["ExecutedVersion"], answer["Payload"].read()) == ("2", b'"two"')


def test_an_update_changes_what_is_given_and_the_revision(client: Any) -> None:
    made = client.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1", Description="d", RoutingConfig=split("2", 0.5)
    )
    described = client.update_alias(FunctionName="f", Name="live", Description="e", RevisionId=made["RevisionId"])
    assert (described["Description"], described["RoutingConfig"]) == ("e", split("2", 0.5))
    assert described["RevisionId"] != made["RevisionId"]
    whole = client.update_alias(FunctionName="f", Name="live", RoutingConfig={})
    assert "RoutingConfig" not in whole
    assert whole["FunctionVersion"] == "1"
    text = refused(
        client,
        "PreconditionFailedException",
        client.update_alias,
        FunctionName="f",
        Name="live",
        RevisionId=made["RevisionId"],
    )
    assert text.startswith("The Revision Id provided does not match the latest Revision Id.")


def test_a_split_alias_runs_both_versions(client: Any) -> None:
    client.create_alias(FunctionName="f", Name="canary", FunctionVersion="1", RoutingConfig=split("2", 0.5))
    answers = [client.invoke(FunctionName="f", Qualifier="canary") for _ in range(60)]
    ran = [(answer["ExecutedVersion"], answer["Payload"].read()) for answer in answers]
    assert set(ran) == {("1", b'"one"'), ("2", b'"two"')}


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0])
def test_a_route_gives_each_version_its_share(weight: float) -> None:
    one, two = (
        FunctionVersion(
            account="0",
            region="r",
            name="f",
            version=version,
            revision=version,
            role="role",
            runtime="python3.11",
            handler="h",
            code_sha256="",
            memory_mb=128,
            timeout_s=3,
            variables={},
            log_group="g",
        )
        for version in ("1", "2")
    )
    ids = SeededIds()
    route = Route(one, two, weight)
    drawn = sum(route.pick(ids) is two for _ in range(10_000)) / 10_000
    assert abs(drawn - weight) < 0.02
    assert weight not in (0.0, 1.0) or drawn == weight


def test_no_invocation_fails_while_an_alias_moves(client: Any) -> None:
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    done = threading.Event()
    seen: set[str] = set()

    def caller() -> None:
        while not done.is_set():
            seen.add(invoke(client, "f", Qualifier="live"))

    with ThreadPoolExecutor(4) as threads:
        callers = [threads.submit(caller) for _ in range(4)]
        try:
            for version, expected in [("2", "two"), ("1", "one")] * 5:
                client.update_alias(FunctionName="f", Name="live", FunctionVersion=version)
                assert invoke(client, "f", Qualifier="live") == expected
        finally:
            done.set()
        for one in callers:
            one.result()
    assert seen <= {"one", "two"}


def test_aliases_are_listed_in_pages_and_by_version(client: Any) -> None:
    for name, version in [("a", "1"), ("b", "2"), ("c", "1"), ("d", "$LATEST")]:
        client.create_alias(FunctionName="f", Name=name, FunctionVersion=version)
    assert names(client) == ["a", "b", "c", "d"]
    assert names(client, PaginationConfig={"PageSize": 3}) == ["a", "b", "c", "d"]
    assert names(client, FunctionVersion="1") == ["a", "c"]
    refused(client, "InvalidParameterValueException", client.list_aliases, FunctionName="f", Marker="WzFd")


def test_a_deleted_alias_is_gone_and_may_be_deleted_again(client: Any) -> None:
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for _ in range(2):
        answer = client.delete_alias(FunctionName="f", Name="live")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert names(client) == []
    refused(client, "ResourceNotFoundException", client.invoke, FunctionName="f", Qualifier="live")


def test_what_is_not_there_is_not_found(client: Any) -> None:
    arn = client.get_function_configuration(FunctionName="f")["FunctionArn"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    missing = {
        "Function not found: {arn}:9": (client.create_alias, {"Name": "a", "FunctionVersion": "9"}),
        "Cannot find alias arn: {arn}:gone": (client.get_alias, {"Name": "gone"}),
        "Alias not found: {arn}:gone": (client.update_alias, {"Name": "gone"}),
    }
    for text, (call, members) in missing.items():
        assert refused(
            client, "ResourceNotFoundException", call, FunctionName="f", **members
        ) == text.format(arn=arn)  # fmt: skip
    for call in (client.list_aliases, client.delete_alias):
        members = {} if call == client.list_aliases else {"Name": "live"}
        text = refused(client, "ResourceNotFoundException", call, FunctionName="g", **members)
        assert text == f"Function not found: {arn[:-1]}g"
    text = refused(
        client, "ResourceNotFoundException", client.update_alias, FunctionName="f", Name="live", FunctionVersion="9"
    )
    assert text == f"Function not found: {arn}:9"


def test_a_name_is_taken_once(client: Any) -> None:
    made = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    text = refused(
        client, "ResourceConflictException", client.create_alias, FunctionName="f", Name="live", FunctionVersion="2"
    )
    assert text == f"Alias already exists: {made['AliasArn']}"


def test_the_aliases_of_a_function_are_bounded(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FUNCTION_ALIASES", 1)
    client.create_alias(FunctionName="f", Name="a", FunctionVersion="1")
    refused(client, "AliasLimitExceededException", client.create_alias, FunctionName="f", Name="b", FunctionVersion="1")


@pytest.mark.parametrize("operation", ["create_alias", "update_alias"])
@pytest.mark.parametrize(
    ("version", "weights", "code", "text"),
    [
        ("1", {"2": 0.5, "3": 0.5}, "InvalidParameterValueException",
         "Number of items in AdditionalVersionWeights cannot be greater than 1"),
        ("1", {"1": 0.5}, "InvalidParameterValueException",
         "Invalid function version 1. Function version 1 is already included in routing configuration."),
        ("$LATEST", {"1": 0.5}, "InvalidParameterValueException",
         "$LATEST is not supported for an alias pointing to more than 1 version"),
        ("1", {"2": 1.5}, "ValidationException",
         "1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy"),
        ("1", {"$LATEST": 0.5}, "ValidationException",
         "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed"),
        ("1", {"9": 0.5}, "ResourceNotFoundException", "Function not found: "),
    ],
    ids=["too many", "same", "latest", "above one", "latest as other", "missing"],
)  # fmt: skip
def test_a_routing_configuration_has_rules(
    client: Any, operation: str, version: str, weights: dict[str, float], code: str, text: str
) -> None:
    if operation == "update_alias":
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="2")
    told = refused(
        client,
        code,
        getattr(client, operation),
        FunctionName="f",
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )
    assert told.startswith(text)


@pytest.mark.parametrize("name", ["123", "with space", "", "a" * 129])
def test_a_name_that_is_none_is_refused(client: Any, name: str) -> None:
    text = refused(client, "ValidationException", client.create_alias, FunctionName="f", Name=name, FunctionVersion="1")
    assert "at 'name' failed to satisfy constraint" in text
