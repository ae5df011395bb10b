"""Capacity providers: what they are, what they become, and the functions on them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from botocore.config import Config

from lambent.kernel import limits
from lambent.services.lambda_.records.capacity_providers import ProviderKey
from lambent.services.lambda_.store import capacity_providers as store
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import (
    MANAGED_RUNTIME,
    create,
    create_managed,
    invoke,
    managed,
    new,
    own_client,
    publish,
    refused,
    settle,
    settle_provider,
    settle_version,
)
from tests.services.lambda_.packages import package
from tests.support import ROLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

MISSING = "ResourceNotFoundException"
CONFLICT = "ResourceConflictException"
INVALID = "InvalidParameterValueException"
POLICY = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 55.5}


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent, config=Config(parameter_validation=False))


def wanted(name: str = "mine", **members: Any) -> dict[str, Any]:
    """The parameters of CreateCapacityProvider."""
    return {
        "CapacityProviderName": name,
        "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
        **members,
    }


def made(client: Any, name: str = "mine", **members: Any) -> dict[str, Any]:
    """A capacity provider, once it is active."""
    client.create_capacity_provider(**wanted(name, **members))
    return settle_provider(client, name)


def listed(client: Any, **members: Any) -> list[str]:
    pages = client.get_paginator("list_capacity_providers").paginate(**members)
    return [one["CapacityProviderArn"].split(":")[-1] for page in pages for one in page["CapacityProviders"]]


def users(client: Any, name: str = "mine", **members: Any) -> list[tuple[str, str]]:
    """The functions on it, without what their ARNs have in common, and their states."""
    pages = client.get_paginator("list_function_versions_by_capacity_provider").paginate(
        CapacityProviderName=name, **members
    )
    found = [one for page in pages for one in page["FunctionVersions"]]
    return [(one["FunctionArn"].split(":function:")[1], one["State"]) for one in found]


def test_a_new_one_is_pending_and_soon_active(client: Any) -> None:
    answer = client.create_capacity_provider(**wanted())
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    pending = answer["CapacityProvider"]
    assert pending.pop("State") == "Pending"
    active = settle_provider(client, "mine")
    assert active.pop("State") == "Active"
    assert active == pending
    arn = active.pop("CapacityProviderArn")
    assert arn.startswith("arn:aws:lambda:us-east-1:")
    assert arn.endswith(":capacity-provider:mine")
    assert active.pop("LastModified").endswith("+0000")
    assert active == {
        "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
        "InstanceRequirements": {"Architectures": ["x86_64"]},
        "CapacityProviderScalingConfig": {"MaxVCpuCount": 400, "ScalingMode": "Auto"},
    }


def test_everything_that_is_asked_for_comes_back(client: Any) -> None:
    asked = {
        "InstanceRequirements": {"Architectures": ["arm64"], "AllowedInstanceTypes": ["m7g.large", "c8*"]},
        "CapacityProviderScalingConfig": {"MaxVCpuCount": 64, "ScalingMode": "Manual", "ScalingPolicies": [POLICY]},
        "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
        "PropagateTags": {"Mode": "Explicit", "ExplicitTags": {"team": "a"}},
        "TelemetryConfig": {"LoggingConfig": {"SystemLogLevel": "DEBUG", "LogGroup": "/mine"}},
    }
    held = made(client, **asked, Tags={"a": "b"})
    assert {member: held[member] for member in asked} == asked
    assert "Tags" not in held


def test_an_update_replaces_what_it_names_and_leaves_the_rest(client: Any) -> None:
    made(
        client,
        CapacityProviderScalingConfig={"MaxVCpuCount": 64, "ScalingMode": "Manual"},
        PropagateTags={"Mode": "None"},
    )
    answer = client.update_capacity_provider(
        CapacityProviderName="mine", CapacityProviderScalingConfig={"MaxVCpuCount": 8}
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["CapacityProvider"]["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 8, "ScalingMode": "Auto"}
    assert answer["CapacityProvider"]["PropagateTags"] == {"Mode": "None"}
    assert settle_provider(client, "mine") == answer["CapacityProvider"]


def test_one_that_is_deleted_says_so_and_is_gone(client: Any) -> None:
    held = made(client)
    answer = client.delete_capacity_provider(CapacityProviderName=held["CapacityProviderArn"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["CapacityProvider"] == held | {"State": "Deleting"}
    made_again = None
    while made_again is None:  # its name is taken until it is gone
        try:
            made_again = client.create_capacity_provider(**wanted())
        except client.exceptions.ResourceConflictException:
            continue
    assert settle_provider(client, "mine")["State"] == "Active"


def test_lists_come_by_name_in_pages_and_by_state(client: Any) -> None:
    for name in ("c", "a", "b"):
        made(client, name)
    assert listed(client) == listed(client, PaginationConfig={"PageSize": 1}) == ["a", "b", "c"]
    assert listed(client, State="Active") == ["a", "b", "c"]
    assert listed(client, State="Failed") == []
    assert "Marker" in refused(client, INVALID, client.list_capacity_providers, Marker="nonsense")


@pytest.mark.parametrize("form", ["name", "arn"])
def test_it_goes_by_name_and_by_arn(client: Any, form: str) -> None:
    arn = made(client)["CapacityProviderArn"]
    name = arn if form == "arn" else "mine"
    assert client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]["CapacityProviderArn"] == arn
    assert client.update_capacity_provider(CapacityProviderName=name)["CapacityProvider"]["CapacityProviderArn"] == arn
    shown = client.list_function_versions_by_capacity_provider(CapacityProviderName=name)
    assert (shown["CapacityProviderArn"], shown["FunctionVersions"]) == (arn, [])


@pytest.mark.parametrize(
    "operation",
    [
        "get_capacity_provider",
        "update_capacity_provider",
        "delete_capacity_provider",
        "list_function_versions_by_capacity_provider",
    ],
)
@pytest.mark.parametrize(
    "name",
    ["nobody", "arn:aws:lambda:eu-west-1:000000000000:capacity-provider:mine"],
    ids=["missing", "another region's"],
)
def test_one_that_is_not_there_is_not_found(client: Any, operation: str, name: str) -> None:
    message = refused(client, MISSING, getattr(client, operation), CapacityProviderName=name)
    assert message.startswith("Capacity provider not found: arn:aws:lambda:")
    assert message.endswith(name)


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"CapacityProviderName": "x" * 65}, INVALID, "less than or equal to 64"),
        ({"CapacityProviderName": "no spaces"}, "ValidationException", "'capacityProviderName'"),
        ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}, "ValidationException", "'vpcConfig.subnetIds'"),
        (
            {"InstanceRequirements": {"AllowedInstanceTypes": ["a"], "ExcludedInstanceTypes": ["b"]}},
            INVALID,
            "Only one of AllowedInstanceTypes and ExcludedInstanceTypes",
        ),
        ({"CapacityProviderScalingConfig": {"MaxVCpuCount": 1}}, "ValidationException", "axVCpuCount'"),
        (
            {"CapacityProviderScalingConfig": {"ScalingMode": "Auto", "ScalingPolicies": [POLICY]}},
            INVALID,
            "A scaling policy can't be specified when the scalingMode is set to Auto",
        ),
        ({"Tags": {f"tag-{number}": "" for number in range(51)}}, INVALID, "Number of tags exceeds"),
        ({"Tags": {"aws:mine": ""}}, INVALID, "aws: prefixed tag key names"),
    ],
    ids=["long name", "bad name", "no subnet", "two lists", "no room", "policy", "tags", "reserved tag"],
)
def test_what_cannot_be_is_refused(client: Any, members: dict[str, Any], code: str, says: str) -> None:
    message = refused(client, code, client.create_capacity_provider, **wanted() | members)
    assert says in message
    assert listed(client) == []


def test_its_tags_are_kept_changed_and_listed(client: Any) -> None:
    arn = made(client, Tags={"a": "1"})["CapacityProviderArn"]
    client.tag_resource(Resource=arn, Tags={"b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    refused(client, MISSING, client.list_tags, Resource=arn + "-not")


def test_a_name_is_given_once(client: Any) -> None:
    made(client)
    refused(client, CONFLICT, client.create_capacity_provider, **wanted())


def test_an_account_has_so_many_and_no_more(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CAPACITY_PROVIDERS", 1)
    made(client, "one")
    refused(client, "CapacityProviderLimitExceededException", client.create_capacity_provider, **wanted("two"))


def test_the_functions_on_it_are_listed_with_their_versions(client: Any) -> None:
    assert create_managed(client, "g")["State"] == "ActiveNonInvocable"
    create_managed(client, "f")
    create(client, "other")
    publish(client, "f")
    client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    expected = ["f:$LATEST", "f:$LATEST.PUBLISHED", "f:1", "g:$LATEST"]
    assert [name for name, _ in users(client)] == expected
    assert [name for name, _ in users(client, PaginationConfig={"PageSize": 1})] == expected
    assert dict(users(client))["g:$LATEST"] == "ActiveNonInvocable"


def test_it_stays_while_a_function_is_on_it(client: Any) -> None:
    create_managed(client, "f")
    refused(client, CONFLICT, client.delete_capacity_provider, CapacityProviderName="mine")
    client.delete_function(FunctionName="f")
    assert users(client) == []
    client.delete_capacity_provider(CapacityProviderName="mine")


def test_a_function_moves_to_another_one(client: Any) -> None:
    create_managed(client, "f")
    other = made(client, "other")["CapacityProviderArn"]
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": other}}
    client.update_function_configuration(FunctionName="f", CapacityProviderConfig=config)
    assert settle(client, "f")["State"] == "ActiveNonInvocable"
    assert users(client) == []
    assert users(client, "other") == [("f:$LATEST", "ActiveNonInvocable")]


def test_a_function_needs_one_that_is_there_and_of_its_architecture(client: Any) -> None:
    config = managed(client)
    arn = config["LambdaManagedInstancesCapacityProviderConfig"]["CapacityProviderArn"]
    nowhere = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn + "-not"}}
    message = refused(
        client, MISSING, client.create_function, **new("f", Runtime=MANAGED_RUNTIME, CapacityProviderConfig=nowhere)
    )
    assert message == f"Capacity provider not found: {arn}-not"
    unlike = new("f", Runtime=MANAGED_RUNTIME, CapacityProviderConfig=config, Architectures=["arm64"])
    refused(client, INVALID, client.create_function, **unlike)
    assert client.list_functions()["Functions"] == []


def test_so_many_versions_are_on_one_and_no_more(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CAPACITY_PROVIDER_VERSIONS", 1)
    create_managed(client, "f")
    for _ in range(2):  # what replaces another version needs no room
        client.update_function_configuration(FunctionName="f", Description="another")
        settle(client, "f")
        client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    refused(
        client, "FunctionVersionsPerCapacityProviderLimitExceededException", client.publish_version, FunctionName="f"
    )


def test_what_a_crash_has_left_half_way_is_completed_at_the_next_start(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        for name in ("coming", "going"):
            made(client, name)
        parts = next(service.parts for service in server.app.services if service.name == "lambda")

        def half_way(tx: Any) -> None:
            for name, state in (("coming", "Pending"), ("going", "Deleting")):
                held = store.find(tx, ProviderKey("0" * 12, "us-east-1", name))
                assert held is not None
                store.update(tx, msgspec.structs.replace(held, state=state))

        server.run(lambda: parts.store.write(half_way))
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        assert settle_provider(client, "coming")["State"] == "Active"
        while "going" in listed(client):
            continue


# How many environments a version is to have.


def scaling(client: Any, qualifier: str, **bounds: int) -> str:
    """The FunctionState in the answer."""
    answer = client.put_function_scaling_config(FunctionName="f", Qualifier=qualifier, FunctionScalingConfig=bounds)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    return str(answer["FunctionState"])


def test_the_number_of_environments_is_kept_for_each_version(client: Any) -> None:
    create_managed(client, "f")
    publish(client, "f")
    client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert settle_version(client, "f", "1")["State"] == "Active"
    bounds = {"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 5}
    assert scaling(client, "1", **bounds) == "Active"
    held = client.get_function_scaling_config(FunctionName="f", Qualifier="1")
    assert held["FunctionArn"].endswith(":function:f:1")
    assert held["AppliedFunctionScalingConfig"] == held["RequestedFunctionScalingConfig"] == bounds
    other = client.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
    assert "RequestedFunctionScalingConfig" not in other
    client.put_function_scaling_config(FunctionName="f", Qualifier="1")
    assert "RequestedFunctionScalingConfig" not in client.get_function_scaling_config(FunctionName="f", Qualifier="1")


def test_at_least_is_at_most_at_most(client: Any) -> None:
    create_managed(client, "f")
    publish(client, "f")
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        scaling(client, "1", MinExecutionEnvironments=3, MaxExecutionEnvironments=2)


def test_a_function_without_a_provider_has_no_number_of_environments(client: Any) -> None:
    create(client, "f")
    publish(client, "f")
    for operation in (client.get_function_scaling_config, client.put_function_scaling_config):
        message = refused(client, "AccessDeniedException", operation, FunctionName="f", Qualifier="1")
        assert message == "The function provided by the arn does not contain a capacity provider configuration"


def test_a_version_that_is_not_there_has_no_number_of_environments(client: Any) -> None:
    refused(client, MISSING, client.get_function_scaling_config, FunctionName="nobody", Qualifier="1")
    create_managed(client, "f")
    for operation in (client.get_function_scaling_config, client.put_function_scaling_config):
        assert refused(client, MISSING, operation, FunctionName="f", Qualifier="7").endswith(":function:f:7")


def test_nothing_is_left_of_a_version_that_is_deleted(client: Any) -> None:
    create_managed(client, "f")
    publish(client, "f")
    scaling(client, "1", MinExecutionEnvironments=1, MaxExecutionEnvironments=2)
    client.delete_function(FunctionName="f")
    create_managed(client, "f")
    publish(client, "f")
    assert "RequestedFunctionScalingConfig" not in client.get_function_scaling_config(FunctionName="f", Qualifier="1")


# Functions that run on one.


def test_what_is_published_is_initialised_and_runs(client: Any) -> None:
    create_managed(client, "f", "together")
    published = client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert (published["State"], published["StateReasonCode"]) == ("Pending", "Creating")
    assert settle_version(client, "f", "$LATEST.PUBLISHED")["State"] == "Active"
    answer = client.invoke(FunctionName="f", Payload=json.dumps({"name": "a", "others": []}))
    assert answer["ExecutedVersion"] == "$LATEST.PUBLISHED"
    assert json.loads(answer["Payload"].read())["most"] == "2"


def test_a_version_runs_several_invocations_at_a_time_in_one_environment(client: Any) -> None:
    create_managed(client, "f", "together")
    publish(client, "f")
    client.put_function_scaling_config(
        FunctionName="f",
        Qualifier="1",
        FunctionScalingConfig={"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1},
    )
    events = [{"name": "a", "others": ["b"]}, {"name": "b", "others": ["a"]}]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda event: invoke(client, "f", event, Qualifier="1"), events))
    assert len({answer["process"] for answer in answers}) == 2
    assert len({answer["stream"] for answer in answers}) == 1


def test_latest_itself_is_not_invocable(client: Any) -> None:
    create_managed(client, "f")
    for members in ({}, {"Qualifier": "$LATEST"}):
        message = refused(client, "NoPublishedVersionException", client.invoke, FunctionName="f", **members)
        assert message.startswith("The function can't be invoked because no published version exists.")
    client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    message = refused(client, INVALID, client.invoke, FunctionName="f", Qualifier="$LATEST")
    assert "can't be invoked with $LATEST qualifier" in message


@pytest.mark.parametrize("operation", ["invoke", "invoke_with_response_stream"])
def test_the_log_of_one_invocation_is_not_told_apart(client: Any, operation: str) -> None:
    create_managed(client, "f")
    publish(client, "f")
    members = {"FunctionName": "f", "Qualifier": "1", "LogType": "Tail"}
    message = refused(client, INVALID, getattr(client, operation), **members)
    assert message == "Tail logs are not supported for functions configured with capacity provider"


def test_a_version_that_does_not_initialise_fails(client: Any) -> None:
    create_managed(client, "f", "import_raises")
    publish(client, "f")
    held = settle_version(client, "f", "1")
    assert (held["State"], held["StateReasonCode"]) == ("Failed", "FunctionError")
    assert "Failed" in refused(client, CONFLICT, client.invoke, FunctionName="f", Qualifier="1")


def test_a_version_that_needs_more_than_its_provider_may_have_fails(client: Any) -> None:
    made(client, CapacityProviderScalingConfig={"MaxVCpuCount": 2})
    create_managed(client, "f", MemorySize=8192)
    publish(client, "f")
    held = settle_version(client, "f", "1")
    assert (held["State"], held["StateReasonCode"]) == ("Failed", "CapacityProviderScalingLimitExceeded")
    assert held["StateReason"].startswith("MinimumExecutionEnvironments can't be provisioned because CapacityProvider")


def test_a_version_without_environments_is_not_invoked(client: Any) -> None:
    create_managed(client, "f")
    publish(client, "f")
    assert scaling(client, "1", MinExecutionEnvironments=0, MaxExecutionEnvironments=0) == "Deactivated"
    assert "Deactivated" in refused(client, CONFLICT, client.invoke, FunctionName="f", Qualifier="1")
    client.put_function_scaling_config(FunctionName="f", Qualifier="1")
    assert invoke(client, "f", 1, Qualifier="1") == 1


def test_a_republished_version_runs_what_is_new_at_once(client: Any) -> None:
    create_managed(client, "f", "version_one")
    client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert invoke(client, "f") == "one"
    client.update_function_code(
        FunctionName="f", ZipFile=package("version_two"), Publish=True, PublishTo="LATEST_PUBLISHED"
    )
    assert invoke(client, "f") == "two"


def test_versions_run_again_after_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create_managed(client, "f")
        publish(client, "f")
        assert invoke(client, "f", 1, Qualifier="1") == 1
    with serving(settings_for(tmp_path)) as server:
        assert invoke(server.client("lambda"), "f", 2, Qualifier="1") == 2


def test_what_is_pending_when_the_server_stops_is_initialised_at_the_next_start(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create_managed(client, "f", "slow_to_import")
        publish(client, "f")
        assert client.get_function_configuration(FunctionName="f", Qualifier="1")["State"] == "Pending"
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        assert settle_version(client, "f", "1")["State"] == "Active"
        assert invoke(client, "f", 2, Qualifier="1") == 2


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"Runtime": "python3.11"}, INVALID, "Runtime Enum python3.11 does not support specified feature"),
        ({"MemorySize": 1024}, "ValidationException", "memory size greater than or equal to 2048"),
        ({"LoggingConfig": {"LogFormat": "Text"}}, INVALID, "LogFormat"),
        (
            {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
            INVALID,
            "You can't use Lambda Managed Instance functions with VPC configurations.",
        ),
    ],
    ids=["runtime", "memory", "text", "network"],
)
def test_what_cannot_run_on_one_is_refused(client: Any, members: dict[str, Any], code: str, says: str) -> None:
    wanted_function = {"Runtime": MANAGED_RUNTIME, "CapacityProviderConfig": managed(client), **members}
    assert says in refused(client, code, client.create_function, **new("f", **wanted_function))


def test_environments_on_one_are_not_provisioned_besides(client: Any) -> None:
    create_managed(client, "f")
    publish(client, "f")
    put = client.put_provisioned_concurrency_config
    refused(client, INVALID, put, FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
