"""The configuration of asynchronous invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.services.lambda_.calls import arn, create, own_client, publish, refused
from tests.support import server_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"
TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
BUCKET = "arn:aws:s3:::bucket"


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent)
    create(made, "f")
    return made


def put(client: Any, name: str = "f", **members: Any) -> Any:
    return client.put_function_event_invoke_config(FunctionName=name, **members)


def destinations(success: str | None = None, failure: str | None = None) -> dict[str, Any]:
    return {
        "OnSuccess": {"Destination": success} if success else {},
        "OnFailure": {"Destination": failure} if failure else {},
    }


@pytest.mark.parametrize("destination", [QUEUE, TOPIC, BUS])
def test_records_go_to_every_service_that_takes_them(client: Any, destination: str) -> None:
    config = destinations(destination, destination)
    assert put(client, DestinationConfig=config)["DestinationConfig"] == config
    assert client.get_function_event_invoke_config(FunctionName="f")["DestinationConfig"] == config


def test_a_bucket_takes_failures_only(client: Any) -> None:
    config = destinations(failure=BUCKET)
    assert put(client, DestinationConfig=config)["DestinationConfig"] == config
    text = refused(
        client,
        INVALID,
        client.put_function_event_invoke_config,
        FunctionName="f",
        DestinationConfig=destinations(BUCKET),
    )
    assert text.endswith(f"DestinationConfig(onSuccess=OnSuccess(destination={BUCKET}), onFailure=null) is invalid.")


@pytest.mark.parametrize("destination", [f"{QUEUE}.fifo", f"{TOPIC}.fifo", "arn:aws:iam::000000000000:role/r"])
def test_what_takes_no_records_is_refused(client: Any, destination: str) -> None:
    text = refused(
        client,
        INVALID,
        client.put_function_event_invoke_config,
        FunctionName="f",
        DestinationConfig=destinations(QUEUE, destination),
    )
    assert text == (
        f"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={QUEUE}), "
        f"onFailure=OnFailure(destination={destination})) is invalid."
    )


def test_a_function_is_a_destination_where_it_exists_and_is_another(client: Any) -> None:
    arn = create(client, "g")["FunctionArn"]
    own = client.get_function_configuration(FunctionName="f")["FunctionArn"]
    publish(client, "g")
    for name in (arn, f"{arn}:1", f"{arn}:$LATEST"):
        config = destinations(failure=name)
        assert put(client, DestinationConfig=config)["DestinationConfig"] == config
    for missing in (f"{arn}2", f"{arn}:2", f"{arn}:live"):
        text = refused(
            client,
            INVALID,
            client.put_function_event_invoke_config,
            FunctionName="f",
            DestinationConfig=destinations(missing),
        )
        assert text == f"The destination ARN {missing} is invalid."
    for itself in (own, f"{own}:$LATEST"):
        text = refused(
            client,
            INVALID,
            client.put_function_event_invoke_config,
            FunctionName="f",
            DestinationConfig=destinations(failure=itself),
        )
        assert text == "You can't specify the function as a destination for itself."


def test_nobody_learns_of_functions_of_other_accounts(client: Any, shared_lambent: Server) -> None:
    other = own_client(shared_lambent)
    create(other, "theirs")
    for name in ("theirs", "none"):
        config = destinations(arn(other, name))
        text = refused(
            client, INVALID, client.put_function_event_invoke_config, FunctionName="f", DestinationConfig=config
        )
        assert text == f"The destination ARN {arn(other, name)} is invalid."


def test_an_empty_destination_takes_one_away(client: Any) -> None:
    put(client, DestinationConfig=destinations(QUEUE, TOPIC), MaximumRetryAttempts=1)
    emptied = {"OnSuccess": {"Destination": ""}, "OnFailure": {"Destination": TOPIC}}
    answer = client.update_function_event_invoke_config(FunctionName="f", DestinationConfig=emptied)
    assert answer["DestinationConfig"] == destinations(failure=TOPIC)
    assert answer["MaximumRetryAttempts"] == 1


def test_an_update_keeps_the_destinations_that_it_does_not_name(client: Any) -> None:
    put(client, DestinationConfig=destinations(QUEUE))
    answer = client.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    assert answer["DestinationConfig"] == destinations(QUEUE)


def test_an_update_of_nothing_is_refused(client: Any) -> None:
    put(client, MaximumRetryAttempts=1)
    text = refused(client, INVALID, client.update_function_event_invoke_config, FunctionName="f")
    assert text == "You must specify at least one of error handling or destination setting."


@pytest.mark.parametrize(
    "members",
    [
        {"MaximumRetryAttempts": 3},
        {"MaximumRetryAttempts": -1},
        {"MaximumEventAgeInSeconds": 59},
        {"MaximumEventAgeInSeconds": 21_601},
    ],
    ids=["three retries", "less than none", "too young", "too old"],
)
def test_limits_are_the_models(shared_lambent: Server, members: dict[str, int]) -> None:
    client = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(client, "f")
    refused(client, "ValidationException", client.put_function_event_invoke_config, FunctionName="f", **members)


def test_what_belongs_to_a_version_or_an_alias_goes_with_it(client: Any) -> None:
    publish(client, "f")
    publish(client, "f", "other")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="2")
    for qualifier in ("$LATEST", "1", "live"):
        put(client, Qualifier=qualifier, MaximumRetryAttempts=1)
    client.delete_function(FunctionName="f", Qualifier="1")
    client.delete_alias(FunctionName="f", Name="live")
    listed = client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]
    assert [config["FunctionArn"].rpartition(":")[2] for config in listed] == ["$LATEST"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="2")
    refused(client, MISSING, client.get_function_event_invoke_config, FunctionName="f", Qualifier="live")
    client.delete_function(FunctionName="f")
    create(client, "f")
    assert client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"] == []


def test_a_long_list_comes_in_pages(client: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier in ("$LATEST", "1", "live"):
        put(client, Qualifier=qualifier, MaximumRetryAttempts=1)
    pages = list(
        client.get_paginator("list_function_event_invoke_configs").paginate(
            FunctionName="f", PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["FunctionEventInvokeConfigs"]) for page in pages] == [2, 1]
    text = refused(client, INVALID, client.list_function_event_invoke_configs, FunctionName="f", Marker="nonsense")
    assert "Marker" in text


def test_a_configuration_survives_the_server_being_killed(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        create(client, "f")
        put(client, DestinationConfig=destinations(QUEUE), MaximumRetryAttempts=0)
        server.kill()
    with server_process(tmp_path) as server:
        held = server.client("lambda").get_function_event_invoke_config(FunctionName="f")
        assert held["DestinationConfig"] == destinations(QUEUE)
        assert held["MaximumRetryAttempts"] == 0
