"""Code signing: its configurations, and what functions take that use them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.conftest import serving, settings_for
from tests.services.lambda_.buckets import buckets
from tests.services.lambda_.calls import create, new, own_client, publish, refused, settle
from tests.services.lambda_.packages import archive, package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

PROFILE = "arn:aws:signer:us-east-1:111122223333:/signing-profiles/p/v"
NOT_FOUND = "ResourceNotFoundException"
UNTRUSTED = (
    "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
    "configured to accept. Check the provided signature for f."
)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent, config=Config(parameter_validation=False))


def config(client: Any, policy: str | None = None, **members: Any) -> str:
    """Make a configuration; returns its ARN."""
    policies = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy}} if policy else {}
    publishers = {"SigningProfileVersionArns": [PROFILE]}
    made = client.create_code_signing_config(AllowedPublishers=publishers, **policies, **members)
    arn: str = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    return arn


def used(client: Any, name: str = "f") -> str | None:
    arn: str | None = client.get_function_code_signing_config(FunctionName=name).get("CodeSigningConfigArn")
    return arn


def users(client: Any, arn: str, **members: Any) -> list[str]:
    pages = client.get_paginator("list_functions_by_code_signing_config").paginate(CodeSigningConfigArn=arn, **members)
    return [one.rpartition(":")[2] for page in pages for one in page["FunctionArns"]]


def test_a_configuration_has_what_it_was_given(client: Any) -> None:
    arn = config(client, "Enforce", Description="d", Tags={"a": "b"})
    held = client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert held.pop("LastModified").endswith("+0000")
    assert re.fullmatch(r"arn:aws:lambda:us-east-1:\d{12}:code-signing-config:csc-[a-z0-9]{17}", arn)
    assert held == {
        "CodeSigningConfigArn": arn,
        "CodeSigningConfigId": arn.rpartition(":")[2],
        "Description": "d",
        "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
    }


def test_a_configuration_warns_where_it_is_not_told_to_enforce(client: Any) -> None:
    held = client.get_code_signing_config(CodeSigningConfigArn=config(client))["CodeSigningConfig"]
    assert held["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert "Description" not in held


def test_an_update_changes_what_is_given(client: Any) -> None:
    arn = config(client, "Enforce", Description="d")
    update = client.update_code_signing_config
    assert update(CodeSigningConfigArn=arn, Description="e")["CodeSigningConfig"]["Description"] == "e"
    other = {"SigningProfileVersionArns": [PROFILE, f"{PROFILE}2"]}
    changed = update(CodeSigningConfigArn=arn, AllowedPublishers=other)["CodeSigningConfig"]
    assert (changed["AllowedPublishers"], changed["Description"]) == (other, "e")
    assert changed["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Ignore"}}, "untrustedArtifactOnDeployment"),
        ({"AllowedPublishers": {"SigningProfileVersionArns": []}}, "signingProfileVersionArns"),
        ({"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE] * 21}}, "signingProfileVersionArns"),
        ({"Description": "d" * 257}, "description"),
    ],
    ids=["policy", "no publisher", "too many publishers", "description"],
)
def test_what_the_model_rules_out_is_refused(client: Any, members: dict[str, Any], where: str) -> None:
    request = {"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]}} | members
    text = refused(client, "ValidationException", client.create_code_signing_config, **request)
    assert where in text


def test_an_arn_may_leave_out_its_partition(client: Any) -> None:
    arn = config(client)
    held = client.get_code_signing_config(CodeSigningConfigArn=arn.replace("aws", "", 1))["CodeSigningConfig"]
    assert held["CodeSigningConfigArn"] == arn


def test_configurations_are_listed_in_pages(client: Any) -> None:
    arns = {config(client) for _ in range(5)}
    for size in (None, 2):
        paging = {} if size is None else {"PaginationConfig": {"PageSize": size}}
        pages = client.get_paginator("list_code_signing_configs").paginate(**paging)
        listed = [one["CodeSigningConfigArn"] for page in pages for one in page["CodeSigningConfigs"]]
        assert (set(listed), len(listed)) == (arns, 5)
    refused(client, "InvalidParameterValueException", client.list_code_signing_configs, Marker="not one")


def test_functions_are_listed_by_what_they_use(client: Any) -> None:
    arn, other = config(client), config(client)
    for name in ("a", "b", "c"):
        create(client, name)
        client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=arn)
    assert users(client, arn) == users(client, arn, PaginationConfig={"PageSize": 1}) == ["a", "b", "c"]
    client.put_function_code_signing_config(FunctionName="b", CodeSigningConfigArn=other)
    client.delete_function_code_signing_config(FunctionName="c")
    assert (users(client, arn), users(client, other)) == (["a"], ["b"])
    client.delete_function(FunctionName="a")
    assert users(client, arn) == []
    create(client, "a")
    assert used(client, "a") is None


def test_a_configuration_goes_when_nobody_uses_it(client: Any) -> None:
    arn = config(client)
    create(client, "f", CodeSigningConfigArn=arn)
    text = refused(client, "ResourceConflictException", client.delete_code_signing_config, CodeSigningConfigArn=arn)
    assert arn in text
    client.delete_function_code_signing_config(FunctionName="f")
    answer = client.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused(client, NOT_FOUND, client.get_code_signing_config, CodeSigningConfigArn=arn)


def test_the_configuration_of_somebody_else_is_not_found(client: Any, shared_lambent: Server) -> None:
    arn = config(client)
    create(client, "f")
    for wrong in (config(own_client(shared_lambent)), arn.replace("us-east-1", "eu-west-1")):
        refused(client, NOT_FOUND, client.get_code_signing_config, CodeSigningConfigArn=wrong)
        refused(
            client,
            "CodeSigningConfigNotFoundException",
            client.put_function_code_signing_config,
            FunctionName="f",
            CodeSigningConfigArn=wrong,
        )
        refused(
            client, "CodeSigningConfigNotFoundException", client.create_function, **new("g", CodeSigningConfigArn=wrong)
        )
        refused(client, NOT_FOUND, client.get_function, FunctionName="g")


def test_who_enforces_takes_nothing_that_is_not_trusted(client: Any) -> None:
    arn = config(client, "Enforce")
    failed = "CodeVerificationFailedException"
    text = refused(client, failed, client.create_function, **new("f", CodeSigningConfigArn=arn))
    assert text == UNTRUSTED
    refused(client, NOT_FOUND, client.get_function, FunctionName="f")
    before = create(client, "f")
    client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    code = {"FunctionName": "f", "ZipFile": package("version_two")}
    assert refused(client, failed, client.update_function_code, **code) == UNTRUSTED
    assert refused(client, failed, client.update_function_code, DryRun=True, **code) == UNTRUSTED
    made = client.publish_layer_version(LayerName="l", Content={"ZipFile": archive({"x": b""})})
    layers = [made["LayerVersionArn"]]
    assert refused(client, failed, client.update_function_configuration, FunctionName="f", Layers=layers) == UNTRUSTED
    client.update_function_configuration(FunctionName="f", Timeout=9, Layers=[])
    assert settle(client, "f")["CodeSha256"] == before["CodeSha256"]
    client.delete_function_code_signing_config(FunctionName="f")
    client.update_function_code(**code)
    assert settle(client, "f")["CodeSha256"] != before["CodeSha256"]


def test_who_warns_takes_everything(client: Any) -> None:
    arn = config(client, "Warn")
    create(client, "f", CodeSigningConfigArn=arn)
    assert used(client) == arn
    assert publish(client, "f", "version_two") == "1"


def test_a_policy_holds_for_packages_from_then_on(client: Any) -> None:
    arn = config(client, "Warn")
    create(client, "f", CodeSigningConfigArn=arn)
    policies = {"UntrustedArtifactOnDeployment": "Enforce"}
    client.update_code_signing_config(CodeSigningConfigArn=arn, CodeSigningPolicies=policies)
    assert client.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"
    code = package("version_two")
    refused(client, "CodeVerificationFailedException", client.update_function_code, FunctionName="f", ZipFile=code)


def test_a_policy_holds_for_a_package_that_is_still_on_its_way(tmp_path: Path) -> None:
    with buckets(signed=False) as held, serving(settings_for(tmp_path, s3_endpoint=held.endpoint)) as server:
        client, other = server.client("lambda"), server.client("lambda")
        before = create(client, "f")
        arn = config(client, "Enforce")
        held.objects["bucket"] = {"two.zip": package("version_two")}
        held.meanwhile = lambda: other.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
        code = {"S3Bucket": "bucket", "S3Key": "two.zip"}
        refused(client, "CodeVerificationFailedException", client.update_function_code, FunctionName="f", **code)
        assert held.asked == ["bucket/two.zip"]
        assert settle(client, "f")["CodeSha256"] == before["CodeSha256"]


def test_images_are_not_signed(client: Any) -> None:
    arn = config(client)
    image = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::000000000000:role/r",
        "PackageType": "Image",
        "Code": {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/image:latest"},
    }
    text = "Code signing is not supported for functions created with container images."
    code = "InvalidParameterValueException"
    assert refused(client, code, client.create_function, **image, CodeSigningConfigArn=arn) == text
    client.create_function(**image)
    put = client.put_function_code_signing_config
    assert refused(client, code, put, FunctionName="f", CodeSigningConfigArn=arn) == text
    assert refused(client, code, client.get_function_code_signing_config, FunctionName="f") == text


def test_code_signing_survives_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        arn = config(client, "Enforce")
        create(client, "f")
        client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        assert (used(client), users(client, arn)) == (arn, ["f"])
        assert client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]["LastModified"]


def test_a_configuration_has_tags(client: Any, shared_lambent: Server) -> None:
    arn = config(client, Tags={"a": "1", "b": "2"})
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "2"}
    client.tag_resource(Resource=arn, Tags={"a": "3", "c": "4"})
    client.untag_resource(Resource=arn, TagKeys=["b"])
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "3", "c": "4"}
    gone = f"{arn[:-1]}x"
    refused(client, NOT_FOUND, client.list_tags, Resource=gone)
    refused(client, NOT_FOUND, client.tag_resource, Resource=gone, Tags={"a": "1"})
    other = own_client(shared_lambent)
    refused(other, "AccessDeniedException", other.list_tags, Resource=arn)
