"""Permissions: what functions, versions and aliases let others do."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from lambent.kernel import limits
from lambent.kernel.access import Requester
from lambent.services.lambda_.access import crossing, permits
from lambent.services.lambda_.records import FunctionKey
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, arn, create, invoke, publish, refused, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server

INVOKE = "lambda:InvokeFunction"
INVALID = "InvalidParameterValueException"
NOT_FOUND = "ResourceNotFoundException"
DENIED = "AccessDeniedException"


def allow(owner: Any, principal: str, sid: str = "s", name: str = "f", **members: Any) -> dict[str, Any]:
    """Add a permission; returns the statement."""
    request = {"FunctionName": name, "StatementId": sid, "Action": INVOKE, "Principal": principal, **members}
    statement: dict[str, Any] = json.loads(owner.add_permission(**request)["Statement"])
    return statement


def sids(owner: Any, **members: Any) -> list[str]:
    policy = json.loads(owner.get_policy(FunctionName="f", **members)["Policy"])
    return [statement["Sid"] for statement in policy["Statement"]]


def test_a_permission_has_what_it_was_given(owner: Any) -> None:
    statement = allow(
        owner,
        "s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="111122223333",
        PrincipalOrgID="o-1234567890",
    )
    assert statement == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": INVOKE,
        "Resource": arn(owner, "f"),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "111122223333", "aws:PrincipalOrgID": "o-1234567890"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    held = owner.get_policy(FunctionName=arn(owner, "f"))
    assert json.loads(held["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert held["RevisionId"] == owner.get_function_configuration(FunctionName="f")["RevisionId"]


def test_a_permission_can_be_for_a_url(owner: Any) -> None:
    url = allow(owner, "*", "url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert url["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    via = allow(owner, "*", "via", InvokedViaFunctionUrl=True)
    assert via["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("arn:aws:iam::111122223333:role/path/r", {"AWS": "arn:aws:iam::111122223333:role/path/r"}),
        ("arn:aws:sts::111122223333:assumed-role/r/s", {"AWS": "arn:aws:sts::111122223333:assumed-role/r/s"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
    ],
    ids=["everybody", "account", "role", "session", "Alexa", "service"],
)
def test_a_principal_is_shown_by_its_kind(owner: Any, principal: str, shown: Any) -> None:
    assert allow(owner, principal)["Principal"] == shown


@pytest.mark.parametrize("principal", ["example.com", "11112222333", "arn:aws:s3:::bucket", "arn:aws:iam::1:root", "a"])
def test_a_principal_of_no_kind_is_refused(owner: Any, principal: str) -> None:
    text = "The provided principal was invalid. Please check the principal and try again."
    assert refused(owner, INVALID, partial(allow, owner), principal=principal) == text
    assert refused(owner, NOT_FOUND, owner.get_policy, FunctionName="f")


@pytest.mark.parametrize(
    "members",
    [
        {"FunctionUrlAuthType": "NONE"},
        {"Action": "lambda:InvokeFunctionUrl", "InvokedViaFunctionUrl": True},
        {"EventSourceToken": "token", "SourceArn": "arn:aws:s3:::bucket"},
        {"EventSourceToken": "token", "SourceAccount": "111122223333"},
    ],
    ids=["AuthType of an invocation", "a URL through a URL", "token and ARN", "token and account"],
)
def test_members_that_do_not_go_together_are_refused(owner: Any, members: dict[str, Any]) -> None:
    refused(owner, INVALID, partial(allow, owner), principal="*", **members)


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"Action": "s3:GetObject"}, "action"),
        ({"StatementId": "a.b"}, "statementId"),
        ({"SourceArn": "bucket"}, "sourceArn"),
        ({"SourceAccount": "1"}, "sourceAccount"),
        ({"PrincipalOrgID": "o-short"}, "principalOrgID"),
        ({"FunctionUrlAuthType": "SOME"}, "functionUrlAuthType"),
        ({"EventSourceToken": "a b"}, "eventSourceToken"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_the_model_rules_out_is_refused(owner: Any, members: dict[str, Any], member: str) -> None:
    request = {"FunctionName": "f", "StatementId": "s", "Action": INVOKE, "Principal": "*"} | members
    text = refused(owner, "ValidationException", owner.add_permission, **request)
    assert f"at '{member}' failed to satisfy constraint" in text


def test_functions_versions_and_aliases_have_policies_of_their_own(owner: Any) -> None:
    publish(owner, "f")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for name, sid in (("f", "own"), ("f:1", "one"), ("f:live", "alias")):
        statement = allow(owner, "sns.amazonaws.com", sid, name)
        assert statement["Resource"] == arn(owner, name)
    assert (sids(owner), sids(owner, Qualifier="1"), sids(owner, Qualifier="live")) == (["own"], ["one"], ["alias"])
    refused(owner, INVALID, partial(allow, owner), principal="*", Qualifier="$LATEST")


def test_a_policy_changes_the_revision_of_what_it_belongs_to_alone(owner: Any) -> None:
    publish(owner, "f")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="1")

    def revisions() -> list[str]:
        held = [owner.get_function_configuration(FunctionName=name)["RevisionId"] for name in ("f", "f:1")]
        return [*held, owner.get_alias(FunctionName="f", Name="live")["RevisionId"]]

    for position, name in enumerate(("f", "f:1", "f:live")):
        before = revisions()
        allow(owner, "sns.amazonaws.com", name=name, RevisionId=before[position])
        after = revisions()
        assert [one for one in range(3) if before[one] != after[one]] == [position]
        assert owner.get_policy(FunctionName=name)["RevisionId"] == after[position]
        text = refused(
            owner,
            "PreconditionFailedException",
            partial(allow, owner),
            principal="*",
            sid="t",
            name=name,
            RevisionId="x",
        )
        assert text.endswith("Call the GetPolicy API to retrieve the latest Revision Id")
        owner.remove_permission(FunctionName=name, StatementId="s", RevisionId=after[position])
        assert revisions()[position] != after[position]


def test_a_policy_goes_with_what_it_belongs_to(owner: Any) -> None:
    publish(owner, "f")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for name in ("f", "f:1", "f:live"):
        allow(owner, "*", name=name)
    owner.delete_alias(FunctionName="f", Name="live")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")
    refused(owner, NOT_FOUND, owner.get_policy, FunctionName="f", Qualifier="live")
    owner.delete_function(FunctionName="f", Qualifier="1")
    refused(owner, NOT_FOUND, owner.get_policy, FunctionName="f", Qualifier="1")
    owner.delete_function(FunctionName="f")
    create(owner, "f")
    refused(owner, NOT_FOUND, owner.get_policy, FunctionName="f")


def test_a_policy_has_20_kilobytes(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.RESOURCE_POLICY_BYTES == 20_480
    allow(owner, "s3.amazonaws.com")
    size = len(owner.get_policy(FunctionName="f")["Policy"])
    monkeypatch.setattr(limits, "RESOURCE_POLICY_BYTES", size)
    text = refused(owner, "PolicyLengthExceededException", partial(allow, owner), principal="s3.amazonaws.com", sid="t")
    assert text.startswith("The final policy size (")
    assert text.endswith(f") is bigger than the limit ({size}).")
    assert sids(owner) == ["s"]


def test_permissions_survive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        owner = server.client("lambda")
        create(owner, "f")
        allow(owner, "111122223333")
        before = owner.get_policy(FunctionName="f")
    with serving(settings_for(tmp_path)) as server:
        after = server.client("lambda").get_policy(FunctionName="f")
        assert (after["Policy"], after["RevisionId"]) == (before["Policy"], before["RevisionId"])
        stranger = server.client("lambda", aws_access_key_id="111122223333")
        assert invoke(stranger, "arn:aws:lambda:us-east-1:000000000000:function:f", 1) == 1


def test_another_account_invokes_what_it_is_allowed_to(owner: Any, other: Any) -> None:
    text = refused(other, DENIED, other.invoke, FunctionName=arn(owner, "f"))
    assert text == (
        f"User: arn:aws:iam::{account(other)}:root is not authorized to perform: {INVOKE}"
        f" on resource: {arn(owner, 'f')} because no resource-based policy allows the {INVOKE} action"
    )
    allow(owner, account(other))
    assert invoke(other, arn(owner, "f")) == "one"
    assert invoke(other, f"{account(owner)}:f") == "one"
    assert other.invoke(FunctionName=arn(owner, "f"), InvocationType="DryRun")["StatusCode"] == 204
    events = other.invoke_with_response_stream(FunctionName=arn(owner, "f"))["EventStream"]
    assert b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event) == b'"one"'
    refused(other, DENIED, other.get_function, FunctionName=arn(owner, "f"))
    owner.remove_permission(FunctionName="f", StatementId="s")
    refused(other, DENIED, other.invoke, FunctionName=arn(owner, "f"))


def test_a_permission_for_an_alias_is_for_that_alias_alone(owner: Any, other: Any) -> None:
    publish(owner, "f")
    owner.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    allow(owner, account(other), name="f:live")
    assert invoke(other, arn(owner, "f:live")) == "one"
    assert invoke(other, arn(owner, "f"), Qualifier="live") == "one"
    for name in ("f", "f:1", "f:$LATEST"):
        refused(other, DENIED, other.invoke, FunctionName=arn(owner, name))
    owner.remove_permission(FunctionName="f:live", StatementId="s")
    allow(owner, account(other))
    for name in ("f:live", "f:1", "f:$LATEST"):
        refused(other, DENIED, other.invoke, FunctionName=arn(owner, name))


def test_another_account_changes_what_it_is_allowed_to(owner: Any, other: Any) -> None:
    allow(owner, account(other), Action="lambda:*")
    assert other.get_function_configuration(FunctionName=arn(owner, "f"))["FunctionArn"] == arn(owner, "f")
    assert other.publish_version(FunctionName=arn(owner, "f"))["Version"] == "1"
    alias = other.create_alias(FunctionName=arn(owner, "f"), Name="live", FunctionVersion="1")
    assert alias["AliasArn"] == arn(owner, "f:live")
    assert owner.get_alias(FunctionName="f", Name="live")["FunctionVersion"] == "1"
    for call, members in (
        (other.add_permission, {"StatementId": "t", "Action": INVOKE, "Principal": "*"}),
        (other.remove_permission, {"StatementId": "s"}),
        (other.update_function_configuration, {"Timeout": 9}),
    ):
        refused(other, DENIED, call, FunctionName=arn(owner, "f"), **members)
    other.delete_function(FunctionName=arn(owner, "f"))
    refused(owner, NOT_FOUND, owner.get_function, FunctionName="f")


def test_what_aws_shares_are_operations() -> None:
    model = botocore.session.get_session().get_service_model("lambda")
    assert {xform_name(name) for name in model.operation_names} >= crossing.SHARED


def test_a_function_that_is_not_there_is_no_secret_of_its_account(owner: Any, other: Any) -> None:
    for call in (other.invoke, other.get_function, other.delete_function):
        refused(other, DENIED, call, FunctionName=arn(owner, "gone"))


def test_a_session_of_a_role_is_what_the_role_is(owner: Any, shared_lambent: Server) -> None:
    keys = {"aws_access_key_id": "444455556666"}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    made = shared_lambent.client("iam", **keys).create_role(
        RoleName="worker",
        Path="/team/",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    role = made["Role"]["Arn"]
    given = shared_lambent.client("sts", **keys).assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = shared_lambent.client(
        "lambda",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    allow(owner, "arn:aws:iam::444455556666:role/team/other")
    refused(session, DENIED, session.invoke, FunctionName=arn(owner, "f"))
    allow(owner, role, "t")
    assert invoke(session, arn(owner, "f")) == "one"


def test_an_update_in_progress_and_a_permission_do_not_undo_each_other(owner: Any) -> None:
    owner.update_function_configuration(FunctionName="f", Timeout=9)
    allow(owner, "*")
    held = settle(owner, "f")
    assert held["Timeout"] == 9
    assert sids(owner) == ["s"]


@pytest.fixture
def may(owner: Any, shared_lambent: Server) -> Callable[..., bool]:
    """Asks the server itself whether somebody may invoke the function `f` of `owner`."""
    parts: Any = next(service.parts for service in shared_lambent.app.services if service.name == "lambda")
    key = FunctionKey(account(owner), "us-east-1", "f")

    def ask(requester: Requester, action: str = INVOKE, qualifier: str | None = None, **context: str) -> bool:
        known = {name.replace("_", ":"): value for name, value in context.items()}
        answer: bool = shared_lambent.run(lambda: permits.may_invoke(parts, key, qualifier, requester, action, known))
        return answer

    return ask


def test_a_service_may_invoke_for_its_source(owner: Any, may: Callable[..., bool]) -> None:
    bucket = Requester(service="s3.amazonaws.com")
    assert not may(bucket)
    allow(owner, "s3.amazonaws.com", SourceArn="arn:aws:s3:::b*", SourceAccount="111122223333")
    source = {"aws_sourcearn": "arn:aws:s3:::bucket", "aws_sourceaccount": "111122223333"}
    assert may(bucket, **source)
    assert not may(bucket, **{**source, "aws_sourceaccount": "444455556666"})
    assert not may(bucket, **{**source, "aws_sourcearn": "arn:aws:s3:::a"})
    assert not may(Requester(service="sns.amazonaws.com"), **source)
    owner.remove_permission(FunctionName="f", StatementId="s")
    assert not may(bucket, **source)


def test_a_url_is_open_where_both_permissions_are_given(owner: Any, may: Callable[..., bool]) -> None:
    nobody, url = Requester(), "lambda:InvokeFunctionUrl"
    allow(owner, "*", Action=url, FunctionUrlAuthType="NONE")
    assert may(nobody, url, lambda_functionurlauthtype="NONE")
    assert not may(nobody, url, lambda_functionurlauthtype="AWS_IAM")
    assert not may(nobody, INVOKE, lambda_invokedviafunctionurl="true")
    allow(owner, "*", "via", InvokedViaFunctionUrl=True)
    assert may(nobody, INVOKE, lambda_invokedviafunctionurl="true")
    assert not may(nobody, INVOKE)
