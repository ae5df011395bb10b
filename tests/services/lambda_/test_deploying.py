"""What deploy tools do, call by call, with the SDK's own waiters: none of it needs a second attempt."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.services.lambda_.calls import invoke, new, own_client
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from tests.conftest import Server

AT_ONCE = {"Delay": 0, "MaxAttempts": 10_000}


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent, config=Config(retries={"total_max_attempts": 1}))


def wait(client: Any, waiter: str, **members: Any) -> None:
    client.get_waiter(waiter).wait(FunctionName="f", WaiterConfig=AT_ONCE, **members)


def digest(code: str) -> str:
    return base64.b64encode(hashlib.sha256(package(code)).digest()).decode()


def test_a_plan_is_applied_changed_and_destroyed(client: Any) -> None:
    """As Terraform: configuration before code, a version of each state, and reads that find what was written."""
    client.create_function(**new("f", "version_one", Tags={"stage": "test"}, Environment={"Variables": {"AA": "1"}}))
    wait(client, "function_active_v2")
    first = client.publish_version(FunctionName="f", CodeSha256=digest("version_one"))["Version"]
    wait(client, "published_version_active", Qualifier=first)
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=first)
    read = client.get_function(FunctionName="f")
    assert read["Tags"] == {"stage": "test"}
    assert read["Configuration"]["CodeSha256"] == digest("version_one")
    assert [one["Version"] for one in client.list_versions_by_function(FunctionName="f")["Versions"]] == [
        "$LATEST",
        "1",
    ]

    client.update_function_configuration(FunctionName="f", Timeout=9, MemorySize=256)
    wait(client, "function_updated_v2")
    client.update_function_code(FunctionName="f", ZipFile=package("version_two"))
    wait(client, "function_updated_v2")
    second = client.publish_version(FunctionName="f", CodeSha256=digest("version_two"))["Version"]
    wait(client, "published_version_active", Qualifier=second)
    assert invoke(client, "f", Qualifier="live") == "one"
    client.update_alias(FunctionName="f", Name="live", FunctionVersion=second)
    assert invoke(client, "f", Qualifier="live") == "two"

    client.delete_alias(FunctionName="f", Name="live")
    client.delete_function(FunctionName="f")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="f")


def test_a_stack_is_made_rolled_forward_step_by_step_and_back(client: Any) -> None:
    """As CloudFormation for CDK: published at once, then shifted with weights as CodeDeploy does."""
    client.create_function(**new("f", "version_one", Publish=True))
    wait(client, "function_exists")
    wait(client, "function_active")
    wait(client, "published_version_active", Qualifier="1")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    updated = client.update_function_code(FunctionName="f", ZipFile=package("version_two"), Publish=True)
    wait(client, "function_updated")
    wait(client, "published_version_active", Qualifier=updated["Version"])
    weights = {"AdditionalVersionWeights": {updated["Version"]: 0.5}}
    client.update_alias(FunctionName="f", Name="live", RoutingConfig=weights)
    assert {invoke(client, "f", Qualifier="live") for _ in range(40)} == {"one", "two"}
    client.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {invoke(client, "f", Qualifier="live") for _ in range(10)} == {"one"}


def test_code_is_synchronised_again_and_again(client: Any) -> None:
    """As `sam sync`: code, wait, publish on the revision just read, alias; five times over."""
    client.create_function(**new("f", "version_one"))
    wait(client, "function_active_v2")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")
    for number, code in enumerate(["version_two", "version_one"] * 2 + ["version_two"], start=1):
        client.update_function_code(FunctionName="f", ZipFile=package(code))
        wait(client, "function_updated_v2")
        revision = client.get_function_configuration(FunctionName="f")["RevisionId"]
        version = client.publish_version(FunctionName="f", RevisionId=revision)["Version"]
        assert version == str(number)
        alias = client.get_alias(FunctionName="f", Name="live")
        client.update_alias(FunctionName="f", Name="live", FunctionVersion=version, RevisionId=alias["RevisionId"])
        assert invoke(client, "f", Qualifier="live") == code.removeprefix("version_")
    client.delete_function(FunctionName="f")
    client.create_function(**new("f", "version_one"))
    wait(client, "function_active_v2")
    assert client.publish_version(FunctionName="f")["Version"] == "1"
    assert client.list_aliases(FunctionName="f")["Aliases"] == []
