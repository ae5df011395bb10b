"""Event source mappings as they are stored: which source a function reads from, and how."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.kernel.arn import arn
from lambent.services.lambda_.records import FunctionKey

State = Literal["Creating", "Enabling", "Enabled", "Disabling", "Disabled", "Updating", "Deleting"]


class _Member(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """A structure of the model under the model's own names; a member that is None was not given."""


class Filter(_Member, frozen=True):
    """One event pattern."""

    pattern: str | None = None


class FilterCriteria(_Member, frozen=True):
    """The patterns of which a record must match one."""

    filters: tuple[Filter, ...] = ()


class MetricsConfig(_Member, frozen=True):
    """The metrics that are wanted."""

    metrics: tuple[str, ...] | None = None


class LoggingConfig(_Member, frozen=True):
    """What the mapping itself logs."""

    system_log_level: str | None = None


class ScalingConfig(_Member, frozen=True):
    """How many invocations at once a queue may cause."""

    maximum_concurrency: int | None = None


class OnFailure(_Member, frozen=True):
    """Where what was given up goes."""

    destination: str | None = None


class DestinationConfig(_Member, frozen=True):
    """Where what was given up goes; there is none for what succeeded."""

    on_failure: OnFailure | None = None


class SourceAccess(_Member, frozen=True):
    """One credential, subnet, security group or virtual host of a source."""

    type: str | None = None
    uri: str | None = msgspec.field(default=None, name="URI")


class SelfManagedEventSource(_Member, frozen=True):
    """A Kafka cluster by its servers."""

    endpoints: dict[str, tuple[str, ...]] | None = None


class SchemaRegistryAccess(_Member, frozen=True):
    """One credential of a schema registry."""

    type: str | None = None
    uri: str | None = msgspec.field(default=None, name="URI")


class SchemaValidation(_Member, frozen=True):
    """What of a record is validated: its key or its value."""

    attribute: str | None = None


class SchemaRegistryConfig(_Member, frozen=True):
    """The schema registry of a Kafka topic."""

    schema_registry_uri: str | None = msgspec.field(default=None, name="SchemaRegistryURI")
    event_record_format: str | None = None
    access_configs: tuple[SchemaRegistryAccess, ...] | None = None
    schema_validation_configs: tuple[SchemaValidation, ...] | None = None


class ManagedKafkaConfig(_Member, frozen=True):
    """How topics of Amazon MSK are consumed."""

    consumer_group_id: str | None = None
    schema_registry_config: SchemaRegistryConfig | None = None


class SelfManagedKafkaConfig(_Member, frozen=True):
    """How topics of other Kafka clusters are consumed."""

    consumer_group_id: str | None = None
    schema_registry_config: SchemaRegistryConfig | None = None
    consumption_mode: str | None = None


class DocumentDbConfig(_Member, frozen=True):
    """Whose changes of a DocumentDB cluster are read."""

    database_name: str | None = None
    collection_name: str | None = None
    full_document: str | None = None


class PollerConfig(_Member, frozen=True):
    """How many pollers are kept."""

    minimum_pollers: int | None = None
    maximum_pollers: int | None = None
    poller_group_name: str | None = None


class Settings(_Member, frozen=True):
    """How a source is read, with the defaults of its kind. Times are in seconds; -1 stands for without limit."""

    batch_size: int | None = None
    bisect_batch_on_function_error: bool | None = None
    destination_config: DestinationConfig | None = None
    document_db_config: DocumentDbConfig | None = msgspec.field(default=None, name="DocumentDBEventSourceConfig")
    filter_criteria: FilterCriteria | None = None
    function_response_types: tuple[str, ...] | None = None
    kms_key_arn: str | None = msgspec.field(default=None, name="KMSKeyArn")
    logging_config: LoggingConfig | None = None
    managed_kafka_config: ManagedKafkaConfig | None = msgspec.field(
        default=None, name="AmazonManagedKafkaEventSourceConfig"
    )
    maximum_batching_window_in_seconds: int | None = None
    maximum_record_age_in_seconds: int | None = None
    maximum_retry_attempts: int | None = None
    metrics_config: MetricsConfig | None = None
    parallelization_factor: int | None = None
    provisioned_poller_config: PollerConfig | None = None
    queues: tuple[str, ...] | None = None
    scaling_config: ScalingConfig | None = None
    self_managed_event_source: SelfManagedEventSource | None = None
    self_managed_kafka_config: SelfManagedKafkaConfig | None = msgspec.field(
        default=None, name="SelfManagedKafkaEventSourceConfig"
    )
    source_access_configurations: tuple[SourceAccess, ...] | None = None
    starting_position: str | None = None
    starting_position_timestamp: float | None = None
    """Seconds since the epoch."""
    topics: tuple[str, ...] | None = None
    tumbling_window_in_seconds: int | None = None


class EventSourceMapping(msgspec.Struct, frozen=True, kw_only=True):
    """One source of events of one function, or of a version or alias of it."""

    account: str
    region: str
    uuid: str
    kind: str
    """The name of its kind in `rules/sources.py`."""
    function: str
    qualifier: str | None = None
    """As the caller gave it."""
    source: str | None = None
    """The ARN of the queue, stream, broker or cluster; None for a cluster that AWS does not manage."""
    settings: Settings
    enabled: bool
    """Whether it is to be read from once no change is under way."""
    state: State
    modified_ms: int
    """Milliseconds since the epoch, of the last change of anything, its state included."""
    tags: dict[str, str] = {}

    @property
    def key(self) -> FunctionKey:
        """The function that it invokes."""
        return FunctionKey(self.account, self.region, self.function)

    @property
    def function_arn(self) -> str:
        """What it invokes."""
        return self.key.arn(self.qualifier)

    @property
    def arn(self) -> str:
        """Its own ARN."""
        return arn("lambda", self.region, self.account, f"event-source-mapping:{self.uuid}")

    @property
    def settled(self) -> bool:
        """Whether no change of it is under way."""
        return self.state in ("Enabled", "Disabled")

    @property
    def servers(self) -> tuple[str, ...]:
        """What tells its source from others: the ARN, or the cluster's servers."""
        if self.source is not None:
            return (self.source,)
        managed = self.settings.self_managed_event_source
        endpoints = {} if managed is None or managed.endpoints is None else managed.endpoints
        return tuple(server for servers in endpoints.values() for server in servers)


def settled(mapping: EventSourceMapping, modified_ms: int) -> EventSourceMapping:
    """`mapping` once the change that is under way is complete."""
    return msgspec.structs.replace(mapping, state="Enabled" if mapping.enabled else "Disabled", modified_ms=modified_ms)
