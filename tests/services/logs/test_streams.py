"""Log streams through boto3."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.services.logs.helpers import arn, now_ms, put, refused, stream

if TYPE_CHECKING:
    from tests.services.account import Account

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")


def names(answer: dict[str, Any]) -> list[str]:
    return [one["logStreamName"] for one in answer["logStreams"]]


def test_an_empty_stream_shows_no_times(account: Account) -> None:
    logs = account.client("logs")
    stream(logs, name="2026/11/21/[$LATEST]abc")
    (found,) = logs.describe_log_streams(logGroupName="g")["logStreams"]
    assert now_ms() - found.pop("creationTime") < 60_000
    assert found == {
        "logStreamName": "2026/11/21/[$LATEST]abc",
        "arn": arn(account, "g:log-stream:2026/11/21/[$LATEST]abc"),
        "storedBytes": 0,
    }


def test_a_stream_shows_the_times_of_its_events(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    put(logs, (now - 5000, "a"), (now - 3000, "b"))
    token = put(logs, (now - 9000, "late"), (now - 4000, "c"))["nextSequenceToken"]
    (found,) = logs.describe_log_streams(logGroupName="g")["logStreams"]
    assert (found["firstEventTimestamp"], found["lastEventTimestamp"]) == (now - 9000, now - 3000)
    assert now <= found["lastIngestionTime"] <= now_ms()
    assert found["uploadSequenceToken"] == token
    assert found["storedBytes"] == 0


def test_a_stream_exists_once_and_needs_its_group(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    with refused("ResourceAlreadyExistsException", "The specified log stream already exists"):
        logs.create_log_stream(logGroupName="g", logStreamName="s")
    with refused(*NO_GROUP):
        logs.create_log_stream(logGroupName="missing", logStreamName="s")


def test_a_deleted_stream_takes_its_events_and_bytes_along(account: Account) -> None:
    logs = account.client("logs")
    now = now_ms()
    for name in ("gone", "stays"):
        stream(logs, name=name)
        put(logs, (now, f"from {name}"), name=name)
    logs.delete_log_stream(logGroupName="g", logStreamName="gone")
    assert names(logs.describe_log_streams(logGroupName="g")) == ["stays"]
    assert [event["message"] for event in logs.filter_log_events(logGroupName="g")["events"]] == ["from stays"]
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == len("from stays") + 26
    with refused(*NO_STREAM):
        logs.delete_log_stream(logGroupName="g", logStreamName="gone")
    with refused(*NO_GROUP):
        logs.delete_log_stream(logGroupName="missing", logStreamName="gone")
    stream(logs, name="gone")
    assert logs.get_log_events(logGroupName="g", logStreamName="gone")["events"] == []


def test_streams_are_ordered_by_name_or_by_last_event(account: Account) -> None:
    logs = account.client("logs")
    now = now_ms()
    for name, age in (("a", 1000), ("c", 3000), ("b", 2000)):
        stream(logs, name=name)
        put(logs, (now - age, "x"), name=name)
    stream(logs, name="empty")
    describe = logs.describe_log_streams
    assert names(describe(logGroupName="g")) == ["a", "b", "c", "empty"]
    assert names(describe(logGroupName="g", descending=True)) == ["empty", "c", "b", "a"]
    assert names(describe(logGroupName="g", orderBy="LastEventTime")) == ["empty", "c", "b", "a"]
    assert names(describe(logGroupName="g", orderBy="LastEventTime", descending=True)) == ["a", "b", "c", "empty"]


def test_a_prefix_goes_with_the_order_of_names_only(account: Account) -> None:
    logs = account.client("logs")
    for name in ("a", "a/1", "b"):
        stream(logs, name=name)
    assert names(logs.describe_log_streams(logGroupName="g", logStreamNamePrefix="a", descending=True)) == ["a/1", "a"]
    with refused("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."):
        logs.describe_log_streams(logGroupName="g", logStreamNamePrefix="a", orderBy="LastEventTime")


def test_pages_hold_every_stream_once_in_each_order(account: Account) -> None:
    logs = account.client("logs")
    now = now_ms()
    every = {f"s{number:02d}" for number in range(13)}
    for number, name in enumerate(sorted(every)):
        stream(logs, name=name)
        if number % 3:
            put(logs, (now - number % 4, "x"), name=name)
    for order in ("LogStreamName", "LastEventTime"):
        for descending in (False, True):
            ask = {"logGroupName": "g", "orderBy": order, "descending": descending}
            pages = logs.get_paginator("describe_log_streams").paginate(**ask, PaginationConfig={"PageSize": 4})
            found = [name for page in pages for name in names(page)]
            assert len(found) == len(every)
            assert set(found) == every
            assert found == names(logs.describe_log_streams(**ask))


def test_a_token_of_another_kind_is_refused(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g")
    for cursor in ([1 << 63, "a"], [-1, "a"], ["a"], ["a", 1], {}):
        token = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
        for order in ("LogStreamName", "LastEventTime"):
            with refused("InvalidParameterException", "The specified nextToken is invalid."):
                logs.describe_log_streams(logGroupName="g", orderBy=order, nextToken=token)


def test_a_group_is_named_or_identified_but_not_both(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    for identifier in ("g", arn(account, "g")):
        assert names(logs.describe_log_streams(logGroupIdentifier=identifier)) == ["s"]
    with refused("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters."):
        logs.describe_log_streams(logGroupName="g", logGroupIdentifier="g")
    for elsewhere in ("arn:aws:logs:eu-west-1:000000000000:log-group:g", "arn:aws:s3:::g", "missing"):
        with refused(*NO_GROUP):
            logs.describe_log_streams(logGroupIdentifier=elsewhere)
