"""Log streams: create, delete, describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lambent.kernel import limits, page
from lambent.services.logs import errors
from lambent.services.logs.operations.scope import group_name
from lambent.services.logs.rules.names import stream_arn
from lambent.services.logs.rules.positions import upload_token
from lambent.services.logs.store import groups, streams

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.logs.parts import Parts
    from lambent.services.logs.records import Stream
    from lambent.store.api import Transaction

_TIMES: Final = 1 << 63


async def create_log_stream(call: Call[Parts], request: Request) -> None:
    """Add an empty stream to a group.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
    """
    created_ms = call.parts.now_ms()

    def work(tx: Transaction) -> None:
        group = groups.need(tx, call.account, call.region, request["logGroupName"])
        streams.add(tx, group.id, request["logStreamName"], created_ms)

    await call.parts.store.write(work)


async def delete_log_stream(call: Call[Parts], request: Request) -> None:
    """Remove a stream; its events are swept away after it.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html
    """
    await call.parts.facts.flush()

    def work(tx: Transaction) -> None:
        group = groups.need(tx, call.account, call.region, request["logGroupName"])
        streams.delete(tx, streams.need(tx, group.id, request["logStreamName"]))

    await call.parts.store.write(work)
    call.parts.sweeper.wake()


async def describe_log_streams(call: Call[Parts], request: Request) -> Response:
    """A page of a group's streams, by name or by last event.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
    """
    name, prefix = group_name(call, request), request.get("logStreamNamePrefix")
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix is not None:
        raise errors.time_order_with_prefix()
    descending = request.get("descending", False)
    limit = request.get("limit", limits.LOG_DESCRIBE_ITEMS)
    after = _after(request.get("nextToken"))
    await call.parts.facts.flush()

    def work(tx: Transaction) -> list[Stream]:
        group = groups.need(tx, call.account, call.region, name)
        if by_time:
            return streams.page_by_time(tx, group.id, after=after, descending=descending, limit=limit + 1)
        return streams.page_by_name(
            tx,
            group.id,
            prefix=prefix or "",
            after=None if after is None else after[1],
            descending=descending,
            limit=limit + 1,
        )

    found = await call.parts.store.read(work)
    shown, token = page.cut(found, limit, lambda stream: [stream.last_event_ms, stream.name])
    return {"logStreams": [_described(call, name, stream) for stream in shown], "nextToken": token}


def _after(token: str | None) -> tuple[int, str] | None:
    """The last event and the name of the stream that the page before ended with."""
    if token is None:
        return None
    try:
        match page.cursor(token):
            case [int(time), str(name)] if 0 <= time < _TIMES:
                return time, name
    except page.BadToken:
        pass
    raise errors.bad_token()


def _described(call: Call[Parts], group: str, stream: Stream) -> Response:
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "firstEventTimestamp": stream.first_event_ms,
        "lastEventTimestamp": None if stream.first_event_ms is None else stream.last_event_ms,
        "lastIngestionTime": stream.last_ingestion_ms,
        "uploadSequenceToken": None if stream.last_chunk is None else upload_token(stream.last_chunk),
        "arn": stream_arn(call.account, call.region, group, stream.name),
        # AWS reports 0 for every stream since June 2019.
        "storedBytes": 0,
    }
