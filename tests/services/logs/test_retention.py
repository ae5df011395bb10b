"""Retention policies through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.logs.rules.retention import DAY_MS, DAYS
from tests.services.logs.helpers import messages, now_ms, put, refused, stream

if TYPE_CHECKING:
    from tests.services.account import Account


def test_a_policy_is_put_changed_and_deleted(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g")
    for days in DAYS:
        logs.put_retention_policy(logGroupName="g", retentionInDays=days)
        assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == days
    logs.delete_retention_policy(logGroupName="g")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def test_only_awss_values_are_taken(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g")
    for days in (0, 2, 730, -1):
        with refused("InvalidParameterException", f"Invalid retention value. Valid values are: {list(DAYS)}"):
            logs.put_retention_policy(logGroupName="g", retentionInDays=days)


def test_a_policy_needs_its_group(account: Account) -> None:
    logs = account.client("logs")
    for change, options in ((logs.put_retention_policy, {"retentionInDays": 1}), (logs.delete_retention_policy, {})):
        with refused("ResourceNotFoundException", "The specified log group does not exist."):
            change(logGroupName="missing", **options)


def test_expired_events_are_neither_taken_nor_shown(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    put(logs, (now - 2 * DAY_MS, "old"))
    put(logs, (now, "new"))
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    assert messages(logs.filter_log_events(logGroupName="g")) == ["new"]
    assert messages(logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)) == ["new"]
    answer = put(logs, (now - DAY_MS - 60_000, "too old"), (now - DAY_MS + 60_000, "just right"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(logs.filter_log_events(logGroupName="g")) == ["just right", "new"]
