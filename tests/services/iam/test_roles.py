"""Roles through boto3, beyond what `recorded/roles.scenarios.json` plays."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.conftest import serving, settings_for
from tests.services.iam.documents import permissions, refused, trust

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.account import Account


@pytest.fixture
def iam(account: Account) -> Any:
    return account.client("iam")


def test_a_role_is_found_whatever_the_case_of_its_name(iam: Any) -> None:
    created = iam.create_role(RoleName="Worker", AssumeRolePolicyDocument=trust())["Role"]
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", created["RoleId"])
    assert iam.get_role(RoleName="wORKER")["Role"]["RoleName"] == "Worker"
    assert refused(lambda: iam.create_role(RoleName="WORKER", AssumeRolePolicyDocument=trust())) == (
        "EntityAlreadyExists",
        "Role with name WORKER already exists.",
        409,
    )


def test_a_missing_role_is_a_typed_exception(iam: Any) -> None:
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="nobody")


def test_a_document_comes_back_as_it_was_given(iam: Any) -> None:
    odd = json.dumps(json.loads(trust(Sid="Grüße mit + und %20")), indent=3, ensure_ascii=False)
    iam.create_role(RoleName="odd", AssumeRolePolicyDocument=odd)
    raw: list[bytes] = []
    iam.meta.events.register("before-parse.iam", lambda response_dict, **_: raw.append(response_dict["body"]))
    shown = iam.get_role(RoleName="odd")["Role"]["AssumeRolePolicyDocument"]
    assert shown == json.loads(odd)
    assert b"%7B%0A%20%20%20%22Version%22%3A%20%222012-10-17%22" in raw[0]


def test_each_account_has_roles_of_its_own(account: Account) -> None:
    mine, theirs = account.client("iam"), account.client("iam", aws_access_key_id="111122223333")
    mine.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())
    other = theirs.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())["Role"]
    assert other["Arn"] == "arn:aws:iam::111122223333:role/worker"
    theirs.delete_role(RoleName="worker")
    assert mine.get_role(RoleName="worker")["Role"]["Arn"] == f"arn:aws:iam::{account.number}:role/worker"


def test_a_role_is_still_there_after_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        iam = server.client("iam")
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(), Tags=[{"Key": "team", "Value": "blue"}])
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=permissions())
        before = iam.get_role(RoleName="worker")["Role"]
    with serving(settings_for(tmp_path)) as server:
        iam = server.client("iam")
        assert iam.get_role(RoleName="worker")["Role"] == before
        assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["own"]


def test_of_many_who_create_the_same_role_one_succeeds(iam: Any) -> None:
    def create(_: int) -> bool:
        try:
            iam.create_role(RoleName="contested", AssumeRolePolicyDocument=trust())
        except iam.exceptions.EntityAlreadyExistsException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(24))) == 1


def test_every_role_is_on_one_page(iam: Any) -> None:
    names = [f"role-{number:02}" for number in range(25)]
    for name in reversed(names):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 10})
    found = [[role["RoleName"] for role in page["Roles"]] for page in pages]
    assert found == [names[:10], names[10:20], names[20:]]


@pytest.mark.parametrize("marker", ["nonsense", "W10", "WzFd", "WyJhIiwiYiJd"])
def test_a_marker_that_was_not_given_out_is_refused(iam: Any, marker: str) -> None:
    assert refused(lambda: iam.list_roles(Marker=marker)) == ("ValidationError", "Invalid Marker.", 400)


def test_a_trust_policy_has_a_quota_that_white_space_does_not_use_up(iam: Any) -> None:
    def of(size: int) -> str:
        bare = trust(Sid="")
        return bare.replace('"Sid": ""', f'"Sid": "{"x" * (size - len("".join(bare.split())))}"' + " " * 3000)

    iam.create_role(RoleName="full", AssumeRolePolicyDocument=of(2048))
    assert refused(lambda: iam.create_role(RoleName="over", AssumeRolePolicyDocument=of(2049))) == (
        "LimitExceeded",
        "Cannot exceed quota for ACLSizePerRole: 2048",
        409,
    )


def test_what_is_over_the_quota_is_not_read(iam: Any) -> None:
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust())
    nonsense = "[" * 60_000
    for words, refusal in (
        ("ACLSizePerRole: 2048", lambda: iam.create_role(RoleName="over", AssumeRolePolicyDocument=nonsense)),
        ("PolicySize: 6144", lambda: iam.create_policy(PolicyName="over", PolicyDocument=nonsense)),
        (
            "role worker",
            lambda: iam.put_role_policy(RoleName="worker", PolicyName="over", PolicyDocument=nonsense),
        ),
    ):
        code, message, _ = refused(refusal)
        assert code == "LimitExceeded"
        assert words in message


def test_a_role_takes_fifty_tags(iam: Any) -> None:
    tags = [{"Key": f"key-{number}", "Value": ""} for number in range(50)]
    iam.create_role(RoleName="tagged", AssumeRolePolicyDocument=trust(), Tags=tags)
    iam.tag_role(RoleName="tagged", Tags=[{"Key": "KEY-1", "Value": "changed"}])
    assert {"Key": "KEY-1", "Value": "changed"} in iam.list_role_tags(RoleName="tagged")["Tags"]
    assert refused(lambda: iam.tag_role(RoleName="tagged", Tags=[{"Key": "more", "Value": ""}])) == (
        "LimitExceeded",
        "The number of tags has reached the maximum limit.",
        409,
    )


@pytest.mark.parametrize("seconds", [3599, 43201])
def test_a_session_duration_out_of_bounds_is_refused(account: Account, seconds: int) -> None:
    iam = account.client("iam", config=Config(parameter_validation=False))
    request = {"RoleName": "r", "AssumeRolePolicyDocument": trust(), "MaxSessionDuration": seconds}
    code, message, status = refused(lambda: iam.create_role(**request))
    assert (code, status) == ("ValidationError", 400)
    assert message.startswith("1 validation error detected: Value at 'maxSessionDuration' failed to satisfy")


def test_what_is_not_built_says_so(iam: Any) -> None:
    code, message, status = refused(lambda: iam.create_user(UserName="alice"))
    assert (code, status) == ("NotImplemented", 501)
    assert "CreateUser" in message


def test_a_name_is_ascii(account: Account) -> None:
    iam = account.client("iam", config=Config(parameter_validation=False))
    code, message, status = refused(lambda: iam.create_role(RoleName="rôle", AssumeRolePolicyDocument=trust()))
    assert (code, status) == ("ValidationError", 400)
    assert message.endswith("Member must satisfy regular expression pattern: [\\w+=,.@-]+")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust(), Tags=[{"Key": "Größe in m²", "Value": "日本"}])
