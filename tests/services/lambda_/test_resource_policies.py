"""Policies given as whole documents, and what they deny."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, arn, create, invoke, own_client, publish, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
DENIED = "AccessDeniedException"


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(made, "f", "version_one")
    return made


@pytest.fixture
def other(shared_lambent: Server) -> Any:
    """A client of another account."""
    return own_client(shared_lambent)


def statement(client: Any, **members: Any) -> dict[str, Any]:
    common = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn(client, "f")}
    return {name: value for name, value in (common | members).items() if value is not None}


def put(client: Any, *statements: dict[str, Any], name: str = "f", **members: Any) -> dict[str, Any]:
    """Give a function a policy; returns the answer."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    answer: dict[str, Any] = client.put_resource_policy(
        ResourceArn=arn(client, name), Policy=json.dumps(document, indent=2), **members
    )
    return answer


def test_a_policy_is_kept_as_it_was_given(client: Any) -> None:
    given = statement(client, Sid="s", Principal={"AWS": ["111122223333"]}, Condition={"Bool": {"aws:x": True}})
    answer = put(client, given)
    assert json.loads(answer["Policy"]) == {"Version": "2012-10-17", "Statement": [given]}
    held = client.get_resource_policy(ResourceArn=arn(client, "f"))
    assert (held["Policy"], held["RevisionId"]) == (answer["Policy"], answer["RevisionId"])
    assert client.get_policy(FunctionName="f")["Policy"] == answer["Policy"]
    assert client.get_function_configuration(FunctionName="f")["RevisionId"] == answer["RevisionId"]


def test_a_policy_replaces_permissions_and_takes_more_of_them(client: Any) -> None:
    allow = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    client.add_permission(StatementId="old", **allow)
    document = {"Version": "2012-10-17", "Id": "mine", "Statement": statement(client, Sid="given")}
    client.put_resource_policy(ResourceArn=arn(client, "f"), Policy=json.dumps(document))
    client.add_permission(StatementId="new", **allow)
    held = json.loads(client.get_resource_policy(ResourceArn=arn(client, "f"))["Policy"])
    assert (held["Id"], [one["Sid"] for one in held["Statement"]]) == ("mine", ["given", "new"])
    client.remove_permission(FunctionName="f", StatementId="given")
    client.remove_permission(FunctionName="f", StatementId="new")
    refused(client, NOT_FOUND, client.get_resource_policy, ResourceArn=arn(client, "f"))


def test_a_policy_is_guarded_by_its_revision(client: Any) -> None:
    wrong = "00000000-0000-4000-8000-000000000000"
    code = "PreconditionFailedException"
    first = put(client, statement(client))
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(client)]})
    text = refused(
        client, code, client.put_resource_policy, ResourceArn=arn(client, "f"), Policy=document, RevisionId=wrong
    )
    assert text.endswith("Call the GetResourcePolicy API to retrieve the latest Revision Id")
    second = put(client, statement(client), RevisionId=first["RevisionId"])
    assert second["RevisionId"] != first["RevisionId"]
    refused(client, code, client.delete_resource_policy, ResourceArn=arn(client, "f"), RevisionId=first["RevisionId"])
    answer = client.delete_resource_policy(ResourceArn=arn(client, "f"), RevisionId=second["RevisionId"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_resource_policy, client.delete_resource_policy):
        refused(client, NOT_FOUND, call, ResourceArn=arn(client, "f"))
    assert client.get_function_configuration(FunctionName="f")["RevisionId"] != second["RevisionId"]


def test_versions_and_aliases_have_policies_of_their_own(client: Any, other: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    put(client, statement(client, Resource=arn(client, "f:live")), name="f:live")
    assert invoke(other, arn(client, "f:live")) == "one"
    refused(other, DENIED, other.invoke, FunctionName=arn(client, "f:1"))
    put(client, statement(client, Resource=arn(client, "f:*")))
    assert invoke(other, arn(client, "f:1")) == "one"
    refused(other, DENIED, other.invoke, FunctionName=arn(client, "f"))


def test_what_cannot_have_a_policy_is_refused(client: Any, other: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(client, Resource="*")]})
    call = client.put_resource_policy
    refused(client, INVALID, call, ResourceArn=arn(client, "f:$LATEST"), Policy=document)
    refused(client, NOT_FOUND, call, ResourceArn=arn(client, "gone"), Policy=document)
    refused(client, NOT_FOUND, call, ResourceArn=arn(client, "f:7"), Policy=document)
    refused(client, NOT_FOUND, call, ResourceArn=arn(client, "f:live"), Policy=document)
    refused(client, NOT_FOUND, call, ResourceArn=arn(client, "f").replace("us-east-1", "eu-west-1"), Policy=document)
    refused(other, DENIED, other.put_resource_policy, ResourceArn=arn(client, "f"), Policy=document)
    for name in ("put_resource_policy", "get_resource_policy", "delete_resource_policy"):
        members = {"Policy": document} if name.startswith("put") else {}
        runtime = f"arn:aws:lambda:us-east-1:{account(client)}:runtime/mine"
        text = refused(client, "NotImplemented", getattr(client, name), ResourceArn=runtime, **members)
        assert runtime in text


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": None},
        {"Action": None},
        {"Resource": None},
        {"Effect": "Perhaps"},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:lambda:us-east-1:111122223333:function:other"},
        {"Resource": "arn:aws:s3:::bucket"},
        {"Principal": "somebody"},
        {"Principal": {"AWS": "somebody"}},
        {"Principal": {"Somebody": "*"}},
        {"Principal": {"AWS": 1}},
        {"Condition": {"StringAlmostEquals": {"aws:x": "y"}}},
        {"Unknown": "x"},
    ],
    ids=json.dumps,
)
def test_what_is_no_policy_for_the_function_is_refused(client: Any, changes: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(client, **changes)]})
    refused(client, INVALID, client.put_resource_policy, ResourceArn=arn(client, "f"), Policy=document)
    refused(client, NOT_FOUND, client.get_resource_policy, ResourceArn=arn(client, "f"))


@pytest.mark.parametrize(
    "document",
    ["nonsense", "[]", '{"Version": "2012-10-17", "Statement": []}', '{"Version": "2020-01-01", "Statement": []}'],
    ids=["no JSON", "a list", "no statement", "unknown version"],
)
def test_what_is_no_policy_at_all_is_refused(client: Any, document: str) -> None:
    refused(client, INVALID, client.put_resource_policy, ResourceArn=arn(client, "f"), Policy=document)


def test_a_sid_is_there_once(client: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(client, Sid="s")] * 2})
    refused(client, INVALID, client.put_resource_policy, ResourceArn=arn(client, "f"), Policy=document)


def test_a_policy_has_20_kilobytes_without_white_space(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(put(client, statement(client))["Policy"])
    monkeypatch.setattr(limits, "RESOURCE_POLICY_BYTES", size)
    put(client, statement(client))
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(client, Sid="s")]})
    text = refused(
        client,
        "PolicyLengthExceededException",
        client.put_resource_policy,
        ResourceArn=arn(client, "f"),
        Policy=document,
    )
    assert f"bigger than the limit ({size})" in text


def test_a_function_denies_even_its_own_account(client: Any) -> None:
    deny = statement(
        client, Effect="Deny", Principal={"AWS": account(client)}, Resource=[arn(client, "f"), arn(client, "f:*")]
    )
    put(client, deny)
    text = refused(client, DENIED, client.invoke, FunctionName="f")
    assert text == (
        f"User: arn:aws:iam::{account(client)}:root is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{arn(client, 'f')} with an explicit deny in a resource-based policy"
    )
    refused(client, DENIED, client.invoke, FunctionName=arn(client, "f"), Qualifier="$LATEST")
    assert client.get_function(FunctionName="f")["Configuration"]["FunctionName"] == "f"
    put(client, statement(client, Effect="Deny", Action="lambda:Update*"))
    assert invoke(client, "f") == "one"
    refused(client, DENIED, client.update_function_configuration, FunctionName="f", Timeout=9)
    refused(client, DENIED, client.update_function_configuration, FunctionName=arn(client, "f"), Timeout=9)
    client.delete_resource_policy(ResourceArn=arn(client, "f"))
    client.update_function_configuration(FunctionName="f", Timeout=9)


@pytest.mark.parametrize("name", ["x y:z", ":f", "f:", "\u00e9:\u00e9"])
def test_a_denial_changes_nothing_for_names_that_nothing_can_have(client: Any, name: str) -> None:
    put(client, statement(client, Effect="Deny", Action="lambda:Update*"))
    refused(client, "ValidationException", client.get_function_url_config, FunctionName=name)
    refused(client, "ValidationException", client.delete_function_url_config, FunctionName=name)


def test_a_denial_wins_over_what_is_allowed_to_others(client: Any, other: Any, shared_lambent: Server) -> None:
    third = own_client(shared_lambent)
    put(client, statement(client), statement(client, Effect="Deny", Principal={"AWS": account(third)}))
    assert invoke(other, arn(client, "f")) == "one"
    refused(third, DENIED, third.invoke, FunctionName=arn(client, "f"))
    assert invoke(client, "f") == "one"


def test_a_denial_survives_a_restart_and_ends_with_its_function(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda", aws_access_key_id="111122223333")
        create(client, "f")
        put(client, statement(client, Effect="Deny"))
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda", aws_access_key_id="111122223333")
        refused(client, DENIED, client.invoke, FunctionName="f")
        client.delete_function(FunctionName="f")
        create(client, "f")
        assert invoke(client, "f", 1) == 1
