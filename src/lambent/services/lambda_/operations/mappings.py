"""CreateEventSourceMapping, GetEventSourceMapping, UpdateEventSourceMapping, DeleteEventSourceMapping and
ListEventSourceMappings. Nothing reads from the sources yet: a mapping is kept, and its state tells what was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.kernel.arn import Arn
from lambent.services.lambda_ import errors as service_errors
from lambent.services.lambda_ import markers, qualified
from lambent.services.lambda_.errors import mappings as errors
from lambent.services.lambda_.records.mappings import EventSourceMapping
from lambent.services.lambda_.rules import mappings as rules
from lambent.services.lambda_.rules import names, sources, tags
from lambent.services.lambda_.store import mappings

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.kernel.errors import AwsError
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.mappings import State
    from lambent.store.api import Transaction


async def create_event_source_mapping(call: Call[Parts], request: Request) -> Response:
    """Let a function read from a queue or a stream; completing that is a worker's.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """
    parts = call.parts
    kind = sources.kind_of(request)
    uuid = parts.ids.uuid()
    settings = rules.new(kind, request, uuid, parts.clock.time())
    tags.check(request.get("Tags", {}))
    key, qualifier = names.parse(call, request["FunctionName"])
    enabled = request.get("Enabled", True)
    mapping = EventSourceMapping(
        account=key.account,
        region=key.region,
        uuid=uuid,
        kind=kind.name,
        function=key.name,
        qualifier=qualifier,
        source=request.get("EventSourceArn"),
        settings=settings,
        enabled=enabled,
        state="Creating" if enabled else "Disabled",
        modified_ms=parts.now_ms(),
        tags=request.get("Tags", {}),
    )
    await parts.store.read(lambda tx: _check_function(tx, mapping))
    await _check_source(call, mapping)

    def work(tx: Transaction) -> None:
        _check_function(tx, mapping)
        _check_only(tx, mapping)
        mappings.insert(tx, mapping)

    await parts.directory.change(key, work)
    return _answer(mapping)


async def get_event_source_mapping(call: Call[Parts], request: Request) -> Response:
    """One mapping.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
    """
    return _answer(await call.parts.store.read(lambda tx: _existing(tx, call, request)))


async def update_event_source_mapping(call: Call[Parts], request: Request) -> Response:
    """Change how a source is read, whether it is, or by which function.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """
    held = await call.parts.store.read(lambda tx: _existing(tx, call, request))
    target = names.parse(call, request["FunctionName"]) if "FunctionName" in request else None
    now = call.parts.now_ms()

    def work(tx: Transaction) -> EventSourceMapping:
        new = _changed(_changeable(tx, call, request, "update"), request, now)
        if target is not None:
            new = msgspec.structs.replace(new, function=target[0].name, qualifier=target[1])
            _check_function(tx, new)
            _check_only(tx, new)
        mappings.update(tx, new)
        return new

    return _answer(await call.parts.directory.change(held.key, work))


async def delete_event_source_mapping(call: Call[Parts], request: Request) -> Response:
    """Read from a source no more. The mapping is gone once a worker has completed that.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html
    """
    held = await call.parts.store.read(lambda tx: _existing(tx, call, request))
    now = call.parts.now_ms()

    def work(tx: Transaction) -> EventSourceMapping:
        old = _changeable(tx, call, request, "delete")
        new = msgspec.structs.replace(old, state="Deleting", modified_ms=now)
        mappings.update(tx, new)
        return new

    return _answer(await call.parts.directory.change(held.key, work))


async def list_event_source_mappings(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's mappings by UUID: all, or those of one function, version or alias, or of one source.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
    """
    size = min(request.get("MaxItems", limits.MAPPINGS_LISTED), limits.MAPPINGS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)
    function_arn = ""
    if "FunctionName" in request:
        key, qualifier = names.parse(call, request["FunctionName"])
        function_arn = key.arn(qualifier)
    source = request.get("EventSourceArn", "")
    found = await call.parts.store.read(
        lambda tx: mappings.page(
            tx, call.account, call.region, after, size + 1, function_arn=function_arn, source=source
        )
    )
    shown, marker = page.cut(found, size, lambda mapping: [mapping.uuid])
    return {"EventSourceMappings": [_answer(mapping) for mapping in shown], "NextMarker": marker}


def _existing(tx: Transaction, call: Call[Parts], request: Request) -> EventSourceMapping:
    found = mappings.find(tx, call.account, call.region, request["UUID"])
    if found is None:
        raise errors.not_found()
    return found


def _changeable(tx: Transaction, call: Call[Parts], request: Request, verb: str) -> EventSourceMapping:
    found = _existing(tx, call, request)
    if not found.settled:
        raise errors.in_use(verb)
    return found


def _changed(old: EventSourceMapping, request: Request, now_ms: int) -> EventSourceMapping:
    """`old` with what an update asks for besides another function."""
    settings = rules.changed(old, request)
    enabled = request.get("Enabled", old.enabled)
    state: State = "Updating"
    if enabled != old.enabled:
        state = "Enabling" if enabled else "Disabling"
    return msgspec.structs.replace(old, settings=settings, enabled=enabled, state=state, modified_ms=now_ms)


def _check_function(tx: Transaction, mapping: EventSourceMapping) -> None:
    if not qualified.exists(tx, mapping.key, mapping.qualifier):
        raise errors.no_function()


async def _check_source(call: Call[Parts], mapping: EventSourceMapping) -> None:
    """A source of a service that is not here is taken in development, so that whole templates deploy."""
    if mapping.source is None:
        return
    if Arn.parse(mapping.source).region != mapping.region:
        raise errors.other_region(mapping.region)
    exists = await call.parts.sources.exists(mapping.source)
    if exists is None and not call.parts.settings.development:
        raise service_errors.not_built(call.operation, f"an event source like {mapping.source}")
    if exists is False:
        raise errors.no_queue() if mapping.kind == "sqs" else errors.no_stream(mapping.source)


def _check_only(tx: Transaction, mapping: EventSourceMapping) -> None:
    """A function reads from a source once; from a Kafka cluster, once for each topic."""
    for other in mappings.of_function(tx, mapping.account, mapping.region, mapping.function_arn):
        if other.uuid != mapping.uuid and _same_source(other, mapping):
            raise _taken(other)


def _same_source(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    mine, theirs = one.settings.topics, other.settings.topics
    shared = mine is None or theirs is None or not set(mine).isdisjoint(theirs)
    return shared and not set(one.servers).isdisjoint(other.servers)


def _taken(other: EventSourceMapping) -> AwsError:
    if other.kind == "sqs":
        return errors.queue_exists(other)
    return errors.topic_exists(other) if sources.KINDS[other.kind].kafka else errors.stream_exists(other)


def _answer(mapping: EventSourceMapping) -> Response:
    """The EventSourceMappingConfiguration."""
    kind = sources.KINDS[mapping.kind]
    settings = rules.shown(mapping.settings)
    timestamp = settings.pop("StartingPositionTimestamp", None)
    return settings | {
        "EventSourceArn": mapping.source,
        "EventSourceMappingArn": mapping.arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": _moment(mapping.modified_ms / 1000),
        "LastProcessingResult": "No records processed" if kind.stream else None,
        "StartingPositionTimestamp": None if timestamp is None else _moment(timestamp),
        "State": mapping.state,
        "StateTransitionReason": kind.reason,
        "UUID": mapping.uuid,
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
