"""Permissions: what functions, versions and aliases let others do."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config

from lambent.kernel import limits
from lambent.kernel.access import Requester
from lambent.services.lambda_.access import crossing, permits
from lambent.services.lambda_.records import FunctionKey
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, arn, create, invoke, own_client, publish, refused, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server

INVOKE = "lambda:InvokeFunction"
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


def allow(client: Any, principal: str, sid: str = "s", name: str = "f", **members: Any) -> dict[str, Any]:
    """Add a permission; returns the statement."""
    request = {"FunctionName": name, "StatementId": sid, "Action": INVOKE, "Principal": principal, **members}
    statement: dict[str, Any] = json.loads(client.add_permission(**request)["Statement"])
    return statement


def sids(client: Any, **members: Any) -> list[str]:
    policy = json.loads(client.get_policy(FunctionName="f", **members)["Policy"])
    return [statement["Sid"] for statement in policy["Statement"]]


def test_a_permission_has_what_it_was_given(client: Any) -> None:
    statement = allow(
        client,
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
        "Resource": arn(client, "f"),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "111122223333", "aws:PrincipalOrgID": "o-1234567890"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    held = client.get_policy(FunctionName=arn(client, "f"))
    assert json.loads(held["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert held["RevisionId"] == client.get_function_configuration(FunctionName="f")["RevisionId"]


def test_a_permission_can_be_for_a_url(client: Any) -> None:
    url = allow(client, "*", "url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert url["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    via = allow(client, "*", "via", InvokedViaFunctionUrl=True)
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
def test_a_principal_is_shown_by_its_kind(client: Any, principal: str, shown: Any) -> None:
    assert allow(client, principal)["Principal"] == shown


@pytest.mark.parametrize("principal", ["example.com", "11112222333", "arn:aws:s3:::bucket", "arn:aws:iam::1:root", "a"])
def test_a_principal_of_no_kind_is_refused(client: Any, principal: str) -> None:
    text = "The provided principal was invalid. Please check the principal and try again."
    assert refused(client, INVALID, partial(allow, client), principal=principal) == text
    assert refused(client, NOT_FOUND, client.get_policy, FunctionName="f")


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
def test_members_that_do_not_go_together_are_refused(client: Any, members: dict[str, Any]) -> None:
    refused(client, INVALID, partial(allow, client), principal="*", **members)


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
def test_what_the_model_rules_out_is_refused(client: Any, members: dict[str, Any], member: str) -> None:
    request = {"FunctionName": "f", "StatementId": "s", "Action": INVOKE, "Principal": "*"} | members
    text = refused(client, "ValidationException", client.add_permission, **request)
    assert f"at '{member}' failed to satisfy constraint" in text


def test_functions_versions_and_aliases_have_policies_of_their_own(client: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for name, sid in (("f", "own"), ("f:1", "one"), ("f:live", "alias")):
        statement = allow(client, "sns.amazonaws.com", sid, name)
        assert statement["Resource"] == arn(client, name)
    assert (sids(client), sids(client, Qualifier="1"), sids(client, Qualifier="live")) == (["own"], ["one"], ["alias"])
    refused(client, INVALID, partial(allow, client), principal="*", Qualifier="$LATEST")


def test_a_policy_changes_the_revision_of_what_it_belongs_to_alone(client: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")

    def revisions() -> list[str]:
        held = [client.get_function_configuration(FunctionName=name)["RevisionId"] for name in ("f", "f:1")]
        return [*held, client.get_alias(FunctionName="f", Name="live")["RevisionId"]]

    for position, name in enumerate(("f", "f:1", "f:live")):
        before = revisions()
        allow(client, "sns.amazonaws.com", name=name, RevisionId=before[position])
        after = revisions()
        assert [one for one in range(3) if before[one] != after[one]] == [position]
        assert client.get_policy(FunctionName=name)["RevisionId"] == after[position]
        text = refused(
            client,
            "PreconditionFailedException",
            partial(allow, client),
            principal="*",
            sid="t",
            name=name,
            RevisionId="x",
        )
        assert text.endswith("Call the GetPolicy API to retrieve the latest Revision Id")
        client.remove_permission(FunctionName=name, StatementId="s", RevisionId=after[position])
        assert revisions()[position] != after[position]


def test_a_policy_goes_with_what_it_belongs_to(client: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for name in ("f", "f:1", "f:live"):
        allow(client, "*", name=name)
    client.delete_alias(FunctionName="f", Name="live")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")
    refused(client, NOT_FOUND, client.get_policy, FunctionName="f", Qualifier="live")
    client.delete_function(FunctionName="f", Qualifier="1")
    refused(client, NOT_FOUND, client.get_policy, FunctionName="f", Qualifier="1")
    client.delete_function(FunctionName="f")
    create(client, "f")
    refused(client, NOT_FOUND, client.get_policy, FunctionName="f")


def test_a_policy_has_20_kilobytes(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.RESOURCE_POLICY_BYTES == 20_480
    allow(client, "s3.amazonaws.com")
    size = len(client.get_policy(FunctionName="f")["Policy"])
    monkeypatch.setattr(limits, "RESOURCE_POLICY_BYTES", size)
    text = refused(
        client, "PolicyLengthExceededException", partial(allow, client), principal="s3.amazonaws.com", sid="t"
    )
    assert text.startswith("The final policy size (")
    assert text.endswith(f") is bigger than the limit ({size}).")
    assert sids(client) == ["s"]


def test_permissions_survive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create(client, "f")
        allow(client, "111122223333")
        before = client.get_policy(FunctionName="f")
    with serving(settings_for(tmp_path)) as server:
        after = server.client("lambda").get_policy(FunctionName="f")
        assert (after["Policy"], after["RevisionId"]) == (before["Policy"], before["RevisionId"])
        stranger = server.client("lambda", aws_access_key_id="111122223333")
        assert invoke(stranger, "arn:aws:lambda:us-east-1:000000000000:function:f", 1) == 1


def test_another_account_invokes_what_it_is_allowed_to(client: Any, other: Any) -> None:
    text = refused(other, DENIED, other.invoke, FunctionName=arn(client, "f"))
    assert text == (
        f"User: arn:aws:iam::{account(other)}:root is not authorized to perform: {INVOKE}"
        f" on resource: {arn(client, 'f')} because no resource-based policy allows the {INVOKE} action"
    )
    allow(client, account(other))
    assert invoke(other, arn(client, "f")) == "one"
    assert invoke(other, f"{account(client)}:f") == "one"
    assert other.invoke(FunctionName=arn(client, "f"), InvocationType="DryRun")["StatusCode"] == 204
    events = other.invoke_with_response_stream(FunctionName=arn(client, "f"))["EventStream"]
    assert b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event) == b'"one"'
    refused(other, DENIED, other.get_function, FunctionName=arn(client, "f"))
    client.remove_permission(FunctionName="f", StatementId="s")
    refused(other, DENIED, other.invoke, FunctionName=arn(client, "f"))


def test_a_permission_for_an_alias_is_for_that_alias_alone(client: Any, other: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    allow(client, account(other), name="f:live")
    assert invoke(other, arn(client, "f:live")) == "one"
    assert invoke(other, arn(client, "f"), Qualifier="live") == "one"
    for name in ("f", "f:1", "f:$LATEST"):
        refused(other, DENIED, other.invoke, FunctionName=arn(client, name))
    client.remove_permission(FunctionName="f:live", StatementId="s")
    allow(client, account(other))
    for name in ("f:live", "f:1", "f:$LATEST"):
        refused(other, DENIED, other.invoke, FunctionName=arn(client, name))


def test_another_account_changes_what_it_is_allowed_to(client: Any, other: Any) -> None:
    allow(client, account(other), Action="lambda:*")
    assert other.get_function_configuration(FunctionName=arn(client, "f"))["FunctionArn"] == arn(client, "f")
    assert other.publish_version(FunctionName=arn(client, "f"))["Version"] == "1"
    alias = other.create_alias(FunctionName=arn(client, "f"), Name="live", FunctionVersion="1")
    assert alias["AliasArn"] == arn(client, "f:live")
    assert client.get_alias(FunctionName="f", Name="live")["FunctionVersion"] == "1"
    for call, members in (
        (other.add_permission, {"StatementId": "t", "Action": INVOKE, "Principal": "*"}),
        (other.remove_permission, {"StatementId": "s"}),
        (other.update_function_configuration, {"Timeout": 9}),
    ):
        refused(other, DENIED, call, FunctionName=arn(client, "f"), **members)
    other.delete_function(FunctionName=arn(client, "f"))
    refused(client, NOT_FOUND, client.get_function, FunctionName="f")


def test_what_aws_shares_are_operations() -> None:
    model = botocore.session.get_session().get_service_model("lambda")
    assert {xform_name(name) for name in model.operation_names} >= crossing.SHARED


def test_a_function_that_is_not_there_is_no_secret_of_its_account(client: Any, other: Any) -> None:
    for call in (other.invoke, other.get_function, other.delete_function):
        refused(other, DENIED, call, FunctionName=arn(client, "gone"))


def test_a_session_of_a_role_is_what_the_role_is(client: Any, shared_lambent: Server) -> None:
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
    allow(client, "arn:aws:iam::444455556666:role/team/other")
    refused(session, DENIED, session.invoke, FunctionName=arn(client, "f"))
    allow(client, role, "t")
    assert invoke(session, arn(client, "f")) == "one"


def test_an_update_in_progress_and_a_permission_do_not_undo_each_other(client: Any) -> None:
    client.update_function_configuration(FunctionName="f", Timeout=9)
    allow(client, "*")
    held = settle(client, "f")
    assert held["Timeout"] == 9
    assert sids(client) == ["s"]


@pytest.fixture
def may(client: Any, shared_lambent: Server) -> Callable[..., bool]:
    """Asks the server itself whether somebody may invoke the function `f` of `client`."""
    parts: Any = next(service.parts for service in shared_lambent.app.services if service.name == "lambda")
    key = FunctionKey(account(client), "us-east-1", "f")

    def ask(requester: Requester, action: str = INVOKE, qualifier: str | None = None, **context: str) -> bool:
        known = {name.replace("_", ":"): value for name, value in context.items()}
        answer: bool = shared_lambent.run(lambda: permits.may_invoke(parts, key, qualifier, requester, action, known))
        return answer

    return ask


def test_a_service_may_invoke_for_its_source(client: Any, may: Callable[..., bool]) -> None:
    bucket = Requester(service="s3.amazonaws.com")
    assert not may(bucket)
    allow(client, "s3.amazonaws.com", SourceArn="arn:aws:s3:::b*", SourceAccount="111122223333")
    source = {"aws_sourcearn": "arn:aws:s3:::bucket", "aws_sourceaccount": "111122223333"}
    assert may(bucket, **source)
    assert not may(bucket, **{**source, "aws_sourceaccount": "444455556666"})
    assert not may(bucket, **{**source, "aws_sourcearn": "arn:aws:s3:::a"})
    assert not may(Requester(service="sns.amazonaws.com"), **source)
    client.remove_permission(FunctionName="f", StatementId="s")
    assert not may(bucket, **source)


def test_a_url_is_open_where_both_permissions_are_given(client: Any, may: Callable[..., bool]) -> None:
    nobody, url = Requester(), "lambda:InvokeFunctionUrl"
    allow(client, "*", Action=url, FunctionUrlAuthType="NONE")
    assert may(nobody, url, lambda_functionurlauthtype="NONE")
    assert not may(nobody, url, lambda_functionurlauthtype="AWS_IAM")
    assert not may(nobody, INVOKE, lambda_invokedviafunctionurl="true")
    allow(client, "*", "via", InvokedViaFunctionUrl=True)
    assert may(nobody, INVOKE, lambda_invokedviafunctionurl="true")
    assert not may(nobody, INVOKE)
