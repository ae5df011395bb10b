"""Managed policies and their versions through boto3, beyond what `recorded/policies.scenarios.json` plays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from tests.services.account import Account

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def iam(account: Account) -> Any:
    return account.client("iam")


def create(iam: Any, name: str, **options: Any) -> str:
    created = iam.create_policy(PolicyName=name, PolicyDocument=permissions(), **options)["Policy"]
    assert re.fullmatch(r"ANPA[A-Z2-7]{17}", created["PolicyId"])
    return str(created["Arn"])


def test_a_policy_that_is_used_is_not_deleted(iam: Any) -> None:
    attached, bounding = create(iam, "attached"), create(iam, "bounding")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(), PermissionsBoundary=bounding)
    iam.attach_role_policy(RoleName="worker", PolicyArn=attached)
    expected = ("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    for arn in (attached, bounding):
        assert refused(lambda arn=arn: iam.delete_policy(PolicyArn=arn)) == expected
    iam.detach_role_policy(RoleName="worker", PolicyArn=attached)
    iam.delete_policy(PolicyArn=attached)


def test_a_policy_with_versions_is_not_deleted(iam: Any) -> None:
    arn = create(iam, "versions")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=permissions())
    code, message, status = refused(lambda: iam.delete_policy(PolicyArn=arn))
    assert (code, status) == ("DeleteConflict", 409)
    assert message.startswith("This policy has more than one version.")


def test_a_policy_can_be_made_again(iam: Any) -> None:
    arn = create(iam, "again")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=permissions(), SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    assert refused(lambda: iam.get_policy(PolicyArn=arn))[0] == "NoSuchEntity"
    assert create(iam, "again") == arn
    assert [each["VersionId"] for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v1"]


@pytest.mark.parametrize("operation", ["delete_policy", "tag_policy", "untag_policy", "create_policy_version"])
def test_a_policy_of_aws_is_not_changed(iam: Any, account: Account, operation: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "tag_policy": {"Tags": [{"Key": "a", "Value": "b"}]},
        "untag_policy": {"TagKeys": ["a"]},
        "create_policy_version": {"PolicyDocument": permissions()},
    }
    work = getattr(iam, operation)
    code, message, status = refused(lambda: work(PolicyArn=ADMINISTRATOR, **options.get(operation, {})))
    assert (code, status) == ("AccessDenied", 403)
    assert f"arn:aws:iam::{account.number}:root is not authorized to perform: iam:" in message


def test_a_document_has_a_quota(iam: Any) -> None:
    over = permissions(6_144)
    expected = ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409)
    assert refused(lambda: iam.create_policy(PolicyName="over", PolicyDocument=over)) == expected
    arn = create(iam, "fits")
    assert refused(lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=over)) == expected


def test_policies_are_listed_by_scope(iam: Any) -> None:
    own = create(iam, "own", Path="/team/")
    local = iam.list_policies(Scope="Local")["Policies"]
    assert [each["Arn"] for each in local] == [own]
    first = iam.list_policies(Scope="AWS", MaxItems=3)
    assert [each["PolicyName"] for each in first["Policies"]] == [
        "AdministratorAccess",
        "PowerUserAccess",
        "ReadOnlyAccess",
    ]
    assert first["IsTruncated"] is True
    assert iam.list_policies(MaxItems=1)["Policies"][0]["Arn"] == own
    assert [each["Arn"] for each in iam.list_policies(PathPrefix="/team/")["Policies"]] == [own]


def test_every_policy_is_on_one_page(iam: Any) -> None:
    own = [create(iam, f"own-{number}") for number in range(5)]
    pages = list(iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 400}))
    arns = [each["Arn"] for page in pages for each in page["Policies"]]
    assert len(pages) > 2
    assert arns[:5] == own
    assert len(set(arns)) == len(arns) > 1000


def test_the_policies_in_use_are_listed(iam: Any) -> None:
    attached, bounding, _ = create(iam, "attached"), create(iam, "bounding"), create(iam, "idle")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(), PermissionsBoundary=bounding)
    for arn in (attached, ADMINISTRATOR):
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)

    def listed(**options: Any) -> list[str]:
        return [each["Arn"] for each in iam.list_policies(**options)["Policies"]]

    assert listed(OnlyAttached=True) == [attached, bounding, ADMINISTRATOR]
    assert listed(OnlyAttached=True, Scope="AWS") == [ADMINISTRATOR]
    assert listed(OnlyAttached=True, PolicyUsageFilter="PermissionsPolicy", Scope="Local") == [attached]
    assert listed(PolicyUsageFilter="PermissionsBoundary") == [bounding]


def test_what_is_no_policy_arn_is_refused(iam: Any) -> None:
    for arn in ("arn:aws:iam::000000000000:role/worker", "AdministratorAccess-policy", "arn:aws:s3:::policy/something"):
        expected = ("ValidationError", f"ARN {arn} is not valid.", 400)
        assert refused(lambda arn=arn: iam.get_policy(PolicyArn=arn)) == expected
