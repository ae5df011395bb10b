"""Log groups through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.config import Config

from tests.conftest import serving, settings_for
from tests.services.logs.helpers import arn, now_ms, put, refused, stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.account import Account

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")


def names(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [group["logGroupName"] for group in answer["logGroups"]]


def test_a_group_is_described_with_every_member(account: Account) -> None:
    logs = account.client("logs")
    before = now_ms()
    logs.create_log_group(logGroupName="/aws/lambda/f")
    (group,) = logs.describe_log_groups()["logGroups"]
    assert before <= group.pop("creationTime") <= now_ms()
    assert group == {
        "logGroupName": "/aws/lambda/f",
        "metricFilterCount": 0,
        "arn": arn(account, "/aws/lambda/f:*"),
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn(account, "/aws/lambda/f"),
        "deletionProtectionEnabled": False,
    }


def test_a_group_keeps_what_it_was_created_with(account: Account) -> None:
    logs = account.client("logs")
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    logs.create_log_group(logGroupName="g", kmsKeyId=key, logGroupClass="INFREQUENT_ACCESS", tags={"a": "1"})
    (group,) = logs.describe_log_groups()["logGroups"]
    assert (group["kmsKeyId"], group["logGroupClass"]) == (key, "INFREQUENT_ACCESS")
    assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"a": "1"}


def test_a_group_exists_once_per_account_and_region(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g")
    with refused("ResourceAlreadyExistsException", "The specified log group already exists"):
        logs.create_log_group(logGroupName="g")
    for other in (
        account.client("logs", region_name="eu-west-1"),
        account.client("logs", aws_access_key_id="123456789012"),
    ):
        assert other.describe_log_groups()["logGroups"] == []
        other.create_log_group(logGroupName="g")
    assert names(logs.describe_log_groups()) == ["g"]


def test_a_reserved_name_is_refused(account: Account) -> None:
    with refused("InvalidParameterException", "Log groups starting with AWS/ are reserved for AWS."):
        account.client("logs").create_log_group(logGroupName="aws/spans")


def test_a_bad_name_is_refused_with_awss_words(account: Account) -> None:
    logs = account.client("logs", config=Config(parameter_validation=False))
    with refused(
        "InvalidParameterException",
        "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
    ):
        logs.create_log_group(logGroupName="a b")
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.create_log_group(logGroupName="x" * 513)


def test_a_deleted_group_is_gone_with_all_it_held(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    put(logs, (now_ms(), "old"))
    logs.delete_log_group(logGroupName="g")
    assert logs.describe_log_groups()["logGroups"] == []
    with refused(*NO_GROUP):
        logs.delete_log_group(logGroupName="g")
    stream(logs)
    assert logs.filter_log_events(logGroupName="g")["events"] == []
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 0


def test_a_protected_group_is_not_deleted(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g", deletionProtectionEnabled=True)
    with pytest.raises(logs.exceptions.ValidationException):
        logs.delete_log_group(logGroupName="g")
    logs.put_log_group_deletion_protection(logGroupIdentifier=arn(account, "g"), deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName="g")


def test_groups_are_found_by_prefix_in_order_of_name(account: Account) -> None:
    logs = account.client("logs")
    for name in ("b/2", "a", "b/1", "b", "c", "B"):
        logs.create_log_group(logGroupName=name)
    assert names(logs.describe_log_groups()) == ["B", "a", "b", "b/1", "b/2", "c"]
    assert names(logs.describe_log_groups(logGroupNamePrefix="b")) == ["b", "b/1", "b/2"]
    assert names(logs.describe_log_groups(logGroupNamePrefix="b/2x")) == []


def test_a_search_by_pattern_is_for_a_part_of_the_name_and_shows_three_members(account: Account) -> None:
    logs = account.client("logs")
    for name in ("DataLogs", "my/DataLogs", "GroupDataLogs2", "datalogs", "Data/log/s"):
        logs.create_log_group(logGroupName=name)
    found = logs.describe_log_groups(logGroupNamePattern="DataLogs")
    assert names(found) == ["DataLogs", "GroupDataLogs2", "my/DataLogs"]
    assert all(sorted(group) == ["arn", "creationTime", "logGroupName"] for group in found["logGroups"])


def test_prefix_and_pattern_exclude_each_other(account: Account) -> None:
    text = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
    with refused("InvalidParameterException", text):
        account.client("logs").describe_log_groups(logGroupNamePrefix="a", logGroupNamePattern="a")


def test_groups_are_found_by_identifier(account: Account) -> None:
    logs = account.client("logs")
    for name in ("a", "b", "c"):
        logs.create_log_group(logGroupName=name)
    assert names(logs.describe_log_groups(logGroupIdentifiers=["c", arn(account, "a"), "missing"])) == ["a", "c"]


def test_pages_hold_every_group_once(account: Account) -> None:
    logs = account.client("logs")
    expected = [f"group-{number:02d}" for number in range(25)]
    for name in expected:
        logs.create_log_group(logGroupName=name, logGroupClass="STANDARD" if name[-1] != "3" else "INFREQUENT_ACCESS")
    pages = list(logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 10}))
    assert [len(page["logGroups"]) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in names(page)] == expected
    few = logs.get_paginator("describe_log_groups").paginate(
        logGroupClass="INFREQUENT_ACCESS", PaginationConfig={"PageSize": 2}
    )
    assert [name for page in few for name in names(page)] == ["group-03", "group-13", "group-23"]


def test_a_token_of_another_kind_is_refused(account: Account) -> None:
    logs = account.client("logs")
    for token in ("x", "WzFd", "!!!"):
        with refused("InvalidParameterException", "The specified nextToken is invalid."):
            logs.describe_log_groups(nextToken=token)


def test_groups_are_listed_by_pattern_class_and_tag(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="prod-api", tags={"env": "prod", "team": "one"})
    logs.create_log_group(logGroupName="prod.db", tags={"env": "prod-eu"})
    logs.create_log_group(logGroupName="test-api", logGroupClass="ESSENTIALS")
    assert logs.list_log_groups(logGroupNamePattern="^prod-api")["logGroups"] == [
        {"logGroupName": "prod-api", "logGroupArn": arn(account, "prod-api"), "logGroupClass": "STANDARD"}
    ]
    assert names(logs.list_log_groups(logGroupNamePattern="^api")) == []
    assert names(logs.list_log_groups(logGroupNamePattern="prod.api|test")) == ["test-api"]
    assert names(logs.list_log_groups(logGroupClass="INFREQUENT_ACCESS")) == ["test-api"]
    for values, expected in (
        (["prod"], ["prod-api"]),
        (["prod*"], ["prod-api", "prod.db"]),
        (["!prod"], ["prod.db"]),
        (["*eu", "x"], ["prod.db"]),
        (["*o*"], ["prod-api", "prod.db"]),
        ([], ["prod-api", "prod.db"]),
    ):
        assert names(logs.list_log_groups(logGroupTags=[{"key": "env", "values": values}])) == expected
    assert names(logs.list_log_groups(limit=1)) == ["prod-api"]


def test_a_group_outlives_the_server(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        logs = server.client("logs")
        stream(logs)
        put(logs, (now_ms(), "kept"))
        logs.put_retention_policy(logGroupName="g", retentionInDays=7)
        before = logs.describe_log_groups()["logGroups"]
    with serving(settings_for(tmp_path)) as server:
        logs = server.client("logs")
        assert logs.describe_log_groups()["logGroups"] == before
        assert [event["message"] for event in logs.filter_log_events(logGroupName="g")["events"]] == ["kept"]
