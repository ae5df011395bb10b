"""Permissions of layer versions, and what other accounts do with those that are shared with them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, create, new, own_client, refused, settle
from tests.services.lambda_.packages import archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

ACTION = "lambda:GetLayerVersion"
NOT_FOUND = "ResourceNotFoundException"
DENIED = "AccessDeniedException"


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent, config=Config(parameter_validation=False))


def layer(client: Any) -> str:
    """Publish a version of the layer `l`; returns its ARN."""
    content = {"ZipFile": archive({"python/inside.py": b"x = 1\n"})}
    arn: str = client.publish_layer_version(LayerName="l", Content=content)["LayerVersionArn"]
    return arn


def allow(client: Any, principal: str, sid: str = "s", **members: Any) -> dict[str, Any]:
    """Share version 1 of the layer `l`; returns the answer."""
    request = {"LayerName": "l", "VersionNumber": 1, "StatementId": sid, "Action": ACTION, "Principal": principal}
    answer: dict[str, Any] = client.add_layer_version_permission(**request | members)
    return answer


def test_the_layer_of_another_region_has_no_policy_here(client: Any, shared_lambent: Server) -> None:
    elsewhere = shared_lambent.client("lambda", aws_access_key_id=account(client), region_name="eu-west-1")
    layer(client)
    name = layer(elsewhere).rpartition(":")[0]
    allow(elsewhere, "*")
    text = f"Layer version {name}:1 does not exist."
    assert refused(client, NOT_FOUND, partial(allow, client, "*"), LayerName=name) == text
    named = {"LayerName": name, "VersionNumber": 1}
    assert refused(client, NOT_FOUND, client.get_layer_version_policy, **named) == text
    assert refused(client, NOT_FOUND, client.remove_layer_version_permission, StatementId="s", **named) == text
    assert allow(elsewhere, "*", sid="t")["Statement"]


def test_a_permission_has_what_it_was_given(client: Any) -> None:
    arn = layer(client)
    answer = allow(client, "*", OrganizationId="o-1234567890")
    assert json.loads(answer["Statement"]) == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ACTION,
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    }
    held = client.get_layer_version_policy(LayerName=arn.removesuffix(":1"), VersionNumber=1)
    assert json.loads(held["Policy"])["Statement"] == [json.loads(answer["Statement"])]
    assert held["RevisionId"] == answer["RevisionId"]


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("arn:aws:iam::111122223333:root", {"AWS": "arn:aws:iam::111122223333:root"}),
    ],
    ids=["number", "ARN"],
)
def test_an_account_is_shown_by_its_arn(client: Any, principal: str, shown: dict[str, str]) -> None:
    layer(client)
    assert json.loads(allow(client, principal)["Statement"])["Principal"] == shown


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"Principal": "s3.amazonaws.com"}, "principal"),
        ({"Action": "lambda:InvokeFunction"}, "action"),
        ({"OrganizationId": "o-short"}, "organizationId"),
        ({"StatementId": "a.b"}, "statementId"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_the_model_rules_out_is_refused(client: Any, members: dict[str, Any], member: str) -> None:
    layer(client)
    request = {"LayerName": "l", "VersionNumber": 1, "StatementId": "s", "Action": ACTION, "Principal": "*"} | members
    text = refused(client, "ValidationException", client.add_layer_version_permission, **request)
    assert f"at '{member}' failed to satisfy constraint" in text


def test_versions_count_from_one(client: Any) -> None:
    layer(client)
    for call, members in (
        (client.add_layer_version_permission, {"StatementId": "s", "Action": ACTION, "Principal": "*"}),
        (client.remove_layer_version_permission, {"StatementId": "s"}),
        (client.get_layer_version_policy, {}),
    ):
        code = "InvalidParameterValueException"
        assert refused(client, code, call, LayerName="l", VersionNumber=0, **members)


def test_with_its_last_statement_a_policy_is_gone(client: Any) -> None:
    layer(client)
    allow(client, "*")
    client.remove_layer_version_permission(LayerName="l", VersionNumber=1, StatementId="s")
    version = {"LayerName": "l", "VersionNumber": 1}
    text = "No policy is associated with the given resource."
    assert refused(client, NOT_FOUND, client.get_layer_version_policy, **version) == text
    assert refused(client, NOT_FOUND, client.remove_layer_version_permission, StatementId="s", **version) == text


def test_a_policy_goes_with_its_layer_version(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        layer(client)
        allow(client, "111122223333")
        stranger = server.client("lambda", aws_access_key_id="111122223333")
        name = "arn:aws:lambda:us-east-1:000000000000:layer:l"
        assert stranger.get_layer_version(LayerName=name, VersionNumber=1)["Version"] == 1
        client.delete_layer_version(LayerName="l", VersionNumber=1)
        refused(stranger, DENIED, stranger.get_layer_version, LayerName=name, VersionNumber=1)


def test_a_policy_has_20_kilobytes(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layer(client)
    allow(client, "*")
    size = len(client.get_layer_version_policy(LayerName="l", VersionNumber=1)["Policy"])
    monkeypatch.setattr(limits, "RESOURCE_POLICY_BYTES", size)
    with pytest.raises(client.exceptions.PolicyLengthExceededException):
        allow(client, "*", "t")


def test_another_account_uses_what_is_shared_with_it(client: Any, other: Any, shared_lambent: Server) -> None:
    arn = layer(client)
    later = layer(client)
    allow(client, account(other))
    create(other, "f", Layers=[arn])
    assert settle(other, "f")["Layers"][0]["Arn"] == arn
    assert other.get_layer_version_by_arn(Arn=arn)["LayerVersionArn"] == arn
    assert other.get_layer_version(LayerName=arn.removesuffix(":1"), VersionNumber=1)["Version"] == 1
    text = refused(other, DENIED, other.create_function, **new("g", Layers=[later]))
    assert f"is not authorized to perform: {ACTION} on resource: {later}" in text
    third = own_client(shared_lambent)
    refused(third, DENIED, third.get_layer_version_by_arn, Arn=arn)
    client.remove_layer_version_permission(LayerName="l", VersionNumber=1, StatementId="s")
    refused(other, DENIED, other.update_function_configuration, FunctionName="f", Layers=[arn])
    assert settle(other, "f")["Layers"][0]["Arn"] == arn


def test_what_is_shared_is_still_its_owners(client: Any, other: Any) -> None:
    name = layer(client).removesuffix(":1")
    allow(client, "*")
    version = {"LayerName": name, "VersionNumber": 1}
    for call, members in (
        (other.delete_layer_version, version),
        (other.get_layer_version_policy, version),
        (other.add_layer_version_permission, {**version, "StatementId": "t", "Action": ACTION, "Principal": "*"}),
        (other.remove_layer_version_permission, {**version, "StatementId": "s"}),
        (other.list_layer_versions, {"LayerName": name}),
    ):
        refused(other, DENIED, call, **members)
