"""What the service stores: groups, streams, and the chunks that hold the events."""

from __future__ import annotations

import msgspec


class GroupRecord(msgspec.Struct, frozen=True):
    """The part of a log group that no query looks into."""

    log_group_class: str = "STANDARD"
    kms_key_id: str | None = None
    deletion_protection: bool = False
    tags: dict[str, str] = {}


class Group(msgspec.Struct, frozen=True):
    """A log group. `retention` is in days, `size` in bytes as AWS counts them."""

    id: int
    account: str
    region: str
    name: str
    created_ms: int
    retention: int | None
    size: int
    record: GroupRecord


class Stream(msgspec.Struct, frozen=True):
    """A log stream. `last_event_ms` is 0 and the members after it None until the first event."""

    id: int
    group_id: int
    name: str
    created_ms: int
    size: int
    last_event_ms: int
    first_event_ms: int | None
    last_ingestion_ms: int | None
    last_chunk: int | None


class Events(msgspec.Struct, frozen=True, array_like=True):
    """What a chunk holds, column by column; ordered by timestamp."""

    timestamps: list[int]
    messages: list[str]


class NewChunk(msgspec.Struct, frozen=True):
    """A chunk that is ready to be stored."""

    first_event_ms: int
    last_event_ms: int
    size: int
    data: bytes


class Chunk(msgspec.Struct, frozen=True):
    """A stored chunk with the name of its stream."""

    id: int
    stream: str
    first_event_ms: int
    last_event_ms: int
    ingested_ms: int
    data: bytes
