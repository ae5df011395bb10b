"""Policies given as whole documents, and what they deny."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, arn, create, invoke, own_client, publish, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
DENIED = "AccessDeniedException"


def statement(owner: Any, **members: Any) -> dict[str, Any]:
    common = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn(owner, "f")}
    return {name: value for name, value in (common | members).items() if value is not None}


def put(owner: Any, *statements: dict[str, Any], name: str = "f", **members: Any) -> dict[str, Any]:
    """Give a function a policy; returns the answer."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    answer: dict[str, Any] = owner.put_resource_policy(
        ResourceArn=arn(owner, name), Policy=json.dumps(document, indent=2), **members
    )
    return answer


def test_a_policy_is_kept_as_it_was_given(owner: Any) -> None:
    given = statement(owner, Sid="s", Principal={"AWS": ["111122223333"]}, Condition={"Bool": {"aws:x": True}})
    answer = put(owner, given)
    assert json.loads(answer["Policy"]) == {"Version": "2012-10-17", "Statement": [given]}
    held = owner.get_resource_policy(ResourceArn=arn(owner, "f"))
    assert (held["Policy"], held["RevisionId"]) == (answer["Policy"], answer["RevisionId"])
    assert owner.get_policy(FunctionName="f")["Policy"] == answer["Policy"]
    assert owner.get_function_configuration(FunctionName="f")["RevisionId"] == answer["RevisionId"]


def test_a_policy_replaces_permissions_and_takes_more_of_them(owner: Any) -> None:
    allow = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    owner.add_permission(StatementId="old", **allow)
    document = {"Version": "2012-10-17", "Id": "mine", "Statement": statement(owner, Sid="given")}
    owner.put_resource_policy(ResourceArn=arn(owner, "f"), Policy=json.dumps(document))
    owner.add_permission(StatementId="new", **allow)
    held = json.loads(owner.get_resource_policy(ResourceArn=arn(owner, "f"))["Policy"])
    assert (held["Id"], [one["Sid"] for one in held["Statement"]]) == ("mine", ["given", "new"])
    owner.remove_permission(FunctionName="f", StatementId="given")
    owner.remove_permission(FunctionName="f", StatementId="new")
    refused(owner, NOT_FOUND, owner.get_resource_policy, ResourceArn=arn(owner, "f"))


def test_a_policy_is_guarded_by_its_revision(owner: Any) -> None:
    wrong = "00000000-0000-4000-8000-000000000000"
    code = "PreconditionFailedException"
    first = put(owner, statement(owner))
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(owner)]})
    text = refused(
        owner, code, owner.put_resource_policy, ResourceArn=arn(owner, "f"), Policy=document, RevisionId=wrong
    )
    assert text.endswith("Call the GetResourcePolicy API to retrieve the latest Revision Id")
    second = put(owner, statement(owner), RevisionId=first["RevisionId"])
    assert second["RevisionId"] != first["RevisionId"]
    refused(owner, code, owner.delete_resource_policy, ResourceArn=arn(owner, "f"), RevisionId=first["RevisionId"])
    answer = owner.delete_resource_policy(ResourceArn=arn(owner, "f"), RevisionId=second["RevisionId"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (owner.get_resource_policy, owner.delete_resource_policy):
        refused(owner, NOT_FOUND, call, ResourceArn=arn(owner, "f"))
    assert owner.get_function_configuration(FunctionName="f")["RevisionId"] != second["RevisionId"]


def test_versions_and_aliases_have_policies_of_their_own(owner: Any, other: Any) -> None:
    publish(owner, "f")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    put(owner, statement(owner, Resource=arn(owner, "f:live")), name="f:live")
    assert invoke(other, arn(owner, "f:live")) == "one"
    refused(other, DENIED, other.invoke, FunctionName=arn(owner, "f:1"))
    put(owner, statement(owner, Resource=arn(owner, "f:*")))
    assert invoke(other, arn(owner, "f:1")) == "one"
    refused(other, DENIED, other.invoke, FunctionName=arn(owner, "f"))


def test_what_cannot_have_a_policy_is_refused(owner: Any, other: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(owner, Resource="*")]})
    call = owner.put_resource_policy
    refused(owner, INVALID, call, ResourceArn=arn(owner, "f:$LATEST"), Policy=document)
    refused(owner, NOT_FOUND, call, ResourceArn=arn(owner, "gone"), Policy=document)
    refused(owner, NOT_FOUND, call, ResourceArn=arn(owner, "f:7"), Policy=document)
    refused(owner, NOT_FOUND, call, ResourceArn=arn(owner, "f:live"), Policy=document)
    refused(owner, NOT_FOUND, call, ResourceArn=arn(owner, "f").replace("us-east-1", "eu-west-1"), Policy=document)
    refused(other, DENIED, other.put_resource_policy, ResourceArn=arn(owner, "f"), Policy=document)
    for name in ("put_resource_policy", "get_resource_policy", "delete_resource_policy"):
        members = {"Policy": document} if name.startswith("put") else {}
        runtime = f"arn:aws:lambda:us-east-1:{account(owner)}:runtime/mine"
        refused(owner, NOT_FOUND, getattr(owner, name), ResourceArn=runtime, **members)


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
def test_what_is_no_policy_for_the_function_is_refused(owner: Any, changes: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(owner, **changes)]})
    refused(owner, INVALID, owner.put_resource_policy, ResourceArn=arn(owner, "f"), Policy=document)
    refused(owner, NOT_FOUND, owner.get_resource_policy, ResourceArn=arn(owner, "f"))


@pytest.mark.parametrize(
    "document",
    ["nonsense", "[]", '{"Version": "2012-10-17", "Statement": []}', '{"Version": "2020-01-01", "Statement": []}'],
    ids=["no JSON", "a list", "no statement", "unknown version"],
)
def test_what_is_no_policy_at_all_is_refused(owner: Any, document: str) -> None:
    refused(owner, INVALID, owner.put_resource_policy, ResourceArn=arn(owner, "f"), Policy=document)


def test_a_sid_is_there_once(owner: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(owner, Sid="s")] * 2})
    refused(owner, INVALID, owner.put_resource_policy, ResourceArn=arn(owner, "f"), Policy=document)


def test_a_policy_has_20_kilobytes_without_white_space(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(put(owner, statement(owner))["Policy"])
    monkeypatch.setattr(limits, "RESOURCE_POLICY_BYTES", size)
    put(owner, statement(owner))
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement(owner, Sid="s")]})
    text = refused(
        owner,
        "PolicyLengthExceededException",
        owner.put_resource_policy,
        ResourceArn=arn(owner, "f"),
        Policy=document,
    )
    assert f"bigger than the limit ({size})" in text


def test_a_function_denies_even_its_own_account(owner: Any) -> None:
    deny = statement(
        owner, Effect="Deny", Principal={"AWS": account(owner)}, Resource=[arn(owner, "f"), arn(owner, "f:*")]
    )
    put(owner, deny)
    text = refused(owner, DENIED, owner.invoke, FunctionName="f")
    assert text == (
        f"User: arn:aws:iam::{account(owner)}:root is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{arn(owner, 'f')} with an explicit deny in a resource-based policy"
    )
    refused(owner, DENIED, owner.invoke, FunctionName=arn(owner, "f"), Qualifier="$LATEST")
    assert owner.get_function(FunctionName="f")["Configuration"]["FunctionName"] == "f"
    put(owner, statement(owner, Effect="Deny", Action="lambda:Update*"))
    assert invoke(owner, "f") == "one"
    refused(owner, DENIED, owner.update_function_configuration, FunctionName="f", Timeout=9)
    refused(owner, DENIED, owner.update_function_configuration, FunctionName=arn(owner, "f"), Timeout=9)
    owner.delete_resource_policy(ResourceArn=arn(owner, "f"))
    owner.update_function_configuration(FunctionName="f", Timeout=9)


@pytest.mark.parametrize("name", ["x y:z", ":f", "f:", "\u00e9:\u00e9"])
def test_a_denial_changes_nothing_for_names_that_nothing_can_have(owner: Any, name: str) -> None:
    put(owner, statement(owner, Effect="Deny", Action="lambda:Update*"))
    refused(owner, "ValidationException", owner.get_function_url_config, FunctionName=name)
    refused(owner, "ValidationException", owner.delete_function_url_config, FunctionName=name)


def test_a_denial_wins_over_what_is_allowed_to_others(owner: Any, other: Any, shared_lambent: Server) -> None:
    third = own_client(shared_lambent)
    put(owner, statement(owner), statement(owner, Effect="Deny", Principal={"AWS": account(third)}))
    assert invoke(other, arn(owner, "f")) == "one"
    refused(third, DENIED, third.invoke, FunctionName=arn(owner, "f"))
    assert invoke(owner, "f") == "one"


def test_a_denial_survives_a_restart_and_ends_with_its_function(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        owner = server.client("lambda", aws_access_key_id="111122223333")
        create(owner, "f")
        put(owner, statement(owner, Effect="Deny"))
    with serving(settings_for(tmp_path)) as server:
        owner = server.client("lambda", aws_access_key_id="111122223333")
        refused(owner, DENIED, owner.invoke, FunctionName="f")
        owner.delete_function(FunctionName="f")
        create(owner, "f")
        assert invoke(owner, "f", 1) == 1
