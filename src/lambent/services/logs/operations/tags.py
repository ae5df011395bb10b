"""Tags of log groups, by ARN and in the older form by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.services.logs import errors
from lambent.services.logs.operations.scope import tagged
from lambent.services.logs.rules.names import group_arn
from lambent.services.logs.store import groups

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.logs.parts import Parts
    from lambent.store.api import Transaction


async def tag_resource(call: Call[Parts], request: Request) -> None:
    """Add tags to a group by its ARN, or give those with the same keys new values.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
    """
    await _change(call, tagged(call, request["resourceArn"]), request["tags"], [])


async def untag_resource(call: Call[Parts], request: Request) -> None:
    """Remove tags by their keys from a group by its ARN.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagResource.html
    """
    await _change(call, tagged(call, request["resourceArn"]), {}, request["tagKeys"])


async def list_tags_for_resource(call: Call[Parts], request: Request) -> Response:
    """The tags of a group by its ARN.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
    """
    return await _tags(call, tagged(call, request["resourceArn"]))


async def tag_log_group(call: Call[Parts], request: Request) -> None:
    """Add tags to a group by its name, or give those with the same keys new values.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagLogGroup.html
    """
    await _change(call, request["logGroupName"], request["tags"], [])


async def untag_log_group(call: Call[Parts], request: Request) -> None:
    """Remove tags by their keys from a group by its name.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagLogGroup.html
    """
    await _change(call, request["logGroupName"], {}, request["tags"])


async def list_tags_log_group(call: Call[Parts], request: Request) -> Response:
    """The tags of a group by its name.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsLogGroup.html
    """
    return await _tags(call, request["logGroupName"])


async def _tags(call: Call[Parts], name: str) -> Response:
    group = await call.parts.store.read(lambda tx: groups.need(tx, call.account, call.region, name))
    return {"tags": group.record.tags}


async def _change(call: Call[Parts], name: str, added: dict[str, str], removed: list[str]) -> None:
    def work(tx: Transaction) -> None:
        group = groups.need(tx, call.account, call.region, name)
        kept = {key: value for key, value in group.record.tags.items() if key not in removed}
        tags = {**kept, **added}
        if len(tags) > limits.LOG_TAGS:
            raise errors.too_many_tags(group_arn(call.account, call.region, name), limits.LOG_TAGS)
        groups.set_record(tx, group, msgspec.structs.replace(group.record, tags=tags))

    await call.parts.store.write(work)
