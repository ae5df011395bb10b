"""Provisioned concurrency: what is asked for, refused, told to the engine and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.lambda_.calls import create, own_client, publish, refused, settle
from tests.services.lambda_.engines import SNAPSHOT_RUNTIME, Figures, Recording, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

INVALID = "InvalidParameterValueException"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    with (
        pytest.MonkeyPatch.context() as patch,
        recording(tmp_path_factory.mktemp("server"), patch, concurrency=500) as made,
    ):
        yield made


@pytest.fixture
def client(shared: Recording) -> Any:
    """The function `f` with two versions and the alias `live` for the first of them."""
    made = own_client(shared.server)
    create(made, "f")
    publish(made, "f")
    publish(made, "f", "other")
    made.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    shared.engine.told.clear()
    return made


def put(client: Any, qualifier: str, executions: int) -> Any:
    return client.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=executions
    )


def figures(client: Any, qualifier: str) -> tuple[int, int, int, str, str | None]:
    answer = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier)
    counts = [answer[f"{name}ProvisionedConcurrentExecutions"] for name in ("Requested", "Available", "Allocated")]
    return (*counts, answer["Status"], answer.get("StatusReason"))


def not_put(client: Any, qualifier: str, executions: int, code: str = INVALID) -> str:
    return refused(
        client,
        code,
        client.put_provisioned_concurrency_config,
        FunctionName="f",
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=executions,
    )


def come(shared: Recording, client: Any, version: str, result: Figures) -> None:
    """Let the engine have come as far as `result` with a version of `f`."""
    arn = client.get_function_configuration(FunctionName="f")["FunctionArn"]
    shared.engine.figures[arn, version] = result


def test_what_is_asked_for_is_begun_and_then_ready(client: Any, shared: Recording) -> None:
    answer = put(client, "1", 4)
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    assert answer.pop("LastModified").endswith("+0000")
    assert answer == {
        "RequestedProvisionedConcurrentExecutions": 4,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    assert shared.engine.told == [("provision", "1", 4)]
    assert figures(client, "1") == (4, 0, 0, "IN_PROGRESS", None)
    come(shared, client, "1", Figures(4, 3, 4, "READY"))
    assert figures(client, "1") == (4, 3, 4, "READY", None)
    come(shared, client, "1", Figures(4, 0, 1, "FAILED", "FUNCTION_ERROR_INIT_FAILURE"))
    assert figures(client, "1") == (4, 0, 1, "FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_another_number_replaces_the_first(client: Any, shared: Recording) -> None:
    put(client, "1", 4)
    put(client, "1", 2)
    assert shared.engine.told == [("provision", "1", 4), ("provision", "1", 2)]
    assert figures(client, "1")[0] == 2


def test_what_is_asked_for_again_is_tried_again(client: Any, shared: Recording) -> None:
    put(client, "1", 2)
    before = figures(client, "1")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    assert shared.engine.told == [("provision", "1", 2)], "nothing has changed for it"
    put(client, "1", 2)
    assert shared.engine.told[1:] == [("provision", "1", 2)]
    assert figures(client, "1") == before


def test_what_is_deleted_is_given_back(client: Any, shared: Recording) -> None:
    put(client, "1", 4)
    for _ in range(2):
        answer = client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert shared.engine.told == [("provision", "1", 4), ("deprovision", "1", 0)]
    text = refused(
        client,
        "ProvisionedConcurrencyConfigNotFoundException",
        client.get_provisioned_concurrency_config,
        FunctionName="f",
        Qualifier="1",
    )
    assert text == "No Provisioned Concurrency Config found for this function"


def test_an_alias_takes_it_along(client: Any, shared: Recording) -> None:
    put(client, "live", 4)
    assert shared.engine.told == [("provision", "1", 4)]
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    assert shared.engine.told[1:] == [("provision", "2", 4), ("deprovision", "1", 0)]
    client.delete_alias(FunctionName="f", Name="live")
    assert shared.engine.told[3:] == [("deprovision", "2", 0)]


def test_an_alias_that_splits_invocations_splits_it_alike(client: Any, shared: Recording) -> None:
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    client.update_alias(FunctionName="f", Name="live", RoutingConfig=weights)
    put(client, "live", 8)
    assert sorted(shared.engine.told) == [("provision", "1", 6), ("provision", "2", 2)]
    come(shared, client, "1", Figures(6, 5, 6, "READY"))
    assert figures(client, "live") == (8, 5, 6, "IN_PROGRESS", None)
    come(shared, client, "2", Figures(2, 2, 2, "READY"))
    assert figures(client, "live") == (8, 7, 8, "READY", None)


def test_a_version_and_a_function_that_go_take_it_along(client: Any, shared: Recording) -> None:
    put(client, "1", 1)
    put(client, "2", 2)
    client.delete_function(FunctionName="f", Qualifier="2")
    assert shared.engine.told[2:] == [("deprovision", "2", 0)]
    client.delete_function(FunctionName="f")
    assert shared.engine.told[3:] == [("deprovision", "1", 0)]


def test_latest_is_never_ready(client: Any) -> None:
    text = not_put(client, "$LATEST", 1)
    assert text == "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    client.create_alias(FunctionName="f", Name="now", FunctionVersion="$LATEST")
    assert not_put(client, "now", 1) == text
    for call in (client.get_provisioned_concurrency_config, client.delete_provisioned_concurrency_config):
        told = refused(client, INVALID, call, FunctionName="f", Qualifier="$LATEST")
        assert told == "The function resource provided must be an alias or a published version."
    put(client, "live", 1)
    told = refused(client, INVALID, client.update_alias, FunctionName="f", Name="live", FunctionVersion="$LATEST")
    assert told == text


@pytest.mark.parametrize(("qualifier", "text"), [("9", "Function not found: "), ("gone", "Cannot find alias arn: ")])
def test_what_is_not_there_is_not_found(client: Any, qualifier: str, text: str) -> None:
    calls = (client.get_provisioned_concurrency_config, client.delete_provisioned_concurrency_config)
    told = [refused(client, "ResourceNotFoundException", call, FunctionName="f", Qualifier=qualifier) for call in calls]
    told.append(not_put(client, qualifier, 1, "ResourceNotFoundException"))
    assert all(one.startswith(text) and one.endswith(f":f:{qualifier}") for one in told)


def test_a_version_is_ready_for_one_reason_only(client: Any) -> None:
    put(client, "1", 1)
    text = not_put(client, "live", 1, "ResourceConflictException")
    assert text == "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    put(client, "live", 1)
    assert (
        not_put(client, "1", 1, "ResourceConflictException") == "Version is pointed by a Provisioned Concurrency alias"
    )
    put(client, "2", 1)
    told = refused(
        client,
        "ResourceConflictException",
        client.update_alias,
        FunctionName="f",
        Name="live",
        FunctionVersion="2",
    )
    assert told == text


def test_it_comes_out_of_the_reservation(client: Any) -> None:
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=10)
    put(client, "1", 6)
    assert not_put(client, "2", 5) == (
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    )
    put(client, "2", 4)
    text = refused(
        client,
        INVALID,
        client.put_function_concurrency,
        FunctionName="f",
        ReservedConcurrentExecutions=9,
    )
    assert text == (
        " ReservedConcurrentExecutions  9 should not be lower than function's total provisioned concurrency [10]."
    )
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 490


def test_it_comes_out_of_the_account_where_nothing_is_reserved(client: Any) -> None:
    assert not_put(client, "1", 501) == (
        "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [500]."
    )
    assert not_put(client, "1", 401) == (
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        "below its minimum value of [100]."
    )
    put(client, "1", 400)
    put(client, "1", 300)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 200
    create(client, "g")
    text = refused(
        client,
        INVALID,
        client.put_function_concurrency,
        FunctionName="g",
        ReservedConcurrentExecutions=101,
    )
    assert text.startswith("Specified ReservedConcurrentExecutions")


def test_it_is_listed_in_pages(client: Any) -> None:
    client.create_alias(FunctionName="f", Name="second", FunctionVersion="2")
    put(client, "1", 1)
    put(client, "second", 2)
    for size in (50, 1):
        pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(
            FunctionName="f", PaginationConfig={"PageSize": size}
        )
        found = [config for page in pages for config in page["ProvisionedConcurrencyConfigs"]]
        assert [config["FunctionArn"].rpartition(":")[2] for config in found] == ["1", "second"]
        assert [config["RequestedProvisionedConcurrentExecutions"] for config in found] == [1, 2]
    refused(
        client,
        "ResourceNotFoundException",
        client.list_provisioned_concurrency_configs,
        FunctionName="g",
    )


def test_an_update_of_the_function_leaves_what_is_ready(client: Any, shared: Recording) -> None:
    put(client, "1", 1)
    client.update_function_configuration(FunctionName="f", Timeout=9)
    settle(client, "f")
    publish(client, "f")
    assert shared.engine.told == [("provision", "1", 1)]


def test_a_version_that_starts_from_a_snapshot_is_not_kept_ready(client: Any) -> None:
    client.update_function_configuration(
        FunctionName="f", Runtime=SNAPSHOT_RUNTIME, SnapStart={"ApplyOn": "PublishedVersions"}
    )
    settle(client, "f")
    number = publish(client, "f")
    client.create_alias(FunctionName="f", Name="fast", FunctionVersion=number)
    for qualifier in (number, "fast"):
        assert "SnapStart" in not_put(client, qualifier, 1)
    put(client, "live", 1)
    refused(client, INVALID, client.update_alias, FunctionName="f", Name="live", FunctionVersion=number)
