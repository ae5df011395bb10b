"""Policy documents that several tests use, and a client's error as a tuple."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable


def trust(principal: Any = None, **members: Any) -> str:
    """A trust policy of one statement."""
    given = {"Service": "lambda.amazonaws.com"} if principal is None else principal
    statement = {"Effect": "Allow", "Principal": given, "Action": "sts:AssumeRole"} | members
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def permissions(padding: int = 0, **members: Any) -> str:
    """A permissions policy of one statement, made longer by `padding` characters."""
    statement = {"Sid": "x" * padding, "Effect": "Allow", "Action": "s3:*", "Resource": "*"} | members
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused(work: Callable[[], object]) -> tuple[str, str, int]:
    """Code, message and status of the error that `work` is answered with."""
    with pytest.raises(ClientError) as caught:
        work()
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]
