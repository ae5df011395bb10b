"""Reserved concurrency and the account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.lambda_.calls import create, new, own_client, publish, refused
from tests.services.lambda_.engines import Recording, recording
from tests.services.lambda_.packages import archive, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINIMUM = (
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
    "below its minimum value of [100]."
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    with (
        pytest.MonkeyPatch.context() as patch,
        recording(tmp_path_factory.mktemp("server"), patch, concurrency=500) as made,
    ):
        yield made


@pytest.fixture
def client(shared: Recording) -> Any:
    return own_client(shared.server)


def reserve(client: Any, name: str, executions: int) -> Any:
    return client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)


def reserved(client: Any, name: str) -> int | None:
    answer = client.get_function_concurrency(FunctionName=name)
    return answer.get("ReservedConcurrentExecutions")


def unreserved(client: Any) -> int:
    limit: int = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    return limit


def test_a_reservation_is_kept_shown_and_told_to_the_engine(client: Any, shared: Recording) -> None:
    arn = create(client, "f")["FunctionArn"]
    assert reserved(client, "f") is None
    assert "Concurrency" not in client.get_function(FunctionName="f")
    assert reserve(client, "f", 7)["ReservedConcurrentExecutions"] == 7
    assert (reserved(client, "f"), shared.engine.reservations[arn]) == (7, 7)
    assert client.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    reserve(client, arn, 0)
    assert (reserved(client, "f"), shared.engine.reservations[arn]) == (0, 0)
    answer = client.delete_function_concurrency(FunctionName="f")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert reserved(client, "f") is None
    assert arn not in shared.engine.reservations
    client.delete_function_concurrency(FunctionName="f")


def test_a_deleted_function_gives_its_reservation_back(client: Any, shared: Recording) -> None:
    arn = create(client, "f")["FunctionArn"]
    reserve(client, "f", 400)
    client.delete_function(FunctionName="f")
    assert arn not in shared.engine.reservations
    create(client, "f")
    assert reserved(client, "f") is None
    assert unreserved(client) == 500


def test_a_hundred_executions_stay_for_all_others(client: Any) -> None:
    for name in "fg":
        create(client, name)
    reserve(client, "f", 300)
    text = refused(
        client,
        "InvalidParameterValueException",
        client.put_function_concurrency,
        FunctionName="g",
        ReservedConcurrentExecutions=101,
    )
    assert text == MINIMUM
    reserve(client, "g", 100)
    assert unreserved(client) == 100
    reserve(client, "f", 299)
    reserve(client, "g", 0)
    assert unreserved(client) == 201


def test_accounts_and_regions_reserve_apart(shared: Recording) -> None:
    clients = [
        shared.server.client("lambda", aws_access_key_id=key, region_name=region)
        for key in ("111111111111", "222222222222")
        for region in ("us-east-1", "eu-west-1")
    ]
    for number, client in enumerate(clients):
        client.create_function(**new("f"))
        reserve(client, "f", 100 + number)
    assert [unreserved(client) for client in clients] == [400, 399, 398, 397]


def test_what_is_not_there_has_no_concurrency(client: Any) -> None:
    calls = [
        (client.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
        (client.get_function_concurrency, {}),
        (client.delete_function_concurrency, {}),
    ]
    for call, members in calls:
        text = refused(client, "ResourceNotFoundException", call, FunctionName="f", **members)
        assert text.endswith(":function:f:$LATEST")
    create(client, "f")
    publish(client, "f")
    for call, members in calls:
        text = refused(client, "InvalidParameterValueException", call, FunctionName="f:1", **members)
        assert text.startswith("This operation is permitted on Lambda functions only. Aliases and versions")


def test_the_accounts_settings_are_true(client: Any) -> None:
    layer = archive({"python/m.py": b"x = 1\n"})
    create(client, "f")
    publish(client, "f")
    publish(client, "f", "other")
    client.publish_layer_version(LayerName="l", Content={"ZipFile": layer})
    answer = client.get_account_settings()
    assert answer["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 500,
        "UnreservedConcurrentExecutions": 500,
    }
    stored = len(package("echo")) + 2 * len(package("other")) + len(layer)
    assert answer["AccountUsage"] == {"TotalCodeSize": stored, "FunctionCount": 1}


def test_the_engine_is_told_everything_again_before_anybody_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(tmp_path, monkeypatch) as server:
        client = server.server.client("lambda")
        arn = create(client, "f")["FunctionArn"]
        create(client, "g")
        publish(client, "f")
        reserve(client, "f", 9)
        client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=3)
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    with recording(tmp_path, monkeypatch) as server:
        assert server.engine.reservations == {arn: 9}
        assert server.engine.told == [("provision", "1", 3)]
