"""The retention policy of a log group: put, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.logs import errors
from lambent.services.logs.rules.retention import DAYS
from lambent.services.logs.store import groups

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request
    from lambent.services.logs.parts import Parts
    from lambent.store.api import Transaction


async def put_retention_policy(call: Call[Parts], request: Request) -> None:
    """Let a group's events expire after so many days.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    """
    if request["retentionInDays"] not in DAYS:
        raise errors.bad_retention()
    await _set(call, request["logGroupName"], request["retentionInDays"])


async def delete_retention_policy(call: Call[Parts], request: Request) -> None:
    """Keep a group's events for ever.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteRetentionPolicy.html
    """
    await _set(call, request["logGroupName"], None)


async def _set(call: Call[Parts], name: str, days: int | None) -> None:
    # The group may be one that a function has only just begun to log to.
    await call.parts.facts.flush()

    def work(tx: Transaction) -> None:
        groups.set_retention(tx, groups.need(tx, call.account, call.region, name), days)

    await call.parts.store.write(work)
    call.parts.sweeper.wake()
