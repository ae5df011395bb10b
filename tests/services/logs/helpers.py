"""What the tests through boto3 share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.account import Account


def arn(account: Account, name: str) -> str:
    """The ARN of a log group of `account`."""
    return f"arn:aws:logs:us-east-1:{account.number}:log-group:{name}"


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def stream(logs: Any, group: str = "g", name: str = "s") -> None:
    """Make sure that there is a stream, and its group."""
    for make, names in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": name}),
    ):
        try:
            make(**names)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue


def put(logs: Any, *events: tuple[int, str], group: str = "g", name: str = "s") -> dict[str, Any]:
    """Put events, each a timestamp and a message."""
    batch = [{"timestamp": timestamp, "message": message} for timestamp, message in events]
    answer: dict[str, Any] = logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=batch)
    return answer


def messages(answer: dict[str, Any]) -> list[str]:
    """The messages of an answer, in order."""
    return [event["message"] for event in answer["events"]]


@contextmanager
def refused(code: str, message: str) -> Iterator[None]:
    """The block's call is answered by this error, with status 400."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == (code, message)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
