"""A role's own policies through boto3, beyond what `recorded/role_policies.scenarios.json` plays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from tests.services.account import Account


@pytest.fixture
def iam(account: Account) -> Any:
    client = account.client("iam")
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())
    return client


def test_a_policy_takes_the_place_of_the_one_of_its_name(iam: Any) -> None:
    for action in ("s3:GetObject", "s3:PutObject"):
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=permissions(Action=action))
    shown = iam.get_role_policy(RoleName="worker", PolicyName="own")["PolicyDocument"]
    assert shown == json.loads(permissions(Action="s3:PutObject"))
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["own"]


def test_a_malformed_document_is_refused_and_nothing_is_stored(iam: Any) -> None:
    bad = permissions(Action="nothing")
    assert refused(lambda: iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=bad)) == (
        "MalformedPolicyDocument",
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        400,
    )
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == []


def test_the_policies_of_a_role_have_one_quota_together(iam: Any) -> None:
    half = permissions(5_000)
    iam.put_role_policy(RoleName="worker", PolicyName="one", PolicyDocument=half)
    iam.put_role_policy(RoleName="worker", PolicyName="two", PolicyDocument=half)
    iam.put_role_policy(RoleName="worker", PolicyName="two", PolicyDocument=half)
    assert refused(lambda: iam.put_role_policy(RoleName="worker", PolicyName="three", PolicyDocument=half)) == (
        "LimitExceeded",
        "Maximum policy size of 10240 bytes exceeded for role worker",
        409,
    )


def test_policy_names_are_paged(iam: Any) -> None:
    names = [f"policy-{number}" for number in range(7)]
    for name in names:
        iam.put_role_policy(RoleName="worker", PolicyName=name, PolicyDocument=permissions())
    pages = iam.get_paginator("list_role_policies").paginate(RoleName="worker", PaginationConfig={"PageSize": 3})
    assert [page["PolicyNames"] for page in pages] == [names[:3], names[3:6], names[6:]]
