"""AWS's own managed policies, in the catalogue and through boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import policy
from lambent.services.iam.managed import ManagedPolicies
from tests.services.iam.documents import refused

if TYPE_CHECKING:
    from tests.services.account import Account

USUAL = {
    "/": (
        "AdministratorAccess AmazonDynamoDBFullAccess AmazonEventBridgeFullAccess AmazonKinesisFullAccess"
        " AmazonS3FullAccess AmazonS3ReadOnlyAccess AmazonSNSFullAccess AmazonSQSFullAccess AWSLambdaExecute"
        " AWSLambdaInvocation-DynamoDB AWSLambda_FullAccess AWSLambda_ReadOnlyAccess AWSXRayDaemonWriteAccess"
        " AWSXrayWriteOnlyAccess AmazonAPIGatewayInvokeFullAccess CloudWatchFullAccess CloudWatchLogsFullAccess"
        " PowerUserAccess ReadOnlyAccess"
    ),
    "/service-role/": (
        "AWSLambdaBasicExecutionRole AWSLambdaDynamoDBExecutionRole AWSLambdaKinesisExecutionRole"
        " AWSLambdaMSKExecutionRole AWSLambdaRole AWSLambdaSQSQueueExecutionRole AWSLambdaVPCAccessExecutionRole"
        " AmazonAPIGatewayPushToCloudWatchLogs"
    ),
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture(scope="module")
def managed() -> ManagedPolicies:
    return ManagedPolicies()


@pytest.mark.parametrize("path", USUAL)
def test_the_usual_policies_are_there(managed: ManagedPolicies, path: str) -> None:
    for name in USUAL[path].split():
        found = managed.find(f"arn:aws:iam::aws:policy{path}{name}")
        assert found is not None, name
        assert (found.name, found.path) == (name, path)
        assert json.loads(managed.version(found).document)["Version"] == "2012-10-17"


def test_every_document_is_sound(managed: ManagedPolicies) -> None:
    assert len(managed.all()) > 1000
    for each in managed.all():
        policy.check_permissions(managed.version(each).document)


def test_names_and_ids_are_unique(managed: ManagedPolicies) -> None:
    policies = managed.all()
    assert len({each.name for each in policies}) == len(policies)
    assert len({each.policy_id for each in policies}) == len(policies)


def test_a_policy_of_aws_is_answered_like_any_other(account: Account) -> None:
    iam = account.client("iam")
    found = iam.get_policy(PolicyArn=BASIC)["Policy"]
    assert (found["DefaultVersionId"], found["Path"], found["Tags"]) == ("v1", "/service-role/", [])
    version = iam.get_policy_version(PolicyArn=BASIC, VersionId="v1")["PolicyVersion"]
    assert version["IsDefaultVersion"] is True
    assert version["Document"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            }
        ],
    }
    assert [each["VersionId"] for each in iam.list_policy_versions(PolicyArn=BASIC)["Versions"]] == ["v1"]
    assert iam.list_policy_tags(PolicyArn=BASIC)["Tags"] == []
    missing = f"Policy {BASIC} version v2 does not exist or is not attachable."
    assert refused(lambda: iam.get_policy_version(PolicyArn=BASIC, VersionId="v2")) == ("NoSuchEntity", missing, 404)
