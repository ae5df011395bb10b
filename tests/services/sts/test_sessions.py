"""Temporary credentials through boto3: they verify, they end, they carry what they were asked for with."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.conftest import serving, settings_for
from tests.services.account import Account
from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from pathlib import Path


NUMBER = "444455556666"


def worker(account: Account, **options: Any) -> str:
    """Create the role and return its id."""
    created = account.client("iam").create_role(
        RoleName="worker", Path="/team/", AssumeRolePolicyDocument=trust(), **options
    )
    return str(created["Role"]["RoleId"])


def role(account: Account) -> str:
    """The role's ARN."""
    return f"arn:aws:iam::{account.number}:role/team/worker"


def acting(account: Account, credentials: dict[str, Any], service: str = "sts") -> Any:
    """A client that signs with temporary credentials."""
    return account.client(
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def assume(account: Account, **options: Any) -> Any:
    return account.client("sts").assume_role(**{"RoleArn": role(account), "RoleSessionName": "builder"} | options)


def test_assumed_credentials_verify_for_every_service(account: Account) -> None:
    role_id = worker(account)
    credentials = assume(account)["Credentials"]
    identity = acting(account, credentials).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{account.number}:assumed-role/worker/builder"
    assert identity["UserId"] == f"{role_id}:builder"
    assert acting(account, credentials, "iam").get_role(RoleName="worker")["Role"]["RoleId"] == role_id


def test_assumed_credentials_outlive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        worker(Account(server, NUMBER))
        credentials = assume(Account(server, NUMBER))["Credentials"]
    with serving(settings_for(tmp_path)) as server:
        assert acting(Account(server, NUMBER), credentials).get_caller_identity()["Account"] == NUMBER


def test_a_changed_secret_or_token_is_refused(account: Account) -> None:
    worker(account)
    credentials = assume(account)["Credentials"]
    forged = credentials | {"SecretAccessKey": credentials["SecretAccessKey"][::-1]}
    assert refused(acting(account, forged).get_caller_identity)[0] == "SignatureDoesNotMatch"
    forged = credentials | {"SessionToken": "x" + credentials["SessionToken"][1:]}
    expected = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    assert refused(acting(account, forged).get_caller_identity) == expected


def test_a_role_that_is_not_there_may_not_be_assumed(account: Account) -> None:
    for arn in (role(account), f"arn:aws:iam::{account.number}:user/alice", "arn:aws:iam::111122223333:role/theirs"):
        assert refused(lambda arn=arn: assume(account, RoleArn=arn)) == (
            "AccessDenied",
            f"User: arn:aws:iam::{account.number}:root is not authorized to perform: sts:AssumeRole on resource: {arn}",
            403,
        )


def test_a_role_is_named_with_its_path(account: Account) -> None:
    worker(account)
    bare = f"arn:aws:iam::{account.number}:role/worker"
    assert refused(lambda: assume(account, RoleArn=bare))[0] == "AccessDenied"


def test_a_role_of_another_account_acts_there(account: Account) -> None:
    worker(account)
    stranger = account.client("sts", aws_access_key_id="111122223333")
    credentials = stranger.assume_role(RoleArn=role(account), RoleSessionName="visitor")["Credentials"]
    assert acting(account, credentials).get_caller_identity()["Account"] == account.number


def test_a_session_lasts_as_long_as_the_role_allows(account: Account) -> None:
    worker(account, MaxSessionDuration=7200)
    short, long = assume(account, DurationSeconds=900), assume(account, DurationSeconds=7200)
    spread = long["Credentials"]["Expiration"] - short["Credentials"]["Expiration"]
    assert 6300 <= spread.total_seconds() < 6400
    assert refused(lambda: assume(account, DurationSeconds=7201)) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        400,
    )


def test_a_chained_session_lasts_an_hour_at_most(account: Account) -> None:
    worker(account, MaxSessionDuration=7200)
    first = acting(account, assume(account)["Credentials"])
    first.assume_role(RoleArn=role(account), RoleSessionName="second", DurationSeconds=3600)
    work = lambda: first.assume_role(RoleArn=role(account), RoleSessionName="second", DurationSeconds=3601)  # noqa: E731
    assert refused(work) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        400,
    )


def test_a_session_policy_is_checked(account: Account) -> None:
    worker(account)
    answer = assume(account, Policy=permissions(), PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])
    assert 0 < answer["PackedPolicySize"] <= 100
    assert refused(lambda: assume(account, Policy="nonsense")) == (
        "MalformedPolicyDocument",
        "The policy is not in the valid JSON format.",
        400,
    )
    bad = json.dumps({"Version": "2012-10-17"})
    assert refused(lambda: assume(account, Policy=bad)) == ("MalformedPolicyDocument", "Syntax errors in policy.", 400)
    assert refused(lambda: assume(account, Policy=permissions(2048)))[0] == "ValidationError"
    nowhere = [{"arn": "arn:aws:s3:::policy/nothing"}]
    assert refused(lambda: assume(account, PolicyArns=nowhere))[0] == "ValidationError"
    eleven = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 11
    assert refused(lambda: assume(account, PolicyArns=eleven))[0] == "ValidationError"


def test_too_much_for_a_session_is_refused(account: Account) -> None:
    worker(account)
    noise = [hashlib.sha256(bytes([number])).hexdigest() for number in range(50)]
    tags = [{"Key": each, "Value": (each + each[::-1]) * 2} for each in noise]
    code, message, status = refused(lambda: assume(account, Tags=tags))
    assert (code, status) == ("PackedPolicyTooLarge", 400)
    assert message.endswith("% of allotted space, please use smaller policy.")


def test_a_source_identity_stays_through_a_chain(account: Account) -> None:
    worker(account)
    answer = assume(account, SourceIdentity="alice")
    assert answer["SourceIdentity"] == "alice"
    first = acting(account, answer["Credentials"])
    assert first.assume_role(RoleArn=role(account), RoleSessionName="next")["SourceIdentity"] == "alice"
    work = lambda: first.assume_role(RoleArn=role(account), RoleSessionName="next", SourceIdentity="mallory")  # noqa: E731
    assert refused(work) == (
        "AccessDenied",
        (
            f"User: arn:aws:sts::{account.number}:assumed-role/worker/builder is not authorized to perform: "
            f"sts:SetSourceIdentity on resource: {role(account)}"
        ),
        403,
    )


def test_a_code_of_no_device_is_refused(account: Account) -> None:
    worker(account)
    device = {"SerialNumber": f"arn:aws:iam::{account.number}:mfa/alice", "TokenCode": "123456"}
    assert refused(lambda: assume(account, **device))[0] == "AccessDenied"
    assert refused(lambda: account.client("sts").get_session_token(**device))[0] == "AccessDenied"


def test_a_session_token_stands_for_its_caller(account: Account) -> None:
    credentials = account.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    sts = acting(account, credentials)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account.number}:root"
    assert refused(sts.get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
        403,
    )


def test_the_root_user_gets_an_hour(account: Account) -> None:
    sts = account.client("sts")
    capped, hour = (
        sts.get_session_token(**options)["Credentials"]["Expiration"] for options in ({}, {"DurationSeconds": 3600})
    )
    assert abs((hour - capped).total_seconds()) < 60


def test_a_duration_below_a_quarter_of_an_hour_is_refused(account: Account) -> None:
    worker(account)
    sts = account.client("sts", config=Config(parameter_validation=False))
    request = {"RoleArn": role(account), "RoleSessionName": "builder", "DurationSeconds": 899}
    code, message, status = refused(lambda: sts.assume_role(**request))
    assert (code, status) == ("ValidationError", 400)
    assert "greater than or equal to 900" in message


@pytest.mark.parametrize("size", [0, 4096])
def test_a_session_token_has_the_size_that_was_asked_for(account: Account, size: int) -> None:
    worker(account)
    credentials = assume(account, MinimumSessionTokenSize=size)["Credentials"]
    assert len(credentials["SessionToken"]) >= size
    assert acting(account, credentials).get_caller_identity()["Account"] == account.number
