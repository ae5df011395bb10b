"""Amazon CloudWatch Logs: log groups, their streams, and the events in them, kept durably and searched in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.service import Service
from lambent.services.logs.operations import events, groups, retention, streams, tags
from lambent.services.logs.parts import Parts

if TYPE_CHECKING:
    from lambent.kernel.service import Operation, Worker

__all__ = ["Parts", "build"]

_OPERATIONS: tuple[Operation, ...] = (
    groups.create_log_group,
    groups.delete_log_group,
    groups.put_log_group_deletion_protection,
    groups.describe_log_groups,
    groups.list_log_groups,
    streams.create_log_stream,
    streams.delete_log_stream,
    streams.describe_log_streams,
    events.put_log_events,
    events.get_log_events,
    events.filter_log_events,
    retention.put_retention_policy,
    retention.delete_retention_policy,
    tags.tag_resource,
    tags.untag_resource,
    tags.list_tags_for_resource,
    tags.tag_log_group,
    tags.untag_log_group,
    tags.list_tags_log_group,
)


def build(parts: Parts) -> Service:
    """The service as the gateway knows it."""
    workers: dict[str, Worker] = {"flush": parts.facts, "sweep": parts.sweeper}
    notes = {"CreateLogGroup": "a key of KMS is kept and shown, and nothing is encrypted with it"}
    return Service(name="logs", parts=parts, operations=_OPERATIONS, workers=workers, notes=notes)
