"""Tags of log groups through boto3, by ARN and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.logs.helpers import arn, refused

if TYPE_CHECKING:
    from tests.services.account import Account


def test_tags_are_added_replaced_and_removed(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g")
    assert logs.list_tags_for_resource(resourceArn=arn(account, "g"))["tags"] == {}
    logs.tag_resource(resourceArn=arn(account, "g"), tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName="g", tags={"b": "3", "c": ""})
    assert logs.list_tags_for_resource(resourceArn=arn(account, "g"))["tags"] == {"a": "1", "b": "3", "c": ""}
    logs.untag_resource(resourceArn=arn(account, "g"), tagKeys=["a", "missing"])
    logs.untag_log_group(logGroupName="g", tags=["c"])
    assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"b": "3"}


def test_a_group_has_at_most_fifty_tags(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="g", tags={f"key{number}": "x" for number in range(50)})
    logs.tag_resource(resourceArn=arn(account, "g"), tags={"key0": "y"})
    with pytest.raises(logs.exceptions.TooManyTagsException) as caught:
        logs.tag_resource(resourceArn=arn(account, "g"), tags={"one too many": "x"})
    assert caught.value.response["resourceName"] == arn(account, "g")
    assert len(logs.list_tags_log_group(logGroupName="g")["tags"]) == 50


def test_tags_need_their_group(account: Account) -> None:
    logs = account.client("logs")
    with refused("ResourceNotFoundException", "The specified log group does not exist."):
        logs.tag_resource(resourceArn=arn(account, "missing"), tags={"a": "1"})
    with refused("ResourceNotFoundException", "The specified log group does not exist."):
        logs.list_tags_log_group(logGroupName="missing")
    with refused("ResourceNotFoundException", "The specified resource does not exist."):
        logs.list_tags_for_resource(resourceArn="arn:aws:logs:us-east-1:000000000000:destination:d")
