"""Creating, getting, listing and deleting functions."""

from __future__ import annotations

import hashlib
import urllib.request
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import ARN, create, invoke, new, own_client, settle
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def names(client: Any, **members: Any) -> list[str]:
    pages = client.get_paginator("list_functions").paginate(**members)
    return [function["FunctionName"] for page in pages for function in page["Functions"]]


def test_a_new_function_can_be_invoked_at_once(client: Any) -> None:
    created = client.create_function(**new("f"))
    assert created["State"] == "Pending"
    assert invoke(client, "f", {"a": 1}) == {"a": 1}


def test_the_waiters_of_boto3_are_content(client: Any) -> None:
    client.create_function(**new("f"))
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    client.update_function_code(FunctionName="f", ZipFile=package("other"))
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    client.get_waiter("function_exists").wait(FunctionName="f", WaiterConfig={"Delay": 0})


def test_the_sha_and_the_size_are_those_of_the_package(client: Any) -> None:
    created = create(client, "f")
    assert created["CodeSha256"] == b64encode(hashlib.sha256(package("echo")).digest()).decode()
    assert created["CodeSize"] == len(package("echo"))


def test_the_code_can_be_fetched_without_credentials(client: Any) -> None:
    create(client, "f")
    location = client.get_function(FunctionName="f")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == package("echo")


def test_a_name_is_taken_once(client: Any) -> None:
    create(client, "f")
    with pytest.raises(client.exceptions.ResourceConflictException, match="Function already exist: f"):
        client.create_function(**new("f"))


def test_of_twenty_creations_at_once_one_wins(client: Any) -> None:
    def attempt(number: int) -> str | None:
        try:
            client.create_function(**new("f", Description=f"number {number}"))
        except client.exceptions.ResourceConflictException:
            return None
        return f"number {number}"

    with ThreadPoolExecutor(20) as threads:
        winners = [won for won in threads.map(attempt, range(20)) if won]
    assert len(winners) == 1
    assert settle(client, "f")["Description"] == winners[0]


def test_functions_of_accounts_and_regions_are_apart(lambent: Server) -> None:
    clients = [
        lambent.client("lambda", aws_access_key_id=key, region_name=region)
        for key in ("111111111111", "222222222222")
        for region in ("us-east-1", "eu-west-1")
    ]
    for number, client in enumerate(clients):
        created = client.create_function(**new("f", Description=str(number)))
        assert created["FunctionArn"].split(":")[3:5] == [client.meta.region_name, "1" * 12 if number < 2 else "2" * 12]
    assert [settle(client, "f")["Description"] for client in clients] == ["0", "1", "2", "3"]
    clients[0].delete_function(FunctionName="f")
    assert [names(client) for client in clients] == [[], ["f"], ["f"], ["f"]]


def test_another_account_is_refused(lambent: Server) -> None:
    create(lambent.client("lambda"), "f")
    other = lambent.client("lambda", aws_access_key_id="111111111111")
    for call in (other.get_function, other.invoke, other.delete_function):
        with pytest.raises(other.exceptions.ClientError) as caught:
            call(FunctionName=f"{ARN}f")
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_list_has_pages(client: Any) -> None:
    expected = [f"f{number:02}" for number in range(7)]
    for name in expected:
        client.create_function(**new(name))
    assert names(client) == expected
    assert names(client, PaginationConfig={"PageSize": 3}) == expected
    page = client.list_functions(MaxItems=3)
    assert [function["FunctionName"] for function in page["Functions"]] == expected[:3]
    client.delete_function(FunctionName="f03")
    rest = client.list_functions(MaxItems=50, Marker=page["NextMarker"])
    assert [function["FunctionName"] for function in rest["Functions"]] == expected[4:]
    assert "NextMarker" not in rest


@pytest.mark.parametrize("marker", ["not a marker", "WzFd", "bnVsbA"])
def test_a_marker_of_somebody_else_is_refused(client: Any, marker: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.list_functions(Marker=marker)


def test_there_are_no_replicas_at_the_edge(client: Any) -> None:
    create(client, "f")
    assert client.list_functions(MasterRegion="us-east-1", FunctionVersion="ALL")["Functions"] == []


def test_two_hundred_functions_are_created_invoked_and_listed(client: Any) -> None:
    expected = [f"function-{number:03}" for number in range(200)]

    def one(name: str) -> str:
        client.create_function(**new(name, "variables", Environment={"Variables": {"NAME": name}}))
        return invoke(client, name, {"NAME": ""})["NAME"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, expected)) == expected
    assert names(client) == expected
    assert len(client.list_functions()["Functions"]) == 50


def test_a_deleted_function_is_gone_and_its_name_is_free(client: Any) -> None:
    create(client, "f", "version_one")
    assert invoke(client, "f") == "one"
    client.delete_function(FunctionName="f")
    for call in (client.get_function, client.invoke, client.delete_function):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            call(FunctionName="f")
    client.create_function(**new("f", "version_two"))
    assert invoke(client, "f") == "two"


def test_a_version_that_is_not_there_is_deleted_without_complaint(client: Any) -> None:
    create(client, "f")
    assert client.delete_function(FunctionName="f", Qualifier="7")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert names(client) == ["f"]


def test_empty_members_ask_for_nothing(client: Any) -> None:
    members = {"Layers": [], "FileSystemConfigs": [], "Publish": False, "KMSKeyArn": "", "PackageType": "Zip"}
    assert create(client, "f", **members)["PackageType"] == "Zip"


def test_a_runtime_that_this_machine_lacks_is_refused_with_what_to_install(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
        client.create_function(**new("f", Runtime="ruby3.4"))
    assert "ruby3.4" in str(caught.value)
    assert names(client) == []


def test_after_a_restart_everything_is_as_it_was(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        before = create(client, "f", "counter", Tags={"a": "b"})
        assert invoke(client, "f") == {"counter": 0}
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        after = client.get_function(FunctionName="f")
        assert after["Configuration"] == {key: part for key, part in before.items() if key != "ResponseMetadata"}
        assert after["Tags"] == {"a": "b"}
        assert invoke(client, "f") == {"counter": 0}
