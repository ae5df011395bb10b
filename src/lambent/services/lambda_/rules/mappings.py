"""The settings of an event source mapping: from a request to what holds, and what AWS refuses.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits, pattern
from lambent.services.lambda_.errors import mappings as errors
from lambent.services.lambda_.records.mappings import Settings
from lambent.services.lambda_.rules import destinations, sources

if TYPE_CHECKING:
    from datetime import datetime

    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.mappings import EventSourceMapping
    from lambent.services.lambda_.rules.sources import Kind

_IDENTITY = ("Enabled", "EventSourceArn", "FunctionName", "Tags", "UUID")
_MERGED = ("AmazonManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "SelfManagedKafkaEventSourceConfig")
_DROPPED_WHEN_EMPTY = ("FilterCriteria", "KMSKeyArn", "ProvisionedPollerConfig", "ScalingConfig")


def new(kind: Kind, request: Request, uuid: str, now_s: float) -> Settings:
    """The settings of a new mapping of that UUID. Raises AWS's errors; the source itself is not looked at."""
    given = _given(kind, request)
    _check_position(kind, request, now_s)
    for member in kind.required:
        if not given.get(member):
            raise errors.missing(member)
    return _checked(kind, kind.defaults | given | _of_kind(kind, given, uuid), request.get("EventSourceArn"))


def changed(mapping: EventSourceMapping, request: Request) -> Settings:
    """The settings of `mapping` with what UpdateEventSourceMapping changes. Raises as `new` does."""
    kind = sources.KINDS[mapping.kind]
    given = _given(kind, request)
    if any(access.get("Type") == "VIRTUAL_HOST" for access in given.get("SourceAccessConfigurations", ())):
        raise errors.unsupported("SourceAccessConfigurations")
    held = shown(mapping.settings)
    for member in given.keys() & set(_MERGED):
        _check_group(held.get(member, {}), given[member])
        given[member] = held.get(member, {}) | given[member]
    return _checked(kind, held | given, mapping.source)


def shown(settings: Settings) -> dict[str, Any]:
    """The settings under the model's names."""
    members: dict[str, Any] = msgspec.to_builtins(settings)
    return members


def _given(kind: Kind, request: Request) -> dict[str, Any]:
    """What the request says of the settings. Raises for what this kind does not take; empty members ask nothing."""
    given = {member: value for member, value in request.items() if member not in _IDENTITY}
    for member, value in given.items():
        if member not in kind.members and value not in ({}, []):
            raise _unsupported(kind, member)
    taken = {member: value for member, value in given.items() if member in kind.members}
    if "OnSuccess" in taken.get("DestinationConfig", {}):
        raise errors.unsupported("DestinationConfig")
    if "StartingPositionTimestamp" in taken:
        taken["StartingPositionTimestamp"] = taken["StartingPositionTimestamp"].timestamp()
    return taken


def _check_group(held: dict[str, Any], given: dict[str, Any]) -> None:
    """A consumer group is for good, because the broker keeps under its name what has been read."""
    group = given.get("ConsumerGroupId")
    if group is not None and group != held.get("ConsumerGroupId"):
        raise errors.unsupported("ConsumerGroupId")


def _unsupported(kind: Kind, member: str) -> Exception:
    if kind.name == "sqs" and member in ("StartingPosition", "StartingPositionTimestamp"):
        return errors.position_with_queue()
    return errors.unsupported(member)


def _check_position(kind: Kind, request: Request, now_s: float) -> None:
    if not kind.positions:
        return
    position = request.get("StartingPosition", kind.defaults.get("StartingPosition"))
    if position is None:
        raise errors.no_position()
    if position not in kind.positions:
        raise errors.unsupported_position(request["EventSourceArn"])
    _check_timestamp(position, request.get("StartingPositionTimestamp"), now_s)


def _check_timestamp(position: str, timestamp: datetime | None, now_s: float) -> None:
    if position != "AT_TIMESTAMP":
        if timestamp is not None:
            raise errors.timestamp_without_position()
        return
    if timestamp is None or timestamp.timestamp() > now_s:
        raise errors.no_timestamp()
    if timestamp.timestamp() < 0:
        raise errors.negative_timestamp()


def _of_kind(kind: Kind, given: dict[str, Any], uuid: str) -> dict[str, Any]:
    """The defaults inside members: a consumer group of the mapping's own, and what of a document is read."""
    if kind.kafka:
        member = "AmazonManagedKafka" if kind.name == "kafka" else "SelfManagedKafka"
        member = f"{member}EventSourceConfig"
        return {member: {"ConsumerGroupId": uuid} | given.get(member, {})}
    if kind.name == "documentdb":
        member = "DocumentDBEventSourceConfig"
        return {member: {"FullDocument": "Default"} | given[member]}
    return {}


def _checked(kind: Kind, members: dict[str, Any], source: str | None) -> Settings:
    """The settings that `members` are, tidied as AWS shows them. Raises for values that contradict one another."""
    if members.get("FilterCriteria") and not members["FilterCriteria"].get("Filters"):
        members = members | {"FilterCriteria": None}
    members = {name: value for name, value in members.items() if value or name not in _DROPPED_WHEN_EMPTY}
    if "DestinationConfig" in members:
        members["DestinationConfig"] = {"OnFailure": destinations.on_failure(members["DestinationConfig"])}
    settings = msgspec.convert(members, Settings)
    _check_batch(kind, settings, source)
    _check_filters(settings)
    _check_scaling(kind, settings)
    _check_access(kind, settings)
    _check_kafka(kind, settings)
    _check_giving_up(kind, settings)
    if kind.name == "documentdb" and not (settings.document_db_config and settings.document_db_config.database_name):
        raise errors.missing("DatabaseName")
    return settings


def _check_batch(kind: Kind, settings: Settings, source: str | None) -> None:
    large = (settings.batch_size or 0) > limits.MAPPING_UNWINDOWED_BATCH
    if sources.is_fifo(source):
        if settings.maximum_batching_window_in_seconds:
            raise errors.fifo_window()
        if large:
            raise errors.fifo_batch()
    if kind.name == "sqs" and large and not settings.maximum_batching_window_in_seconds:
        raise errors.batch_without_window()


def _check_filters(settings: Settings) -> None:
    filters = settings.filter_criteria.filters if settings.filter_criteria else ()
    if len(filters) > limits.MAPPING_FILTERS:
        raise errors.too_many_filters()
    for wanted in filters:
        try:
            pattern.parse(wanted.pattern or "")
        except pattern.BadPattern as error:
            raise errors.bad_filter() from error


def _check_scaling(kind: Kind, settings: Settings) -> None:
    pollers = settings.provisioned_poller_config
    if pollers is None:
        return
    if settings.scaling_config is not None:
        raise errors.two_scalings()
    least, most = kind.pollers
    given = [count for count in (pollers.minimum_pollers, pollers.maximum_pollers) if count is not None]
    if given != sorted(given) or any(not least <= count <= most for count in given):
        raise errors.bad_pollers(least, most)
    if pollers.poller_group_name and not kind.kafka:
        raise errors.unsupported("PollerGroupName")


def _check_access(kind: Kind, settings: Settings) -> None:
    types = {access.type for access in settings.source_access_configurations or () if access.type}
    if types - kind.access:
        raise errors.bad_access(sorted(types - kind.access))


def _check_kafka(kind: Kind, settings: Settings) -> None:
    """A topic that is read as a queue has no position and no window, and its failures go back to the broker."""
    config = settings.self_managed_kafka_config
    if config is None or config.consumption_mode != "Queue":
        return
    if settings.starting_position_timestamp or settings.starting_position != kind.defaults["StartingPosition"]:
        raise errors.unsupported("StartingPosition")
    if settings.maximum_batching_window_in_seconds is not None:
        raise errors.unsupported("MaximumBatchingWindowInSeconds")
    if settings.maximum_retry_attempts == -1:
        raise errors.unsupported("MaximumRetryAttempts")


def _check_giving_up(kind: Kind, settings: Settings) -> None:
    age = settings.maximum_record_age_in_seconds
    if age is not None and -1 < age < limits.MAPPING_RECORD_AGE_S:
        raise errors.bad_record_age()
    if settings.destination_config is not None and settings.destination_config.on_failure is not None:
        destinations.check_given_up(settings.destination_config.on_failure.destination, topics=kind.kafka)
