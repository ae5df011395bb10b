"""Real shapes of every protocol against botocore's client half: what it sends we read, what we answer it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.kernel.body import WholeBody
from lambent.kernel.errors import AwsError
from lambent.wire.http import HttpRequest
from lambent.wire.models import Models
from lambent.wire.route import Router

MODELS = Models()
DEPTH = 4
SDK_TIMESTAMP = "Expires"
"""botocore makes a timestamp of what S3 itself keeps as the text that it was given."""
OPERATIONS = [
    ("lambda", "CreateFunction", "rest-json"),
    ("lambda", "CreateEventSourceMapping", "rest-json"),
    ("lambda", "Invoke", "rest-json"),
    ("lambda", "ListFunctions", "rest-json"),
    ("apigateway", "PutIntegration", "rest-json"),
    ("logs", "PutLogEvents", "json"),
    ("logs", "FilterLogEvents", "json"),
    ("dynamodb", "PutItem", "json"),
    ("kinesis", "PutRecords", "json"),
    ("sqs", "SendMessage", "json"),
    ("iam", "CreateRole", "query"),
    ("iam", "GetRole", "query"),
    ("sts", "AssumeRole", "query"),
    ("sns", "Publish", "query"),
    ("cloudformation", "CreateStack", "query"),
    ("ec2", "RunInstances", "ec2"),
    ("ec2", "DescribeVpcs", "ec2"),
    ("s3", "PutBucketLifecycleConfiguration", "rest-xml"),
    ("s3", "GetBucketAcl", "rest-xml"),
    ("s3", "PutObject", "rest-xml"),
    ("s3", "DeleteObjects", "rest-xml"),
    ("route53", "ChangeResourceRecordSets", "rest-xml"),
    ("cloudfront", "CreateDistribution", "rest-xml"),
    ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "GetMetricData", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "GetMetricData", "json"),
    ("cloudwatch", "GetMetricData", "query"),
]
ROUTER = Router(MODELS, sorted({service for service, _, _ in OPERATIONS}))
SETTINGS = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))

text = st.text("aZ09 -_.é😀<&>'\"/", min_size=1, max_size=12).map(lambda value: f"x{value}x")
token = st.text("aZ09-_", min_size=1, max_size=12)
instants = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@cache
def botocore_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of botocore's `shape`; never empty where a protocol cannot say empty."""
    match shape.type_name:
        case "structure":
            if shape.is_document_type:
                return st.dictionaries(token, text, max_size=2)
            return structures(shape, depth)
        case "list":
            return st.lists(values(shape.member, depth + 1), min_size=1, max_size=2)
        case "map":
            return st.dictionaries(token.map(str.lower), values(shape.value, depth + 1), min_size=1, max_size=2)
        case "timestamp":
            return instants
        case "blob":
            return st.binary(min_size=1, max_size=20)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-(1 << 31), (1 << 31) - 1)
        case "long":
            return st.integers(-(1 << 63), (1 << 63) - 1)
        case "float" | "double":
            return st.floats(allow_nan=False, allow_infinity=False, width=32)
    return token if shape.serialization.get("location") else text


def structures(shape: Any, depth: int) -> st.SearchStrategy[Any]:
    members = {
        name: member
        for name, member in shape.members.items()
        if member.serialization.get("location") != "statusCode"
        and name != SDK_TIMESTAMP
        and not member.serialization.get("eventstream")
        and not member.serialization.get("jsonvalue")
        and (depth < DEPTH or member.type_name not in ("structure", "list", "map"))
    }
    if not members:
        return st.just({})

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        most = 1 if shape.is_tagged_union else min(len(members), 5 if depth else 8)
        chosen = set(draw(st.lists(st.sampled_from(sorted(members)), min_size=1, max_size=most, unique=True)))
        if not depth:
            chosen |= {name for name, member in members.items() if member.serialization.get("location") == "uri"}
        return {name: draw(values(members[name], depth + 1)) for name in sorted(chosen)}

    return build()


def without_empties(value: Any) -> Any:
    """The value without structures that hold nothing, which the form protocols cannot send."""
    if isinstance(value, dict):
        kept = {key: without_empties(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    if isinstance(value, list):
        return [without_empties(item) for item in value]
    return value


def sent_by_botocore(model: Any, protocol: str, params: Any) -> tuple[HttpRequest, bytes]:
    request = create_serializer(protocol, include_validation=False).serialize_to_request(params, model)
    body, query = request["body"], request["query_string"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body).encode()
    query = percent_encode_sequence(query) if isinstance(query, dict) else query
    path, _, constants = request["url_path"].partition("?")
    query = "&".join(part for part in (constants, query) if part)
    headers = [(name.lower(), value) for name, value in request["headers"].items()]
    return HttpRequest(request["method"], path, query, headers), body if isinstance(body, bytes) else body.encode()


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS)
async def test_what_botocore_sends_is_what_we_read(service: str, operation: str, protocol: str) -> None:
    model = botocore_model(service).operation_model(operation)
    codec = MODELS.codec(service, operation, protocol)

    @SETTINGS
    @given(values(model.input_shape))
    def check(params: Any) -> None:
        params = without_empties(params)
        http, body = sent_by_botocore(model, protocol, params)
        found = ROUTER.find(http, model.service_model.signing_name, body)
        assert (found.service, found.operation, found.protocol) == (service, operation, protocol)
        decoded = codec._read(http, body)
        if codec.streams_input:
            payload = model.input_shape.serialization["payload"]
            streamed = decoded.pop(payload)
            assert isinstance(streamed, WholeBody)
            assert streamed.length == len(params.pop(payload, b""))
        assert without_empties(decoded) == params

    check()


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS)
async def test_what_we_answer_is_what_botocore_reads(service: str, operation: str, protocol: str) -> None:
    model = botocore_model(service).operation_model(operation)
    codec = MODELS.codec(service, operation, protocol)
    parser = create_parser(protocol)
    if model.output_shape is None:
        assert codec.encode({}, "request-1").status == 200
        return

    @SETTINGS
    @given(values(model.output_shape))
    def check(output: Any) -> None:
        response = codec.encode(output, "request-1")
        body = BytesIO(response.body) if model.has_streaming_output else response.body
        raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": body}
        parsed = parser.parse(raw, model.output_shape)
        assert parsed.pop("ResponseMetadata")["RequestId"] == "request-1"
        if model.has_streaming_output:
            payload = model.output_shape.serialization["payload"]
            assert parsed.pop(payload).read() == output.pop(payload, b"")
        parsed.pop("StatusCode", None)
        assert without_empties(parsed) == without_empties(output)

    check()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS)
async def test_rubbish_is_never_more_than_a_bad_request(service: str, operation: str, protocol: str) -> None:
    model = botocore_model(service).operation_model(operation)
    codec = MODELS.codec(service, operation, protocol)

    @settings(SETTINGS, max_examples=40)
    @given(values(model.input_shape), st.data())
    def check(params: Any, data: st.DataObject) -> None:
        http, body = sent_by_botocore(model, protocol, params)
        body = data.draw(st.one_of(st.binary(max_size=60), mutations(body)))
        query = data.draw(st.one_of(st.just(http.query), st.text("aé%=&+1.", max_size=20)))
        headers = [(name, data.draw(st.sampled_from([value, "", "rubbish", ",", "é"]))) for name, value in http.headers]
        path = data.draw(st.sampled_from([http.path, http.path + "%ff", "/", "//", "/a/b/c"]))
        bad = HttpRequest(http.method, path, query, headers)
        try:
            codec.decode(bad, body)
        except AwsError as error:
            assert error.status == 400
            response = codec.encode_error(error, "request-1")
            assert response.status == 400

    check()


def mutations(body: bytes) -> st.SearchStrategy[bytes]:
    """`body` with a piece replaced by something else."""
    pieces = st.one_of(
        st.binary(max_size=4),
        st.sampled_from([b"null", b"{}", b"[]", b'"x"', b"1e999", b"-1", b"<a>", b"</a>", b"%", b"=", b".1.", b"\xff"]),
    )
    place = st.integers(0, len(body))
    return st.builds(lambda at, end, piece: body[:at] + piece + body[max(at, end) :], place, place, pieces)


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("dynamodb", "PutItem", b'{"TableName":"t","Item":{"a":' + b'{"M":{"a":' * 2000 + b"1" + b"}}" * 2000 + b"}}"),
        ("logs", "PutLogEvents", b"[" * 200_000),
        ("logs", "PutLogEvents", b'{"logGroupName":' + b"9" * 10_000 + b"}"),
        ("iam", "GetRole", b"Action=GetRole&RoleName" + b".a" * 5000 + b"=x"),
        (
            "iam",
            "TagRole",
            b"Action=TagRole&RoleName=r&" + b"&".join(b"Tags.member.%d.Key=x" % n for n in range(60_000)),
        ),
        ("s3", "PutBucketAcl", b"<a>" * 50_000),
        ("s3", "PutBucketAcl", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        ("s3", "PutBucketAcl", b'<?xml version="1.0" encoding="nope"?><a/>'),
        ("cloudwatch", "PutMetricData", b"\x81" * 100_000),
        ("cloudwatch", "PutMetricData", b"\xd8\x1c\x81\xd8\x1d\x00"),
        ("cloudwatch", "PutMetricData", b"\xa1\x69Namespace\xc2\x5a\x7f\xff\xff\xff"),
        ("cloudwatch", "PutMetricData", b"\x9b\x00\xff\xff\xff\xff\xff\xff\xff"),
    ],
)
def test_a_body_made_to_hurt_is_a_bad_request(service: str, operation: str, body: bytes) -> None:
    codec = MODELS.codec(service, operation)
    with pytest.raises(AwsError) as caught:
        codec.decode(HttpRequest("POST", "/bucket", "", []), body)
    assert caught.value.status == 400
