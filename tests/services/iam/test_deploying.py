"""The calls with which deploy tools begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from tests.services.account import Account

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def test_terraform_makes_a_role_and_takes_it_away(account: Account) -> None:
    iam = account.client("iam")
    assert account.client("sts").get_caller_identity()["Account"] == account.number
    assert iam.list_account_aliases()["AccountAliases"] == []
    created = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(), Tags=[{"Key": "a", "Value": "b"}])
    assert iam.get_role(RoleName="worker")["Role"]["Arn"] == created["Role"]["Arn"]
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=permissions())
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["own"]
    assert [each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]] == [
        BASIC
    ]
    profiles = iam.list_instance_profiles_for_role(RoleName="worker")
    assert (profiles["InstanceProfiles"], profiles["IsTruncated"]) == ([], False)
    iam.detach_role_policy(RoleName="worker", PolicyArn=BASIC)
    iam.delete_role_policy(RoleName="worker", PolicyName="own")
    iam.delete_role(RoleName="worker")
    assert refused(lambda: iam.list_instance_profiles_for_role(RoleName="worker")) == (
        "NoSuchEntity",
        "The role with name worker cannot be found.",
        404,
    )


def test_the_role_exists_waiter_returns(account: Account) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())
    iam.get_waiter("role_exists").wait(RoleName="worker", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
