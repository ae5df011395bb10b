"""The kinds of event sources: how their ARNs look, which members they take, and what these are by default.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.services.lambda_.errors import mappings as errors

if TYPE_CHECKING:
    from lambent.kernel.call import Request

_EVERY: Final = frozenset(
    ("BatchSize", "FilterCriteria", "KMSKeyArn", "MaximumBatchingWindowInSeconds", "MetricsConfig")
)
_POSITION: Final = frozenset(("StartingPosition", "StartingPositionTimestamp"))
_RETRIES: Final = frozenset(
    (
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "FunctionResponseTypes",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
    )
)
_KAFKA: Final = (
    _EVERY | _POSITION | _RETRIES | {"LoggingConfig", "ProvisionedPollerConfig", "SourceAccessConfigurations", "Topics"}
)
_STREAM_DEFAULTS: Final = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
_KAFKA_DEFAULTS: Final = {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"}
_SASL_MEMBERS: Final = frozenset(("CLIENT_CERTIFICATE_TLS_AUTH", "SASL_SCRAM_512_AUTH"))


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event source."""

    name: str
    members: frozenset[str]
    """The members of the model that it takes, besides those of every mapping's identity."""
    defaults: dict[str, Any]
    required: tuple[str, ...] = ()
    positions: frozenset[str] = frozenset()
    access: frozenset[str] = frozenset()
    """The types of SourceAccessConfigurations that it takes."""
    stream: bool = False
    """Whether it is a stream of Kinesis or DynamoDB, of which Lambda tells the result of the last batch."""
    kafka: bool = False
    pollers: tuple[int, int] = (1, 2_000)
    """The least and the most pollers that may be asked for."""

    @property
    def reason(self) -> str:
        """AWS's StateTransitionReason for what a caller has done."""
        return "User action" if self.stream else "USER_INITIATED"


_KINDS: Final = (
    Kind(
        name="sqs",
        members=_EVERY | {"FunctionResponseTypes", "ProvisionedPollerConfig", "ScalingConfig"},
        defaults={"BatchSize": 10, "FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0},
        pollers=(2, 10_000),
    ),
    Kind(
        name="kinesis",
        members=_EVERY | _POSITION | _RETRIES | {"ParallelizationFactor", "TumblingWindowInSeconds"},
        defaults=_STREAM_DEFAULTS,
        positions=frozenset(("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
        stream=True,
    ),
    Kind(
        name="dynamodb",
        members=_EVERY | _POSITION | _RETRIES | {"ParallelizationFactor", "TumblingWindowInSeconds"},
        defaults=_STREAM_DEFAULTS,
        positions=frozenset(("TRIM_HORIZON", "LATEST")),
        stream=True,
    ),
    Kind(
        name="kafka",
        members=_KAFKA | {"AmazonManagedKafkaEventSourceConfig"},
        defaults=_KAFKA_DEFAULTS,
        required=("Topics",),
        positions=frozenset(("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
        access=_SASL_MEMBERS,
        kafka=True,
    ),
    Kind(
        name="self-managed-kafka",
        members=_KAFKA | {"SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig"},
        defaults=_KAFKA_DEFAULTS,
        required=("SourceAccessConfigurations", "Topics"),
        positions=frozenset(("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
        access=_SASL_MEMBERS
        | {
            "BASIC_AUTH",
            "IAM_AUTH",
            "IAM_OAUTHBEARER_AUTH",
            "OAUTHBEARER_AUDIENCE",
            "OAUTHBEARER_AUTH",
            "OAUTHBEARER_IDENTITY_POOL",
            "OAUTHBEARER_LOGICAL_CLUSTER",
            "OAUTHBEARER_SCOPE",
            "SASL_SCRAM_256_AUTH",
            "SERVER_ROOT_CA_CERTIFICATE",
            "VPC_SECURITY_GROUP",
            "VPC_SUBNET",
        },
        kafka=True,
    ),
    Kind(
        name="mq",
        members=_EVERY | {"Queues", "SourceAccessConfigurations"},
        defaults={"BatchSize": 100},
        required=("Queues", "SourceAccessConfigurations"),
        access=frozenset(("BASIC_AUTH", "VIRTUAL_HOST")),
    ),
    Kind(
        name="documentdb",
        members=_EVERY | _POSITION | {"DocumentDBEventSourceConfig", "SourceAccessConfigurations"},
        defaults={"BatchSize": 100},
        required=("DocumentDBEventSourceConfig", "SourceAccessConfigurations"),
        positions=frozenset(("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
        access=frozenset(("BASIC_AUTH",)),
    ),
)
KINDS: Final = {kind.name: kind for kind in _KINDS}

_FORMS: Final = {
    "sqs": re.compile(r"arn:[^:]+:sqs:[^:]*:[^:]*:[A-Za-z0-9_-]{1,80}(\.fifo)?"),
    "kinesis": re.compile(r"arn:[^:]+:kinesis:[^:]*:[^:]*:stream/[^/:]+(/consumer/[^/:]+:\d+)?"),
    "dynamodb": re.compile(r"arn:[^:]+:dynamodb:[^:]*:[^:]*:table/[^/]+/stream/.+"),
    "kafka": re.compile(r"arn:[^:]+:kafka:[^:]*:[^:]*:(cluster|vpc-connection)/.+"),
    "mq": re.compile(r"arn:[^:]+:mq:[^:]*:[^:]*:broker:.+"),
    "documentdb": re.compile(r"arn:[^:]+:rds:[^:]*:[^:]*:cluster:.+"),
}


def kind_of(request: Request) -> Kind:
    """The kind of source that CreateEventSourceMapping names. Raises AWS's error where it names none."""
    if "SelfManagedEventSource" in request:
        if "EventSourceArn" in request:
            raise errors.unsupported("EventSourceArn")
        return KINDS["self-managed-kafka"]
    source = request.get("EventSourceArn", "")
    for name, form in _FORMS.items():
        if form.fullmatch(source):
            return KINDS[name]
    raise errors.unrecognized()


def is_fifo(source: str | None) -> bool:
    """Whether the ARN names a queue that keeps order."""
    return source is not None and source.endswith(".fifo")
