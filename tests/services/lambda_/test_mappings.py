"""Event source mappings: their kinds, their states, and what AWS refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.settings import KeyPair
from lambent.services.lambda_.rules import sources
from lambent.services.lambda_.store import mappings
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, own_client, publish, refused
from tests.support import server_process

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.kernel.arn import Arn
    from lambent.store.api import Transaction
    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"
FIFO = f"{QUEUE}.fifo"
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/numbers"
CONSUMER = f"{KINESIS}/consumer/reader:1700000000"
DYNAMODB = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2024-10-12T10:55:29.000"
MSK = "arn:aws:kafka:us-east-1:000000000000:cluster/c/11f04185-8ff8-4e0a-a903-2245da2e6433-5"
BROKER = "arn:aws:mq:us-east-1:000000000000:broker:b:b-1234a5b6-78cd-901e-2fgh-3i45j6k17819"
DOCUMENTDB = "arn:aws:rds:us-east-1:000000000000:cluster:documents"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-AbCdEf"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failures"
SERVERS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["one:9092", "two:9092"]}}
ACCESS = [{"Type": "BASIC_AUTH", "URI": SECRET}]

WHOLE: dict[str, dict[str, Any]] = {
    "sqs": {"EventSourceArn": QUEUE},
    "fifo": {"EventSourceArn": FIFO},
    "kinesis": {"EventSourceArn": KINESIS, "StartingPosition": "LATEST"},
    "consumer": {"EventSourceArn": CONSUMER, "StartingPosition": "TRIM_HORIZON"},
    "dynamodb": {"EventSourceArn": DYNAMODB, "StartingPosition": "LATEST"},
    "kafka": {"EventSourceArn": MSK, "Topics": ["numbers"]},
    "self-managed-kafka": {
        "SelfManagedEventSource": SERVERS,
        "SourceAccessConfigurations": ACCESS,
        "Topics": ["numbers"],
    },
    "mq": {"EventSourceArn": BROKER, "Queues": ["orders"], "SourceAccessConfigurations": ACCESS},
    "documentdb": {
        "EventSourceArn": DOCUMENTDB,
        "StartingPosition": "LATEST",
        "SourceAccessConfigurations": ACCESS,
        "DocumentDBEventSourceConfig": {"DatabaseName": "shop"},
    },
}
"""What each kind of source needs at least."""
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent)
    create(made, "f")
    return made


def mapped(client: Any, kind: str = "sqs", **members: Any) -> dict[str, Any]:
    """The answer of CreateEventSourceMapping."""
    answer: dict[str, Any] = client.create_event_source_mapping(**{"FunctionName": "f"} | WHOLE[kind] | members)
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    return answer


def settled(client: Any, uuid: str) -> dict[str, Any]:
    """The mapping once no change of it is under way."""
    for _ in range(10_000):
        held: dict[str, Any] = client.get_event_source_mapping(UUID=uuid)
        if held["State"] in ("Enabled", "Disabled"):
            del held["ResponseMetadata"]
            return held
    raise AssertionError(f"{uuid} does not settle")


def gone(client: Any, uuid: str) -> None:
    """Return when the mapping is not there any more."""
    for _ in range(10_000):
        try:
            client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            return
    raise AssertionError(f"{uuid} does not go")


def refusal(client: Any, kind: str = "sqs", *, code: str = INVALID, **members: Any) -> str:
    """What CreateEventSourceMapping says that refuses these members for that kind."""
    members = {"FunctionName": "f"} | WHOLE[kind] | members
    return refused(client, code, client.create_event_source_mapping, **members)


@pytest.mark.parametrize("kind", WHOLE)
def test_every_kind_of_source_is_kept_as_it_was_given(client: Any, kind: str) -> None:
    made = mapped(client, kind)
    assert made["State"] == "Creating"
    assert {name: made[name] for name in WHOLE[kind] if not name.startswith("DocumentDB")} == {
        name: value for name, value in WHOLE[kind].items() if not name.startswith("DocumentDB")
    }
    held = settled(client, made["UUID"])
    assert held["State"] == "Enabled"
    assert held["LastModified"] >= made["LastModified"]
    assert held | {"State": "", "LastModified": 0} == made | {"State": "", "LastModified": 0}
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{made['UUID']}")


@pytest.mark.parametrize("kind", WHOLE)
def test_every_kind_has_defaults_of_its_own(client: Any, kind: str) -> None:
    made = mapped(client, kind)
    known = sources.KINDS[{"fifo": "sqs", "consumer": "kinesis"}.get(kind, kind)]
    expected = known.defaults | WHOLE[kind]
    assert {name: made[name] for name in known.defaults} == {name: expected[name] for name in known.defaults}
    assert made["StateTransitionReason"] == ("User action" if known.stream else "USER_INITIATED")
    assert ("LastProcessingResult" in made) == known.stream


def test_a_consumer_group_is_the_mappings_own_where_none_is_named(client: Any) -> None:
    made = mapped(client, "kafka")
    assert made["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}
    other = mapped(client, "kafka", Topics=["other"], AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "mine"})
    assert other["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "mine"}


def test_a_consumer_group_is_for_good(client: Any) -> None:
    uuid = mapped(client, "kafka", AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "mine"})["UUID"]
    settled(client, uuid)
    other = {"ConsumerGroupId": "another"}
    call = client.update_event_source_mapping
    text = refused(client, INVALID, call, UUID=uuid, AmazonManagedKafkaEventSourceConfig=other)
    assert text == "Unsupported 'consumerGroupId' parameter for given event source mapping type."
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://registry:8081"}}
    call(UUID=uuid, AmazonManagedKafkaEventSourceConfig=registry)
    held = settled(client, uuid)
    assert held["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "mine"} | registry


def test_a_cluster_is_named_in_one_way(client: Any) -> None:
    text = refusal(client, "self-managed-kafka", EventSourceArn=MSK)
    assert text == "Unsupported 'eventSourceArn' parameter for given event source mapping type."


def test_a_schema_registry_is_kept(client: Any) -> None:
    registry = {
        "SchemaRegistryURI": "https://registry:8081",
        "EventRecordFormat": "JSON",
        "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}],
        "SchemaValidationConfigs": [{"Attribute": "KEY"}, {"Attribute": "VALUE"}],
    }
    made = mapped(
        client,
        "self-managed-kafka",
        SelfManagedKafkaEventSourceConfig={"SchemaRegistryConfig": registry},
        LoggingConfig={"SystemLogLevel": "INFO"},
        MetricsConfig={"Metrics": ["EventCount", "KafkaMetrics"]},
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 3, "PollerGroupName": "g"},
    )
    config = made["SelfManagedKafkaEventSourceConfig"]
    assert config == {"ConsumerGroupId": made["UUID"], "SchemaRegistryConfig": registry}
    held = settled(client, made["UUID"])
    for member in ("LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig", "SelfManagedKafkaEventSourceConfig"):
        assert held[member] == made[member]


def test_what_a_document_database_is_read_for(client: Any) -> None:
    made = mapped(client, "documentdb")
    assert made["DocumentDBEventSourceConfig"] == {"DatabaseName": "shop", "FullDocument": "Default"}
    text = refusal(client, "documentdb", DocumentDBEventSourceConfig={"CollectionName": "c"})
    assert text == "Required 'databaseName' parameter is missing."


def test_a_mapping_that_is_not_enabled_is_disabled_from_the_start(client: Any) -> None:
    made = mapped(client, Enabled=False)
    assert made["State"] == "Disabled"
    assert client.get_event_source_mapping(UUID=made["UUID"])["LastModified"] == made["LastModified"]


def test_the_states_of_a_mapping(client: Any) -> None:
    uuid = mapped(client, "kinesis")["UUID"]
    settled(client, uuid)
    told = []
    for change in ({"Enabled": False}, {"BatchSize": 7}, {"Enabled": True}, {"Enabled": True, "BatchSize": 8}):
        told.append(client.update_event_source_mapping(UUID=uuid, **change)["State"])
        told.append(settled(client, uuid)["State"])
    assert told == [
        *("Disabling", "Disabled"),
        *("Updating", "Disabled"),
        *("Enabling", "Enabled"),
        *("Updating", "Enabled"),
    ]
    assert client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    gone(client, uuid)


def test_what_is_changing_cannot_be_changed(lambent: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = lambent.client("lambda")
    create(client, "f")
    uuid = mapped(client)["UUID"]
    settled(client, uuid)
    monkeypatch.setattr("lambent.services.lambda_.workers.MappingSettler._settle", _nothing)
    assert client.update_event_source_mapping(UUID=uuid, BatchSize=5)["State"] == "Updating"
    for verb, call in (("update", client.update_event_source_mapping), ("delete", client.delete_event_source_mapping)):
        text = refused(client, "ResourceInUseException", call, UUID=uuid)
        assert text == f"Cannot {verb} the event source mapping because it is in use."


async def _nothing(settler: object) -> int:
    return 0


def test_changes_are_merged(client: Any) -> None:
    uuid = mapped(client, "kinesis", MaximumRetryAttempts=3)["UUID"]
    settled(client, uuid)
    client.update_event_source_mapping(
        UUID=uuid, DestinationConfig={"OnFailure": {"Destination": TOPIC}}, ParallelizationFactor=4
    )
    held = settled(client, uuid)
    assert held["MaximumRetryAttempts"] == 3
    assert held["ParallelizationFactor"] == 4
    assert held["DestinationConfig"] == {"OnFailure": {"Destination": TOPIC}}
    client.update_event_source_mapping(UUID=uuid, DestinationConfig={"OnFailure": {"Destination": ""}})
    assert settled(client, uuid)["DestinationConfig"] == {"OnFailure": {}}


def test_what_an_update_empties_is_gone(client: Any) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/k"
    pattern = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}
    uuid = mapped(client, ScalingConfig={"MaximumConcurrency": 2}, FilterCriteria=pattern, KMSKeyArn=key)["UUID"]
    held = settled(client, uuid)
    assert held["FilterCriteria"] == pattern
    assert held["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert held["KMSKeyArn"] == key
    client.update_event_source_mapping(UUID=uuid, ScalingConfig={}, FilterCriteria={}, KMSKeyArn="")
    assert not settled(client, uuid).keys() & {"ScalingConfig", "FilterCriteria", "KMSKeyArn"}


def test_a_mapping_reads_for_a_version_or_an_alias_that_exists(client: Any) -> None:
    create(client, "g")
    publish(client, "g")
    client.create_alias(FunctionName="g", Name="live", FunctionVersion="1")
    for name in ("g", "g:$LATEST", "g:1", "g:live"):
        assert mapped(client, FunctionName=name)["FunctionArn"].endswith(f":function:{name}")
    for name in ("missing", "g:2", "g:gone"):
        assert refusal(client, FunctionName=name) == "Function does not exist"
    uuid = mapped(client)["UUID"]
    settled(client, uuid)
    text = refused(client, INVALID, client.update_event_source_mapping, UUID=uuid, FunctionName="missing")
    assert text == "Function does not exist"


def test_an_update_does_not_make_two_mappings_of_one(client: Any) -> None:
    create(client, "g")
    mapped(client, FunctionName="g")
    uuid = mapped(client)["UUID"]
    settled(client, uuid)
    text = refused(client, CONFLICT, client.update_event_source_mapping, UUID=uuid, FunctionName="g")
    assert text.startswith("An event source mapping with SQS arn")


def test_a_cluster_may_be_read_once_for_each_topic(client: Any) -> None:
    for kind in ("kafka", "self-managed-kafka"):
        uuid = mapped(client, kind)["UUID"]
        mapped(client, kind, Topics=["letters"])
        text = refusal(client, kind, code=CONFLICT)
        assert 'topics ("numbers") already exists' in text
        assert text.endswith(uuid)


def test_a_function_that_is_gone_leaves_its_mapping(client: Any) -> None:
    create(client, "g")
    uuid = mapped(client, FunctionName="g")["UUID"]
    client.delete_function(FunctionName="g")
    assert settled(client, uuid)["State"] == "Enabled"
    client.delete_event_source_mapping(UUID=uuid)
    gone(client, uuid)


UNSUPPORTED = [
    ("sqs", {"ParallelizationFactor": 2}),
    ("sqs", {"BisectBatchOnFunctionError": True}),
    ("sqs", {"MaximumRetryAttempts": 1}),
    ("sqs", {"MaximumRecordAgeInSeconds": 60}),
    ("sqs", {"TumblingWindowInSeconds": 1}),
    ("sqs", {"Topics": ["t1"]}),
    ("sqs", {"Queues": ["q"]}),
    ("sqs", {"LoggingConfig": {"SystemLogLevel": "INFO"}}),
    ("sqs", {"SourceAccessConfigurations": ACCESS}),
    ("kinesis", {"ScalingConfig": {"MaximumConcurrency": 2}}),
    ("kinesis", {"ProvisionedPollerConfig": {"MinimumPollers": 1}}),
    ("kinesis", {"Queues": ["q"]}),
    ("dynamodb", {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}}),
    ("kafka", {"ParallelizationFactor": 2}),
    ("kafka", {"TumblingWindowInSeconds": 1}),
    ("kafka", {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}}),
    ("self-managed-kafka", {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}}),
    ("mq", {"StartingPosition": "LATEST"}),
    ("mq", {"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
    ("documentdb", {"MaximumRetryAttempts": 1}),
]


@pytest.mark.parametrize(
    ("kind", "members"), UNSUPPORTED, ids=[f"{kind}-{next(iter(members))}" for kind, members in UNSUPPORTED]
)
def test_a_member_of_another_kind_is_refused(client: Any, kind: str, members: dict[str, Any]) -> None:
    (member,) = members
    name = member[:1].lower() + member[1:]
    expected = f"Unsupported '{name}' parameter for given event source mapping type."
    assert refusal(client, kind, **members) == expected
    if member not in ("Topics", "Queues", "StartingPosition"):
        uuid = mapped(client, kind)["UUID"]
        settled(client, uuid)
        assert refused(client, INVALID, client.update_event_source_mapping, UUID=uuid, **members) == expected


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("kafka", "Topics"),
        ("self-managed-kafka", "Topics"),
        ("self-managed-kafka", "SourceAccessConfigurations"),
        ("mq", "Queues"),
        ("mq", "SourceAccessConfigurations"),
        ("documentdb", "DocumentDBEventSourceConfig"),
        ("documentdb", "SourceAccessConfigurations"),
    ],
)
def test_a_member_that_is_needed_is_missed(client: Any, kind: str, member: str) -> None:
    given = {name: value for name, value in WHOLE[kind].items() if name != member}
    text = refused(client, INVALID, client.create_event_source_mapping, FunctionName="f", **given)
    assert text == f"Required '{member[:1].lower() + member[1:]}' parameter is missing."


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::bucket",
        "arn:aws:sns:us-east-1:000000000000:t",
        "arn:aws:dynamodb:us-east-1:000000000000:table/t",
        "arn:aws:sqs:us-east-1:000000000000:a queue",
        "arn:aws:kinesis:us-east-1:000000000000:numbers",
    ],
)
def test_what_cannot_be_read_from_is_not_recognized(client: Any, arn: str) -> None:
    assert refusal(client, EventSourceArn=arn) == "Unrecognized event source."


def test_batches_of_a_queue_that_keeps_order(client: Any) -> None:
    assert (
        refusal(client, "fifo", MaximumBatchingWindowInSeconds=1) == "Batching window is not supported for FIFO queues"
    )
    assert refusal(client, "fifo", BatchSize=11) == "Maximum batch size must be between 1 and 10 inclusive"
    assert mapped(client, "fifo", BatchSize=10)["BatchSize"] == 10


def test_large_batches_of_a_queue_are_waited_for(client: Any) -> None:
    assert mapped(client, BatchSize=10_000, MaximumBatchingWindowInSeconds=1)["BatchSize"] == 10_000


def test_a_point_in_time_is_in_the_past(client: Any) -> None:
    past = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    for kind in ("kinesis", "documentdb", "kafka"):
        made = mapped(client, kind, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=past)
        assert made["StartingPositionTimestamp"] == past
        assert settled(client, made["UUID"])["StartingPositionTimestamp"] == past
    ahead = datetime.now(UTC) + timedelta(days=1)
    for timestamp in ({}, {"StartingPositionTimestamp": ahead}):
        text = refusal(client, "consumer", StartingPosition="AT_TIMESTAMP", **timestamp)
        assert "StartingPositionTimestamp" in text


def test_the_filters_of_a_mapping(client: Any) -> None:
    wanted = [{"Pattern": json.dumps({"body": {"a": [number]}})} for number in range(limits.MAPPING_FILTERS)]
    made = mapped(client, FilterCriteria={"Filters": wanted})
    assert made["FilterCriteria"] == {"Filters": wanted}
    text = refusal(client, "kinesis", FilterCriteria={"Filters": [*wanted, wanted[0]]})
    assert str(limits.MAPPING_FILTERS) in text
    settled(client, made["UUID"])
    for bad in ("", '{"a": 1}', '{"a": [{"between": [1, 2]}]}'):
        text = refused(
            client,
            INVALID,
            client.update_event_source_mapping,
            UUID=made["UUID"],
            FilterCriteria={"Filters": [{"Pattern": bad}]},
        )
        assert text == "Invalid filter pattern definition."
    assert refusal(client, "kinesis", FilterCriteria={"Filters": [{}]}) == "Invalid filter pattern definition."


@pytest.mark.parametrize("age", [0, 1, 59])
def test_a_record_age_below_a_minute_is_refused(client: Any, age: int) -> None:
    assert "MaximumRecordAgeInSeconds" in refusal(client, "kinesis", MaximumRecordAgeInSeconds=age)


def test_pollers_have_a_range_for_each_kind(client: Any) -> None:
    good = [("sqs", {"MinimumPollers": 2, "MaximumPollers": 10_000}), ("kafka", {"MaximumPollers": 1}), ("kafka", {})]
    for number, (kind, pollers) in enumerate(good):
        members = {"EventSourceArn": f"{WHOLE[kind]['EventSourceArn']}{number}", "ProvisionedPollerConfig": pollers}
        assert mapped(client, kind, **members).get("ProvisionedPollerConfig", {}) == pollers
    bad = [
        ("sqs", {"MinimumPollers": 1}),
        ("sqs", {"MinimumPollers": 5, "MaximumPollers": 4}),
        ("kafka", {"MaximumPollers": 2_001}),
        ("sqs", {"MinimumPollers": 2, "PollerGroupName": "g"}),
    ]
    for kind, pollers in bad:
        assert "Pollers" in refusal(client, kind, ProvisionedPollerConfig=pollers).replace(
            "pollers", "Pollers"
        ).replace("pollerGroup", "Pollers")
    text = refusal(client, ScalingConfig={"MaximumConcurrency": 2}, ProvisionedPollerConfig={"MinimumPollers": 2})
    assert text == "ScalingConfig and ProvisionedPollerConfig cannot be specified together."


def test_access_is_of_the_kind_of_the_source(client: Any) -> None:
    for kind, given in (("mq", "VPC_SUBNET"), ("kafka", "BASIC_AUTH"), ("documentdb", "VIRTUAL_HOST")):
        text = refusal(client, kind, SourceAccessConfigurations=[{"Type": given, "URI": SECRET}])
        assert given in text
    host = [*ACCESS, {"Type": "VIRTUAL_HOST", "URI": "/orders"}]
    uuid = mapped(client, "mq", SourceAccessConfigurations=host)["UUID"]
    assert settled(client, uuid)["SourceAccessConfigurations"] == host
    text = refused(client, INVALID, client.update_event_source_mapping, UUID=uuid, SourceAccessConfigurations=host)
    assert "sourceAccessConfigurations" in text


def test_a_topic_that_is_read_as_a_queue(client: Any) -> None:
    queue = {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}}
    mapped(client, "self-managed-kafka", **queue)
    for members in (
        {"StartingPosition": "LATEST"},
        {"MaximumBatchingWindowInSeconds": 1},
        {"MaximumRetryAttempts": -1},
    ):
        (member,) = members
        text = refusal(client, "self-managed-kafka", **queue, **members)
        assert text == f"Unsupported '{member[:1].lower() + member[1:]}' parameter for given event source mapping type."


def test_what_is_given_up_goes_to_a_queue_a_topic_or_a_bucket(client: Any) -> None:
    for number, destination in enumerate((QUEUE, TOPIC, "arn:aws:s3:::bucket")):
        config = {"OnFailure": {"Destination": destination}}
        stream = f"{KINESIS}{number}"
        assert mapped(client, "kinesis", EventSourceArn=stream, DestinationConfig=config)["DestinationConfig"] == config
    kafka = {"OnFailure": {"Destination": "kafka://failures"}}
    assert mapped(client, "kafka", DestinationConfig=kafka)["DestinationConfig"] == kafka
    for destination in ("arn:aws:lambda:us-east-1:000000000000:function:f", FIFO, "kafka://failures"):
        text = refusal(client, "kinesis", DestinationConfig={"OnFailure": {"Destination": destination}})
        assert text == (
            "The provided destination config DestinationConfig(onSuccess=null, "
            f"onFailure=OnFailure(destination={destination})) is invalid."
        )
    assert refusal(client, DestinationConfig={"OnFailure": {"Destination": TOPIC}}) == (
        "Unsupported DestinationConfig parameter for given event source mapping type."
    )


def test_mappings_are_listed_by_function_and_by_source(client: Any) -> None:
    create(client, "g")
    mine = mapped(client)["UUID"]
    stream = mapped(client, "kinesis")["UUID"]
    other = mapped(client, FunctionName="g")["UUID"]

    def listed(**members: Any) -> set[str]:
        return {one["UUID"] for one in client.list_event_source_mappings(**members)["EventSourceMappings"]}

    assert listed() == {mine, stream, other}
    assert listed(FunctionName="f") == {mine, stream}
    assert listed(EventSourceArn=QUEUE) == {mine, other}
    assert listed(FunctionName="g", EventSourceArn=QUEUE) == {other}
    assert listed(FunctionName="f:$LATEST") == set()
    assert listed(FunctionName="missing") == set()


class Explained:
    """A transaction that tells how queries would be answered, and finds nothing."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.plan = ""

    def all(self, sql: str, **values: Any) -> list[Any]:
        self.plan = " ".join(row[3] for row in self._tx.all(f"EXPLAIN QUERY PLAN {sql}", **values))
        return []


@pytest.mark.parametrize(("function", "source"), [("f", ""), ("", "s"), ("f", "s"), ("", "")])
def test_a_list_reads_only_what_it_shows(shared_lambent: Server, function: str, source: str) -> None:
    def plan(tx: Transaction) -> str:
        explained: Any = Explained(tx)
        mappings.page(explained, "1", "r", "", 5, function_arn=function, source=source)
        told: str = explained.plan
        return told

    told = shared_lambent.run(lambda: shared_lambent.app.store.read(plan))
    assert "uuid>?" in told
    assert "TEMP B-TREE" not in told
    assert not (function or source) or "function=?" in told or "source=?" in told


@pytest.mark.parametrize("kind", ["sqs", "kinesis", "dynamodb"])
def test_a_source_is_of_the_functions_own_region(client: Any, kind: str) -> None:
    elsewhere = WHOLE[kind] | {"EventSourceArn": WHOLE[kind]["EventSourceArn"].replace("us-east-1", "eu-west-1")}
    text = refused(client, INVALID, client.create_event_source_mapping, FunctionName="f", **elsewhere)
    assert text == "Event source region must match Lambda region us-east-1."


def test_a_long_list_comes_in_pages(client: Any) -> None:
    made = {mapped(client, EventSourceArn=f"{QUEUE}-{number}")["UUID"] for number in range(5)}
    pages = list(client.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["EventSourceMappings"]) for page in pages] == [2, 2, 1]
    assert {one["UUID"] for page in pages for one in page["EventSourceMappings"]} == made
    text = refused(client, INVALID, client.list_event_source_mappings, Marker="nonsense")
    assert "Marker" in text


def test_mappings_of_others_are_not_seen(client: Any, shared_lambent: Server) -> None:
    uuid = mapped(client)["UUID"]
    other = own_client(shared_lambent)
    assert other.list_event_source_mappings()["EventSourceMappings"] == []
    refused(other, "ResourceNotFoundException", other.get_event_source_mapping, UUID=uuid)


class Existing:
    """A source that has nothing but what is called `queue` or `numbers`."""

    async def exists(self, arn: Arn) -> bool:
        return arn.resource in ("queue", "stream/numbers")


def test_a_source_that_its_service_does_not_know_is_refused(lambent: Server) -> None:
    parts: Any = next(service.parts for service in lambent.app.services if service.name == "lambda")
    parts.sources.register("sqs", Existing())
    parts.sources.register("kinesis", Existing())
    client = lambent.client("lambda")
    create(client, "f")
    mapped(client)
    mapped(client, "kinesis")
    text = refusal(client, EventSourceArn=f"{QUEUE}2")
    assert text.startswith("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistent")
    assert refusal(client, "kinesis", EventSourceArn=f"{KINESIS}2") == f"Stream not found: {KINESIS}2"
    assert refusal(client, EventSourceArn=f"{QUEUE}2", FunctionName="missing") == "Function does not exist"


def test_a_mapping_survives_the_server_being_killed(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        create(client, "f")
        made = mapped(client, "kinesis", Tags={"a": "b"})
        removed = mapped(client)["UUID"]
        settled(client, removed)
        client.delete_event_source_mapping(UUID=removed)
        server.kill()
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        held = settled(client, made["UUID"])
        assert held["State"] == "Enabled"
        assert held["EventSourceArn"] == KINESIS
        assert client.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"a": "b"}
        gone(client, removed)


def test_in_production_a_source_needs_its_service(tmp_path: Path) -> None:
    key = {"aws_access_key_id": "AKIAMINE", "aws_secret_access_key": "mine"}
    keys = (KeyPair("AKIAMINE", "mine", "000000000000"),)
    with serving(settings_for(tmp_path, mode="production", keys=keys)) as server:
        iam, client = (server.client(name, **key) for name in ("iam", "lambda"))
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        create(client, "f", Role=role)
        text = refused(client, "NotImplemented", client.create_event_source_mapping, FunctionName="f", **WHOLE["sqs"])
        assert "CreateEventSourceMapping with an event source like" in text
        assert mapped(client, "self-managed-kafka")["State"] == "Creating"
