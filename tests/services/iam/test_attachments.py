"""Managed policies on roles through boto3, beyond what `recorded/role_policies.scenarios.json` plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from tests.services.account import Account

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(account: Account) -> Any:
    client = account.client("iam")
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())
    return client


def test_attaching_twice_changes_nothing(iam: Any) -> None:
    for _ in range(2):
        iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    attached = iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws:iam::111122223333:policy/theirs",
    ],
)
def test_a_policy_that_is_not_there_cannot_be_attached(iam: Any, arn: str) -> None:
    expected = ("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    assert refused(lambda: iam.attach_role_policy(RoleName="worker", PolicyArn=arn)) == expected


def test_ten_policies_fit_on_a_role(iam: Any) -> None:
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=permissions())["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    assert refused(lambda: iam.attach_role_policy(RoleName="worker", PolicyArn=arns[10])) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
        409,
    )
    pages = iam.get_paginator("list_attached_role_policies").paginate(
        RoleName="worker", PaginationConfig={"PageSize": 4}
    )
    assert [[each["PolicyArn"] for each in page["AttachedPolicies"]] for page in pages] == [
        arns[:4],
        arns[4:8],
        arns[8:10],
    ]


def test_attachments_are_listed_below_a_path(iam: Any) -> None:
    own = iam.create_policy(PolicyName="own", Path="/team/", PolicyDocument=permissions())["Policy"]["Arn"]
    for arn in (BASIC, own):
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    below = iam.list_attached_role_policies(RoleName="worker", PathPrefix="/team/")["AttachedPolicies"]
    assert [each["PolicyArn"] for each in below] == [own]


def test_a_policy_knows_where_it_is_used(iam: Any) -> None:
    own = iam.create_policy(PolicyName="own", PolicyDocument=permissions())["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="worker", PolicyArn=own)
    iam.create_role(RoleName="bounded", AssumeRolePolicyDocument=trust(), PermissionsBoundary=own)
    policy = iam.get_policy(PolicyArn=own)["Policy"]
    assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (1, 1)
    entities = iam.list_entities_for_policy(PolicyArn=own)
    assert [role["RoleName"] for role in entities["PolicyRoles"]] == ["worker"]
    assert (entities["PolicyGroups"], entities["PolicyUsers"], entities["IsTruncated"]) == ([], [], False)
    bounded = iam.list_entities_for_policy(PolicyArn=own, PolicyUsageFilter="PermissionsBoundary")
    assert [role["RoleName"] for role in bounded["PolicyRoles"]] == ["bounded"]
    assert iam.list_entities_for_policy(PolicyArn=own, EntityFilter="User")["PolicyRoles"] == []


def test_a_missing_policy_has_no_entities(iam: Any, account: Account) -> None:
    arn = f"arn:aws:iam::{account.number}:policy/nothing"
    expected = ("NoSuchEntity", f"Policy {arn} was not found.", 404)
    assert refused(lambda: iam.list_entities_for_policy(PolicyArn=arn)) == expected
