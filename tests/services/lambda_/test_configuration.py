"""The configuration of functions and its updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.services.lambda_.calls import (
    MANAGED_RUNTIME,
    create,
    create_managed,
    invoke,
    managed,
    new,
    overtaken,
    own_client,
    refused,
    settle,
)
from tests.services.lambda_.engines import SNAPSHOT_RUNTIME, recording
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def changed(client: Any, **members: Any) -> dict[str, Any]:
    client.update_function_configuration(FunctionName="f", **members)
    return settle(client, "f")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Description", "another"),
        ("Handler", "index.other"),
        ("MemorySize", 3008),
        ("Timeout", 900),
        ("Role", f"{ROLE}-of-another-name"),
        ("EphemeralStorage", {"Size": 10240}),
        ("TracingConfig", {"Mode": "Active"}),
        ("DeadLetterConfig", {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:queue"}),
        ("Environment", {"Variables": {"AA": "1"}}),
        ("LoggingConfig", {"LogFormat": "Text", "LogGroup": "/mine"}),
        ("KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/k"),
    ],
)
def test_a_member_that_is_given_changes_and_no_other(client: Any, member: str, value: Any) -> None:
    before = create(client, "f")
    after = changed(client, **{member: value})
    assert after[member] == value
    moving = {member, "RevisionId", "LastModified", "ResponseMetadata"}
    assert {key: part for key, part in after.items() if key not in moving} == {
        key: part for key, part in before.items() if key not in moving
    }


def test_the_members_given_at_creation_are_kept(client: Any) -> None:
    members = {
        "Description": "described",
        "MemorySize": 512,
        "Timeout": 60,
        "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": {"AA": "1", "BB": "ünïcode"}},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/mine"},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:queue"},
    }
    held = create(client, "f", **members)
    members["LoggingConfig"]["SystemLogLevel"] = "INFO"
    assert {key: held[key] for key in members} == members


def test_an_environment_is_replaced_whole(client: Any) -> None:
    create(client, "f", "variables", Environment={"Variables": {"AA": "1", "BB": "2"}})
    assert invoke(client, "f", {"AA": "", "BB": ""}) == {"AA": "1", "BB": "2"}
    changed(client, Environment={"Variables": {"BB": "3"}})
    assert invoke(client, "f", {"AA": "", "BB": ""}) == {"AA": None, "BB": "3"}
    changed(client, Description="says nothing of variables")
    assert invoke(client, "f", {"BB": ""}) == {"BB": "3"}
    assert changed(client, Environment={})["Environment"] == {"Variables": {}}


def test_a_dead_letter_target_is_taken_away_by_an_empty_one(client: Any) -> None:
    create(client, "f", DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:queue"})
    assert "DeadLetterConfig" not in changed(client, DeadLetterConfig={"TargetArn": ""})


def test_logging_is_merged(client: Any) -> None:
    create(client, "f", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"})
    assert changed(client, LoggingConfig={"SystemLogLevel": "WARN"})["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "/aws/lambda/f",
    }
    assert changed(client, LoggingConfig={"LogFormat": "Text"})["LoggingConfig"] == {
        "LogFormat": "Text",
        "LogGroup": "/aws/lambda/f",
    }


INVALID = "InvalidParameterValueException"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
FILES = {
    "Arn": f"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-{'0' * 17}",
    "LocalMountPath": "/mnt/a",
}


def test_a_function_in_a_vpc_runs(client: Any) -> None:
    held = create(client, "f", VpcConfig=VPC | {"Ipv6AllowedForDualStack": True})["VpcConfig"]
    assert (held["SubnetIds"], held["SecurityGroupIds"], held["Ipv6AllowedForDualStack"]) == (
        ["subnet-1"],
        ["sg-1"],
        True,
    )
    assert create(client, "g", VpcConfig=VPC)["VpcConfig"]["VpcId"] == held["VpcId"]
    assert invoke(client, "f", 1) == 1


@pytest.mark.parametrize("half", [{"SubnetIds": ["subnet-1"]}, {"SecurityGroupIds": ["sg-1"]}])
def test_a_vpc_is_given_whole(client: Any, half: dict[str, Any]) -> None:
    create(client, "f")
    for call, members in (
        (client.create_function, new("g", VpcConfig=half)),
        (client.update_function_configuration, {"FunctionName": "f", "VpcConfig": half}),
    ):
        text = refused(client, "InvalidParameterValueException", call, **members)
        assert text == "SubnetIds and SecurityIds must coexist or be both empty list."


def test_file_systems_are_kept_and_need_a_vpc(client: Any) -> None:
    text = (
        f"Function must be configured to execute in a VPC to reference access point {FILES['Arn']}. "
        "Please update the function configuration to include VPC subnets and security groups."
    )
    wrong = "InvalidParameterValueException"
    assert refused(client, wrong, client.create_function, **new("f", FileSystemConfigs=[FILES])) == text
    assert create(client, "f", FileSystemConfigs=[FILES], VpcConfig=VPC)["FileSystemConfigs"] == [FILES]
    away = {"FunctionName": "f", "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}
    assert refused(client, wrong, client.update_function_configuration, **away) == text
    assert "FileSystemConfigs" not in changed(client, FileSystemConfigs=[])
    assert changed(client, FileSystemConfigs=[FILES])["FileSystemConfigs"] == [FILES]


@pytest.mark.parametrize("first", ["SnapStart", "FileSystemConfigs"])
def test_file_systems_and_snapshots_exclude_each_other(tmp_path: Path, monkeypatch: Any, first: str) -> None:
    with recording(tmp_path, monkeypatch) as found:
        client = found.server.client("lambda")
        members = {"FileSystemConfigs": [FILES], "SnapStart": {"ApplyOn": "PublishedVersions"}}
        wrong = "InvalidParameterValueException"
        text = "SnapStart is not supported for functions with file systems."
        given = {"Runtime": SNAPSHOT_RUNTIME, "VpcConfig": VPC}
        assert refused(client, wrong, client.create_function, **new("f", **given, **members)) == text
        second = {key: value for key, value in members.items() if key != first}
        create(client, "f", **given, **{first: members[first]})
        assert refused(client, wrong, client.update_function_configuration, FunctionName="f", **second) == text


CUSTOM = {"RuntimeArn": "arn:aws:lambda:us-east-1:000000000000:runtime/mine", "RuntimeAlias": "prod"}


def test_a_customer_managed_runtime_is_kept_and_cannot_be_run_yet(client: Any) -> None:
    held = create(client, "f", Runtime="custom", RuntimeConfig=CUSTOM)
    assert (held["Runtime"], held["RuntimeConfig"]) == ("custom", CUSTOM)
    assert "RuntimeVersionConfig" not in held
    assert "RuntimeConfig" in refused(client, "NotImplemented", client.invoke, FunctionName="f")
    assert changed(client, RuntimeConfig=CUSTOM | {"RuntimeAlias": "beta"})["RuntimeConfig"]["RuntimeAlias"] == "beta"
    assert changed(client, Description="kept")["RuntimeConfig"]["RuntimeAlias"] == "beta"
    assert "RuntimeConfig" not in changed(client, Runtime=RUNTIME)
    assert invoke(client, "f", 1) == 1
    assert changed(client, Runtime="custom", RuntimeConfig=CUSTOM)["RuntimeConfig"] == CUSTOM


def test_a_runtime_is_customer_managed_if_it_says_which(client: Any) -> None:
    text, wrong = "RuntimeConfig must be specified if, and only if, the runtime is custom.", INVALID
    assert refused(client, wrong, client.create_function, **new("f", RuntimeConfig=CUSTOM)) == text
    assert refused(client, wrong, client.create_function, **new("f", Runtime="custom")) == text
    create(client, "f")
    update = client.update_function_configuration
    assert refused(client, wrong, update, FunctionName="f", RuntimeConfig=CUSTOM) == text
    assert refused(client, wrong, update, FunctionName="f", Runtime="custom") == text


IMAGE = {"PackageType": "Image", "Code": {"ImageUri": "mine:latest"}}


def imaged(name: str, **members: Any) -> dict[str, Any]:
    """The parameters of CreateFunction for an image."""
    return {"FunctionName": name, "Role": ROLE, **IMAGE, **members}


def test_an_accelerator_is_kept_for_images_on_managed_instances(client: Any) -> None:
    members = {"CapacityProviderConfig": managed(client), "MemorySize": 2048}
    client.create_function(**imaged("f", AcceleratorConfig={"AcceleratorMemorySize": 24}, **members))
    assert settle(client, "f")["AcceleratorConfig"] == {"AcceleratorMemorySize": 24}
    assert changed(client, AcceleratorConfig={"AcceleratorMemorySize": 3})["AcceleratorConfig"] == {
        "AcceleratorMemorySize": 3
    }
    assert changed(client, Description="kept")["AcceleratorConfig"] == {"AcceleratorMemorySize": 3}


def test_who_can_have_no_accelerator_is_told_why(client: Any) -> None:
    wanted = {"AcceleratorConfig": {"AcceleratorMemorySize": 24}}
    config = {"CapacityProviderConfig": managed(client), "MemorySize": 2048}
    wrong = {
        "the function has no capacity provider": imaged("f", **wanted),
        "the function is not a container image": new("f", Runtime=MANAGED_RUNTIME, **config, **wanted),
        "the function's architecture is not x86_64": imaged("f", Architectures=["arm64"], **config, **wanted),
        "AcceleratorMemorySize must be one of 3, 6, 12, 16, 24, 48": imaged(
            "f", **config, AcceleratorConfig={"AcceleratorMemorySize": 8}
        ),
    }
    for why, request in wrong.items():
        told = refused(client, INVALID, client.create_function, **request)
        assert told == f"AcceleratorConfig is not supported: {why}."


def test_a_key_is_taken_away_by_an_empty_one(client: Any) -> None:
    create(client, "f", KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/k")
    assert "KMSKeyArn" not in changed(client, KMSKeyArn="")


def test_a_durable_function_keeps_its_terms_and_changes_them_one_by_one(client: Any) -> None:
    held = create(client, "f", DurableConfig={"ExecutionTimeout": 60})
    assert held["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 14}
    assert changed(client, DurableConfig={"RetentionPeriodInDays": 3})["DurableConfig"] == {
        "ExecutionTimeout": 60,
        "RetentionPeriodInDays": 3,
    }
    assert changed(client, DurableConfig={"ExecutionTimeout": 90})["DurableConfig"]["RetentionPeriodInDays"] == 3


def test_a_durable_function_says_how_long_it_may_take(client: Any) -> None:
    text = refused(client, "InvalidParameterValueException", client.create_function, **new("f", DurableConfig={}))
    assert text == "You cannot create a function with a durable configuration without an executionTimeout"


def test_a_function_is_durable_from_its_creation_on_or_never(client: Any) -> None:
    create(client, "f")
    refused(
        client,
        "InvalidParameterValueException",
        client.update_function_configuration,
        FunctionName="f",
        DurableConfig={"ExecutionTimeout": 60},
    )
    assert "DurableConfig" not in settle(client, "f")


def test_a_function_on_managed_instances_has_its_own_defaults(client: Any) -> None:
    held = create_managed(client, "f", CapacityProviderConfig=managed(client))
    assert held["CapacityProviderConfig"] == managed(
        client, PerExecutionEnvironmentMaxConcurrency=16, ExecutionEnvironmentMemoryGiBPerVCpu=2.0
    )
    assert held["MemorySize"] == 2048
    assert held["LoggingConfig"]["LogFormat"] == "JSON"
    assert "SnapStart" not in held
    first = held["ConfigSha256"]
    assert changed(client, MemorySize=32768, Timeout=5400)["ConfigSha256"] != first
    assert changed(client, MemorySize=2048, Timeout=3)["ConfigSha256"] == first
    more = changed(client, CapacityProviderConfig=managed(client, PerExecutionEnvironmentMaxConcurrency=4))
    assert more["CapacityProviderConfig"] == managed(
        client, PerExecutionEnvironmentMaxConcurrency=4, ExecutionEnvironmentMemoryGiBPerVCpu=2.0
    )


def test_a_function_is_on_managed_instances_from_its_creation_on_or_never(client: Any) -> None:
    create(client, "f")
    text = refused(
        client,
        "InvalidParameterValueException",
        client.update_function_configuration,
        FunctionName="f",
        CapacityProviderConfig=managed(client),
    )
    assert text == "CapacityProviderConfig isn't supported for Lambda Default functions."


def test_a_function_keeps_its_tenancy(client: Any) -> None:
    held = create(client, "f", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    assert held["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert changed(client, Timeout=9)["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}


def test_each_update_changes_the_revision_twice(client: Any) -> None:
    created = client.create_function(**new("f"))
    active = settle(client, "f")
    accepted = client.update_function_configuration(FunctionName="f", Timeout=5)
    complete = settle(client, "f")
    revisions = [answer["RevisionId"] for answer in (created, active, accepted, complete)]
    assert len(set(revisions)) == 4


def test_four_kilobytes_of_variables_are_taken_and_no_more(client: Any) -> None:
    most = "a" * (4096 - len('{"AA":""}'))
    create(client, "f", Environment={"Variables": {"AA": most}})
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="exceeded the 4KB limit"):
        client.update_function_configuration(FunctionName="f", Environment={"Variables": {"AA": most + "a"}})


@pytest.mark.parametrize(
    ("member", "value", "limit"),
    [("Timeout", 901, 900), ("MemorySize", 10241, 10240), ("EphemeralStorage", {"Size": 10241}, 10240)],
)
def test_the_limits_of_ordinary_functions_hold(shared_lambent: Server, member: str, value: Any, limit: int) -> None:
    client = own_client(shared_lambent)
    create(client, "f")
    text = f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {limit}"
    for call, members in (
        (client.create_function, new("g", **{member: value})),
        (client.update_function_configuration, {"FunctionName": "f", member: value}),
    ):
        with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
            call(**members)
        assert text in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("Timeout", 0, "timeout"),
        ("MemorySize", 127, "memorySize"),
        ("MemorySize", 32769, "memorySize"),
        ("EphemeralStorage", {"Size": 511}, "ephemeralStorage.size"),
        ("Handler", "with a space", "handler"),
        ("Description", "a" * 257, "description"),
    ],
)
def test_the_models_limits_hold(shared_lambent: Server, member: str, value: Any, path: str) -> None:
    client = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(client, "f")
    for call, members in (
        (client.create_function, new("g", **{member: value})),
        (client.update_function_configuration, {"FunctionName": "f", member: value}),
    ):
        with pytest.raises(client.exceptions.ClientError) as caught:
            call(**members)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert f"at '{path}' failed to satisfy constraint" in caught.value.response["Error"]["Message"]


def test_no_handler_holds_what_no_variable_can(client: Any) -> None:
    create(client, "f")
    for call, members in (
        (client.create_function, new("g", Handler="a\0.b")),
        (client.update_function_configuration, {"FunctionName": "f", "Handler": "a\0.b"}),
    ):
        assert "NUL" in refused(client, "InvalidParameterValueException", call, **members)


def test_settings_go_together_also_where_two_updates_meet(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    create(client, "f", VpcConfig=VPC)
    away = {"SubnetIds": [], "SecurityGroupIds": []}
    update = overtaken(
        client, monkeypatch, lambda: changed(client, VpcConfig=away), FunctionName="f", FileSystemConfigs=[FILES]
    )
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="configured to execute in a VPC"):
        update.result()
    assert "FileSystemConfigs" not in settle(client, "f")


def test_a_runtime_is_changed_only_to_one_that_runs_here(client: Any) -> None:
    before = create(client, "f")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="java21"):
        client.update_function_configuration(FunctionName="f", Runtime="java21")
    assert settle(client, "f")["RevisionId"] == before["RevisionId"]
