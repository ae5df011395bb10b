"""Log groups: create, delete, protect, describe, list."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits, page
from lambent.services.logs import errors
from lambent.services.logs.operations.scope import identified
from lambent.services.logs.records import GroupRecord
from lambent.services.logs.rules.names import group_arn
from lambent.services.logs.rules.wildcards import like
from lambent.services.logs.store import groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.logs.parts import Parts
    from lambent.services.logs.records import Group
    from lambent.store.api import Transaction

_CHEAPER_CLASSES = ("INFREQUENT_ACCESS", "ESSENTIALS")


async def create_log_group(call: Call[Parts], request: Request) -> None:
    """Store a new group.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    """
    name = request["logGroupName"]
    if name.lower().startswith("aws/"):
        raise errors.reserved_name()
    record = GroupRecord(
        log_group_class=request.get("logGroupClass", "STANDARD"),
        kms_key_id=request.get("kmsKeyId"),
        deletion_protection=request.get("deletionProtectionEnabled", False),
        tags=request.get("tags", {}),
    )
    created_ms = call.parts.now_ms()
    await call.parts.store.write(lambda tx: groups.add(tx, call.account, call.region, name, created_ms, record))


async def delete_log_group(call: Call[Parts], request: Request) -> None:
    """Remove a group at once; its events are swept away after it.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html
    """
    # What was told before the deletion goes with it, instead of bringing the group back a moment later.
    await call.parts.facts.flush()

    def work(tx: Transaction) -> None:
        group = groups.need(tx, call.account, call.region, request["logGroupName"])
        if group.record.deletion_protection:
            raise errors.protected()
        groups.delete(tx, group)

    await call.parts.store.write(work)
    call.parts.sweeper.wake()


async def put_log_group_deletion_protection(call: Call[Parts], request: Request) -> None:
    """Protect a group from deletion, or no longer.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogGroupDeletionProtection.html
    """
    name = identified(call, request["logGroupIdentifier"])

    def work(tx: Transaction) -> None:
        group = groups.need(tx, call.account, call.region, name)
        protection = request["deletionProtectionEnabled"]
        groups.set_record(tx, group, msgspec.structs.replace(group.record, deletion_protection=protection))

    await call.parts.store.write(work)


async def describe_log_groups(call: Call[Parts], request: Request) -> Response:
    """A page of the groups by prefix, part of a name or identifiers.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
    """
    prefix, part = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    identifiers = request.get("logGroupIdentifiers")
    if prefix is not None and part is not None:
        raise errors.prefix_and_pattern()
    if identifiers is not None and (prefix is not None or part is not None or "logGroupClass" in request):
        raise errors.identifiers_and_other_filters()
    if _elsewhere(call, request):
        return {"logGroups": []}
    await call.parts.facts.flush()
    describe = _whole if part is None else _short
    if identifiers is not None:
        names = [identified(call, identifier) for identifier in identifiers]
        named = await call.parts.store.read(
            partial(groups.named, account=call.account, region=call.region, names=names)
        )
        return {"logGroups": [describe(group) for group in named]}
    wanted = _of_class(request.get("logGroupClass"))
    limit = request.get("limit", limits.LOG_DESCRIBE_ITEMS)
    found, token = await _page(call, request, limit, wanted, prefix=prefix or "", part=part or "")
    return {"logGroups": [describe(group) for group in found], "nextToken": token}


async def list_log_groups(call: Call[Parts], request: Request) -> Response:
    """A page of the groups by pattern, class or tags, in short.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListLogGroups.html
    """
    # No group has a data source or a field index: those features are not here, so these filters match nothing.
    if _elsewhere(call, request) or "dataSources" in request or "fieldIndexNames" in request:
        return {"logGroups": []}
    await call.parts.facts.flush()
    # The model allows names, `|` and a leading `^` in this pattern; a dot in a name is meant literally.
    pattern = re.compile(request.get("logGroupNamePattern", "").replace(".", r"\."))
    of_class, tagged = _of_class(request.get("logGroupClass")), _tagged(request.get("logGroupTags", []))

    def wanted(group: Group) -> bool:
        return of_class(group) and tagged(group) and pattern.search(group.name) is not None

    found, token = await _page(call, request, request.get("limit", limits.LOG_DESCRIBE_ITEMS), wanted)
    summaries = [
        {
            "logGroupName": group.name,
            "logGroupArn": group_arn(group.account, group.region, group.name),
            "logGroupClass": group.record.log_group_class,
        }
        for group in found
    ]
    return {"logGroups": summaries, "nextToken": token}


async def _page(
    call: Call[Parts], request: Request, limit: int, wanted: Callable[[Group], bool], **names: str
) -> tuple[list[Group], str | None]:
    """The groups of one page, and the token for the next."""
    after = _after(request.get("nextToken"))

    def work(tx: Transaction) -> list[Group]:
        found: list[Group] = []
        last = after
        while len(found) <= limit:
            some = groups.page(tx, call.account, call.region, after=last, limit=limit + 1, **names)
            found += filter(wanted, some)
            if len(some) <= limit:
                break
            last = some[-1].name
        return found

    return page.cut(await call.parts.store.read(work), limit, lambda group: [group.name])


def _after(token: str | None) -> str:
    if token is None:
        return ""
    try:
        match page.cursor(token):
            case [str(name)]:
                return name
    except page.BadToken:
        pass
    raise errors.bad_token()


def _elsewhere(call: Call[Parts], request: Request) -> bool:
    """Whether the call asks for other accounts' groups only: no account is linked to another here."""
    accounts = request.get("accountIdentifiers", [])
    return bool(accounts) and bool(request.get("includeLinkedAccounts")) and call.account not in accounts


def _of_class(asked: str | None) -> Callable[[Group], bool]:
    """The filter by class; asking for one of the two cheaper classes shows both, as on AWS."""
    if asked is None:
        return lambda _group: True
    classes = _CHEAPER_CLASSES if asked in _CHEAPER_CLASSES else (asked,)
    return lambda group: group.record.log_group_class in classes


def _tagged(filters: list[dict[str, Any]]) -> Callable[[Group], bool]:
    """The filter by tags: each key is there, with one of its values if it has any."""
    asked = [(one["key"], [_value(wanted) for wanted in one.get("values", [])]) for one in filters]

    def fits(group: Group) -> bool:
        tags = group.record.tags
        return all(key in tags and (not values or any(value(tags[key]) for value in values)) for key, values in asked)

    return fits


def _value(wanted: str) -> Callable[[str], bool]:
    """A value in a filter by tags; after `!` it is one that the tag does not have."""
    fits = like(wanted.removeprefix("!"))
    return fits if not wanted.startswith("!") else lambda value: not fits(value)


def _short(group: Group) -> Response:
    """What a search by pattern shows of a group."""
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "arn": group_arn(group.account, group.region, group.name) + ":*",
    }


def _whole(group: Group) -> Response:
    return {
        **_short(group),
        "retentionInDays": group.retention,
        "metricFilterCount": 0,
        "storedBytes": group.size,
        "kmsKeyId": group.record.kms_key_id,
        "logGroupClass": group.record.log_group_class,
        "logGroupArn": group_arn(group.account, group.region, group.name),
        "deletionProtectionEnabled": group.record.deletion_protection,
    }
