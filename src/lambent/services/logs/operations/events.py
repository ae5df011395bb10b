"""Log events: put them, get those of one stream, filter those of a group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent
from lambent.services.logs import errors
from lambent.services.logs.operations.scope import group_name
from lambent.services.logs.rules import batch, pattern
from lambent.services.logs.rules.chunks import pack, sweep
from lambent.services.logs.rules.pages import cut
from lambent.services.logs.rules.positions import BadToken, Window, event_id, read_token, token, upload_token
from lambent.services.logs.rules.retention import oldest
from lambent.services.logs.store import chunks, groups, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.logs.parts import Parts
    from lambent.services.logs.records import Chunk, Group, Stream
    from lambent.services.logs.rules.chunks import Event
    from lambent.services.logs.rules.pages import Page
    from lambent.services.logs.rules.positions import Direction
    from lambent.store.api import Transaction

_YEAR_2024_MS: Final = 1_704_067_200_000


async def put_log_events(call: Call[Parts], request: Request) -> Response:
    """Store a batch of events in a stream, without those that are too old or too new.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
    """
    events = [LogEvent(event["timestamp"], event["message"]) for event in request["logEvents"]]
    batch.check(events)
    now_ms = call.parts.now_ms()

    def find(tx: Transaction) -> tuple[Group, Stream]:
        group = groups.need(tx, call.account, call.region, request["logGroupName"])
        return group, streams.need(tx, group.id, request["logStreamName"])

    def work(tx: Transaction) -> int:
        group, stream = find(tx)
        return chunks.add(tx, group.id, stream.id, packed, now_ms) if packed else stream.last_chunk or 0

    group, _ = await call.parts.store.read(find)
    verdict = batch.judge(events, now_ms, group.retention)
    # Compressing a megabyte takes milliseconds that neither the event loop nor the one writer has to give.
    packed = await asyncio.to_thread(pack, verdict.taken)
    last = await call.parts.store.write(work)
    rejected = {
        "tooNewLogEventStartIndex": verdict.too_new_start,
        "tooOldLogEventEndIndex": verdict.too_old_end,
        "expiredLogEventEndIndex": verdict.expired_end,
    }
    refused = any(index is not None for index in rejected.values())
    return {"nextSequenceToken": upload_token(last), "rejectedLogEventsInfo": rejected if refused else None}


async def get_log_events(call: Call[Parts], request: Request) -> Response:
    """A page of one stream's events, in either direction.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    name = group_name(call, request)
    direction, place = _begin(request.get("nextToken"), forward=request.get("startFromHead", False))
    until = request.get("endTime")
    now_ms = call.parts.now_ms()
    await call.parts.facts.flush()

    def work(tx: Transaction) -> Page:
        group = groups.need(tx, call.account, call.region, name)
        stream = streams.need(tx, group.id, request["logStreamName"])
        window = _window(group, request, now_ms, None if until is None else until - 1)
        if place is not None:
            window = window.beyond(direction, place)
        backward = direction == "b"
        found = chunks.of_streams(tx, [stream], window, backward=backward)
        return cut(_swept(found, window, backward=backward), request.get("limit", limits.LOG_PAGE_EVENTS))

    events = (await call.parts.store.read(work)).events
    if direction == "b":
        events.reverse()
    forward, backward = _around(events[0].position, events[-1].position) if events else _at_the_end(direction, place)
    shown = [
        {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested_ms} for event in events
    ]
    return {"events": shown, "nextForwardToken": forward, "nextBackwardToken": backward}


async def filter_log_events(call: Call[Parts], request: Request) -> Response:
    """A page of a group's events that match a pattern, those of several streams in one order.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    name, names, prefix = group_name(call, request), request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise errors.names_and_prefix()
    forward = request.get("startFromHead", True)
    if not forward and "nextToken" not in request and request.get("startTime", 0) < _YEAR_2024_MS:
        raise errors.too_early_to_read_backward()
    direction, place = _begin(request.get("nextToken"), forward=forward)
    matches = _matcher(request.get("filterPattern", ""))
    now_ms = call.parts.now_ms()
    await call.parts.facts.flush()

    def work(tx: Transaction) -> Page:
        group = groups.need(tx, call.account, call.region, name)
        window = _window(group, request, now_ms, request.get("endTime"))
        if place is not None:
            window = window.beyond(direction, place)
        backward = direction == "b"
        found = _searched(tx, group, names, prefix, window, backward=backward)
        return cut(_swept(found, window, backward=backward), request.get("limit", limits.LOG_PAGE_EVENTS), matches)

    page = await call.parts.store.read(work)
    shown = [
        {
            "logStreamName": event.stream,
            "timestamp": event.timestamp,
            "message": event.message,
            "ingestionTime": event.ingested_ms,
            "eventId": event_id(event.position),
        }
        for event in page.events
    ]
    following = None if page.stopped_at is None else token(direction, page.stopped_at)
    return {"events": shown, "searchedLogStreams": [], "nextToken": following}


def _begin(text: str | None, *, forward: bool) -> tuple[Direction, int | None]:
    """Which way a call reads and after which position, if any. Raises InvalidParameterException."""
    if text is None:
        return ("f" if forward else "b"), None
    try:
        return read_token(text)
    except BadToken as error:
        raise errors.bad_token() from error


def _window(group: Group, request: Request, now_ms: int, last: int | None) -> Window:
    """The times that a call asks for, without what has expired."""
    return Window.of_times(max(request.get("startTime", 0), oldest(now_ms, group.retention)), last)


def _matcher(text: str) -> Callable[[str], bool] | None:
    try:
        return pattern.parse(text)
    except pattern.BadPattern as error:
        raise errors.invalid(str(error)) from error


def _searched(
    tx: Transaction, group: Group, names: list[str] | None, prefix: str | None, window: Window, *, backward: bool
) -> Iterator[Chunk]:
    """The chunks of the streams that a filter asks for, all of the group's by default."""
    if names is not None:
        found = [streams.need(tx, group.id, name) for name in dict.fromkeys(names)]
        return chunks.of_streams(tx, found, window, backward=backward)
    if prefix is not None:
        most = limits.LOG_STREAMS_MERGED
        found = streams.page_by_name(tx, group.id, prefix=prefix, after=None, descending=False, limit=most + 1)
        if len(found) <= most:
            return chunks.of_streams(tx, found, window, backward=backward)
    return chunks.of_group(tx, group.id, prefix or "", window, backward=backward)


def _swept(found: Iterator[Chunk], window: Window, *, backward: bool) -> Iterator[Event]:
    return sweep(() if window.empty else found, window, backward=backward)


def _around(first: int, last: int) -> tuple[str, str]:
    """The tokens for what comes after and what came before a page of events."""
    return token("f", last), token("b", first)


def _at_the_end(direction: Direction, place: int | None) -> tuple[str, str]:
    """The tokens of an empty page: the one that was given again, and one that turns back to what it had passed."""
    if place is None:
        return token("f", 0), token("b", 0)
    if direction == "f":
        return token("f", place), token("b", place + 1)
    return token("f", max(place - 1, 0)), token("b", place)
