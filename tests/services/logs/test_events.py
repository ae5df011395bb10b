"""Log events through boto3: putting, getting, filtering."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent, LogStream
from tests.conftest import serving, settings_for
from tests.services.logs.helpers import arn, messages, now_ms, put, refused, stream
from tests.support import server_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server
    from tests.services.account import Account

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")
HOUR = 3600 * 1000
DAY = 24 * HOUR
ORDER = "Log events in a single PutLogEvents request must be in chronological order."
SPAN = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."


def tell(server: Server, group: str, name: str, *events: tuple[int, str]) -> None:
    """Log events from inside the server, as a function's environment does."""
    (facts,) = (service.parts.facts for service in server.app.services if service.name == "logs")  # type: ignore[attr-defined]

    async def log() -> None:
        facts.log(LogStream("000000000000", "us-east-1", group, name), [LogEvent(*event) for event in events])

    server.run(log)


def filtered(logs: Any, **ask: Any) -> list[str]:
    """The messages of all pages of FilterLogEvents."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="g", **ask)
    return [message for page in pages for message in messages(page)]


# Putting.


def test_put_events_are_there_at_once(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    answer = put(logs, (now, "hello"), (now, "日本語 🙀"))
    assert len(answer["nextSequenceToken"]) == 56
    assert "rejectedLogEventsInfo" not in answer
    found = logs.get_log_events(logGroupName="g", logStreamName="s")
    assert [sorted(event) for event in found["events"]] == [["ingestionTime", "message", "timestamp"]] * 2
    assert [(event["timestamp"], event["message"]) for event in found["events"]] == [(now, "hello"), (now, "日本語 🙀")]
    assert now <= found["events"][0]["ingestionTime"] <= now_ms()


def test_a_sequence_token_is_taken_and_means_nothing(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    for _ in range(2):
        logs.put_log_events(
            logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now_ms(), "message": "x"}], sequenceToken="1"
        )
    assert len(filtered(logs)) == 2


def test_bytes_are_counted_with_26_per_event(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    put(logs, (now_ms(), "abc"), (now_ms(), "日本"))
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 3 + 6 + 2 * 26


def test_a_batch_needs_its_group_and_stream(account: Account) -> None:
    logs = account.client("logs")
    with refused(*NO_GROUP):
        put(logs, (now_ms(), "x"))
    logs.create_log_group(logGroupName="g")
    with refused(*NO_STREAM):
        put(logs, (now_ms(), "x"))


def test_a_batch_out_of_order_is_refused_whole(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    with refused("InvalidParameterException", ORDER):
        put(logs, (now, "x"), (now - 1, "y"))
    assert filtered(logs) == []


def test_a_batch_spans_at_most_a_day_of_what_is_taken(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    with refused("InvalidParameterException", SPAN):
        put(logs, (now - DAY - 1, "x"), (now, "y"))
    put(logs, (now - DAY, "x"), (now, "y"))
    put(logs, (now - 20 * DAY, "refused"), (now, "z"))
    assert filtered(logs) == ["x", "y", "z"]


def test_a_batch_has_limits_in_bytes(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    limit = limits.LOG_BATCH_BYTES
    put(logs, (now_ms(), "x" * (limit - 26)))
    with refused("InvalidParameterException", f"Log event too large: {limit + 1} bytes exceeds limit of {limit}"):
        put(logs, (now_ms(), "x" * (limit - 25)))
    half = "x" * (limit // 2 - 25)
    with refused("InvalidParameterException", f"Upload too large: {limit + 2} bytes exceeds limit of {limit}"):
        put(logs, (now_ms(), half), (now_ms(), half))


def test_a_batch_has_at_most_ten_thousand_events(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    put(logs, *[(now, "x")] * 10_000)
    with pytest.raises(logs.exceptions.InvalidParameterException):
        put(logs, *[(now, "x")] * 10_001)
    assert len(filtered(logs)) == 10_000


def test_events_too_old_or_too_new_are_left_out_and_named(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    answer = put(logs, (now - 15 * DAY, "a"), (now - 14 * DAY - HOUR, "b"), (now, "c"), (now + 3 * HOUR, "d"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    answer = put(logs, (now + 3 * HOUR, "e"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    put(logs, (now + HOUR, "soon"))
    assert filtered(logs) == ["c", "soon"]


def test_acknowledged_events_survive_a_kill(tmp_path: Path) -> None:
    now = now_ms()
    with server_process(tmp_path) as server:
        logs = server.client("logs")
        stream(logs)
        for number in range(20):
            put(logs, (now + number, f"{number}"))
        server.kill()
    with serving(settings_for(tmp_path)) as again:
        assert filtered(again.client("logs")) == [f"{number}" for number in range(20)]


# Getting.


def get(logs: Any, **ask: Any) -> dict[str, Any]:
    answer: dict[str, Any] = logs.get_log_events(logGroupName="g", logStreamName="s", **ask)
    return answer


@pytest.fixture
def twenty(account: Account) -> tuple[Any, int]:
    """A client, and the time of the first of twenty events `0` to `19`, a millisecond apart, in several batches."""
    logs = account.client("logs")
    stream(logs)
    start = now_ms() - 1000
    for first in range(0, 20, 4):
        put(logs, *((start + number, f"{number}") for number in range(first, first + 4)))
    return logs, start


def numbers(first: int, end: int) -> list[str]:
    return [f"{number}" for number in range(first, end)]


def test_the_latest_events_come_first_by_default(twenty: tuple[Any, int]) -> None:
    logs, _ = twenty
    answer = get(logs, limit=5)
    assert messages(answer) == numbers(15, 20)
    older = get(logs, limit=10, nextToken=answer["nextBackwardToken"])
    assert messages(older) == numbers(5, 15)
    oldest = get(logs, nextToken=older["nextBackwardToken"])
    assert messages(oldest) == numbers(0, 5)
    end = get(logs, nextToken=oldest["nextBackwardToken"])
    assert end["events"] == []
    assert end["nextBackwardToken"] == oldest["nextBackwardToken"]
    assert messages(get(logs, limit=2, nextToken=end["nextForwardToken"])) == numbers(0, 2)


def test_reading_from_the_head_goes_on_with_the_forward_token(twenty: tuple[Any, int]) -> None:
    logs, start = twenty
    seen: list[str] = []
    token, before = None, ""
    while token != before:
        before = token or ""
        answer = get(logs, startFromHead=True, limit=6, **({"nextToken": token} if token else {}))
        seen += messages(answer)
        token = answer["nextForwardToken"]
    assert seen == numbers(0, 20)
    assert answer["events"] == []
    assert messages(get(logs, limit=3, nextToken=answer["nextBackwardToken"])) == numbers(17, 20)
    put(logs, (start + 500, "new"))
    assert messages(get(logs, startFromHead=True, nextToken=token)) == ["new"]


def test_a_forward_token_leads_on_from_a_page_read_backward(twenty: tuple[Any, int]) -> None:
    logs, _ = twenty
    older = get(logs, limit=5, nextToken=get(logs, limit=5)["nextBackwardToken"])
    assert messages(get(logs, startFromHead=True, nextToken=older["nextForwardToken"])) == numbers(15, 20)


def test_tokens_look_like_those_of_aws(twenty: tuple[Any, int]) -> None:
    logs, _ = twenty
    answer = get(logs)
    for member, letter in (("nextForwardToken", "f"), ("nextBackwardToken", "b")):
        direction, digits, end = answer[member].split("/")
        assert (direction, len(digits), end) == (letter, 56, "s")


def test_the_start_of_a_time_range_is_in_it_and_its_end_is_not(twenty: tuple[Any, int]) -> None:
    logs, start = twenty
    for head in (True, False):
        assert messages(get(logs, startTime=start + 3, endTime=start + 7, startFromHead=head)) == numbers(3, 7)
    assert get(logs, startTime=start + 7, endTime=start + 7)["events"] == []
    assert get(logs, endTime=0)["events"] == []


def test_an_empty_stream_gives_tokens_that_find_what_comes(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    answer = get(logs, startFromHead=True)
    assert answer["events"] == []
    put(logs, (now_ms(), "first"))
    assert messages(get(logs, startFromHead=True, nextToken=answer["nextForwardToken"])) == ["first"]


def test_getting_needs_the_group_and_the_stream(account: Account) -> None:
    logs = account.client("logs")
    with refused(*NO_GROUP):
        get(logs)
    logs.create_log_group(logGroupName="g")
    with refused(*NO_STREAM):
        get(logs)
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    assert logs.get_log_events(logGroupIdentifier=arn(account, "g"), logStreamName="s")["events"] == []
    for token in ("not-existing-token", "n/" + "0" * 56 + "/s"):
        with refused("InvalidParameterException", "The specified nextToken is invalid."):
            get(logs, nextToken=token)


# Filtering.


def test_filtered_events_are_interleaved_by_time_and_have_an_id(account: Account) -> None:
    logs = account.client("logs")
    start = now_ms() - 1000
    for name, offset in (("a", 0), ("b", 1)):
        stream(logs, name=name)
        put(logs, *((start + offset + 2 * number, f"{name}{number}") for number in range(3)), name=name)
    answer = logs.filter_log_events(logGroupName="g", interleaved=True)
    assert messages(answer) == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert answer["searchedLogStreams"] == []
    assert "nextToken" not in answer
    ids = [event["eventId"] for event in answer["events"]]
    assert ids == sorted(set(ids))
    assert all(len(one) == 56 and one.isdigit() for one in ids)
    assert sorted(answer["events"][0]) == ["eventId", "ingestionTime", "logStreamName", "message", "timestamp"]
    again = logs.filter_log_events(logGroupName="g", logStreamNames=["b"])
    assert [event["eventId"] for event in again["events"]] == ids[1::2]


def test_streams_are_chosen_by_name_or_prefix(account: Account) -> None:
    logs = account.client("logs")
    now = now_ms()
    for name in ("a/1", "a/2", "b"):
        stream(logs, name=name)
        put(logs, (now, name), name=name)
    assert filtered(logs, logStreamNames=["b", "a/1", "b"]) == ["a/1", "b"]
    assert filtered(logs, logStreamNamePrefix="a/") == ["a/1", "a/2"]
    assert filtered(logs, logStreamNamePrefix="x") == []
    with refused(*NO_STREAM):
        logs.filter_log_events(logGroupName="g", logStreamNames=["a/1", "missing"])
    text = "logStreamNamePrefix and logStreamNames are mutually exclusive parameters."
    with refused("InvalidParameterException", text):
        logs.filter_log_events(logGroupName="g", logStreamNames=["b"], logStreamNamePrefix="a")


def test_a_prefix_of_very_many_streams_is_searched_all_the_same(
    lambent: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOG_STREAMS_MERGED", 3)
    now = now_ms()
    for number in range(6):
        tell(lambent, "g", f"a{number}", (now + number, f"a{number}"))
    tell(lambent, "g", "b", (now, "b"))
    assert filtered(lambent.client("logs"), logStreamNamePrefix="a") == [f"a{number}" for number in range(6)]


def test_both_ends_of_a_filters_time_range_are_in_it(twenty: tuple[Any, int]) -> None:
    logs, start = twenty
    assert filtered(logs, startTime=start + 3, endTime=start + 7) == numbers(3, 8)
    assert filtered(logs, startTime=start + 18) == numbers(18, 20)
    assert filtered(logs, startTime=start + 7, endTime=start + 3) == []


def test_the_newest_come_first_when_asked_for(twenty: tuple[Any, int]) -> None:
    logs, start = twenty
    answer = logs.filter_log_events(logGroupName="g", startFromHead=False, startTime=start, limit=4)
    assert messages(answer) == numbers(16, 20)[::-1]
    rest = logs.filter_log_events(logGroupName="g", startTime=start, nextToken=answer["nextToken"])
    assert messages(rest) == numbers(0, 16)[::-1]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(logGroupName="g", startFromHead=False)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ERROR", ["ERROR disk full", '{"level": "ERROR", "latency": 120}']),
        ('{ $.level = "ERROR" && $.latency > 100 }', ['{"level": "ERROR", "latency": 120}']),
        ("[level, what, how]", ["ERROR disk full"]),
        ("%d[ai]sk% -fine", ["ERROR disk full"]),
        ("?full ?fine", ["ERROR disk full", "INFO all disks fine"]),
    ],
)
def test_a_filter_pattern_chooses_events(account: Account, pattern: str, expected: list[str]) -> None:
    logs = account.client("logs")
    stream(logs)
    texts = ["ERROR disk full", '{"level": "ERROR", "latency": 120}', "INFO all disks fine", '{"level": "INFO"}']
    start = now_ms() - 10
    put(logs, *((start + number, text) for number, text in enumerate(texts)))
    assert filtered(logs, filterPattern=pattern) == expected


def test_a_bad_pattern_or_token_is_refused(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    with refused("InvalidParameterException", "If a filter pattern starts with '{' it must end with '}'"):
        logs.filter_log_events(logGroupName="g", filterPattern="{ $.a = 1")
    with refused("InvalidParameterException", "The specified nextToken is invalid."):
        logs.filter_log_events(logGroupName="g", nextToken="x")
    with refused(*NO_GROUP):
        logs.filter_log_events(logGroupName="missing")


def test_a_page_holds_at_most_a_megabyte(account: Account) -> None:
    logs = account.client("logs")
    stream(logs)
    now = now_ms()
    for number in range(4):
        put(logs, (now + number, f"{number}" * 500_000))
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName="g"))
    assert [len(page["events"]) for page in pages] == [2, 2]


def test_a_search_that_finds_nothing_gives_empty_pages_with_a_token(
    lambent: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOG_SCAN_EVENTS", 10)
    now = now_ms()
    tell(lambent, "g", "s", *((now + number, "haystack") for number in range(25)), (now + 25, "needle"))
    logs = lambent.client("logs")
    answer = logs.filter_log_events(logGroupName="g", filterPattern="needle")
    assert answer["events"] == []
    assert "nextToken" in answer
    assert filtered(logs, filterPattern="needle") == ["needle"]


def test_pages_hold_every_event_once_while_more_arrive(lambent: Server) -> None:
    logs = lambent.client("logs")
    choose = random.Random(7)
    start = now_ms() - HOUR
    counter = 0
    expected: dict[str, int] = {}

    def more(count: int, first: int) -> None:
        nonlocal counter
        for _ in range(count):
            name, counter = f"s{choose.randrange(5)}", counter + 1
            stamps = sorted(choose.randrange(first, first + 50) for _ in range(choose.randrange(1, 6)))
            events = [(start + stamp, f"{counter}.{number}") for number, stamp in enumerate(stamps)]
            tell(lambent, "g", name, *events)
            expected.update({message: timestamp for timestamp, message in events})

    more(40, 0)
    seen: list[tuple[int, str]] = []
    token: dict[str, str] = {}
    first = 100
    while True:
        answer = logs.filter_log_events(logGroupName="g", limit=choose.randrange(1, 12), **token)
        seen += [(event["timestamp"], event["message"]) for event in answer["events"]]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
        if first < 500:
            more(3, first)
            first += 50
    assert {message: timestamp for timestamp, message in seen} == expected
    assert len(seen) == len(expected)
    assert [timestamp for timestamp, _ in seen] == sorted(timestamp for timestamp, _ in seen)


# What the program itself logs.


def test_what_was_told_a_moment_ago_is_read_now(lambent: Server) -> None:
    logs = lambent.client("logs")
    for number in range(10):
        tell(lambent, "g", "s", (now_ms(), f"{number}"))
        assert len(filtered(logs, logStreamNames=["s"])) == number + 1
        tell(lambent, "g", "s2", (now_ms(), f"{number}"))
        assert len(get_all(logs, "s2")) == number + 1
    tell(lambent, "other", "s", (now_ms(), "x"))
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["g", "other"]
    tell(lambent, "other", "s2", (now_ms(), "x"))
    assert len(logs.describe_log_streams(logGroupName="other")["logStreams"]) == 2


def get_all(logs: Any, name: str) -> list[str]:
    return messages(logs.get_log_events(logGroupName="g", logStreamName=name, startFromHead=True))


def test_a_deleted_group_comes_back_when_it_is_logged_to_again(lambent: Server) -> None:
    logs = lambent.client("logs")
    tell(lambent, "g", "s", (now_ms(), "before"))
    logs.delete_log_group(logGroupName="g")
    with refused(*NO_GROUP):
        logs.filter_log_events(logGroupName="g")
    tell(lambent, "g", "s", (now_ms(), "after"))
    assert filtered(logs) == ["after"]
