"""What a request that cannot be read is told, and the parts of a request that stand outside its body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.body import WholeBody
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SeededIds
from lambent.wire import form
from lambent.wire.http import HttpRequest
from lambent.wire.models import Models, UnknownService
from lambent.wire.scalars import Unreadable, read_base64, write_base64

if TYPE_CHECKING:
    from lambent.wire.codec import OperationCodec

MODELS = Models(ids=SeededIds(1))
ROOT = HttpRequest("POST", "/", "", [])


def unreadable(codec: OperationCodec, body: Any, http: HttpRequest = ROOT) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        codec.decode(http, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        ({"TableName": []}, "Start of list found where not expected"),
        ({"Limit": "1"}, "STRING_VALUE cannot be converted to Integer"),
        ({"Limit": False}, "FALSE_VALUE cannot be converted to Integer"),
        ({"Limit": 1 << 40}, "NUMBER_VALUE cannot be converted to Integer"),
        ({"ConsistentRead": "yes"}, "STRING_VALUE cannot be converted to Boolean"),
        ({"AttributesToGet": "a"}, "Unexpected field type"),
        (
            {"ExclusiveStartKey": {"a": {"B": "abc"}}},
            "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
        ),
        ({"ExclusiveStartKey": {"a": {"B": 1}}}, "only base-64-encoded strings are convertible to bytes"),
        ([], "Start of list found where not expected"),
        (b"{", "Unable to parse request body as JSON"),
        (b'{"TableName":"\xff"}', "Unable to parse request body as JSON"),
    ],
)
def test_json_of_the_wrong_type_is_told_as_aws_tells_it(body: Any, message: str) -> None:
    assert unreadable(MODELS.codec("dynamodb", "Scan"), body) == ("SerializationException", message)


def test_every_protocol_has_its_own_error_for_what_cannot_be_read() -> None:
    assert unreadable(MODELS.codec("iam", "ListRoles"), b"MaxItems=ten")[0] == "MalformedInput"
    assert unreadable(MODELS.codec("ec2", "DescribeVpcs"), b"MaxResults=ten")[0] == "InvalidParameterValue"
    assert unreadable(MODELS.codec("cloudwatch", "GetMetricData"), b"\xff")[0] == "SerializationException"
    bucket = HttpRequest("PUT", "/b", "", [])
    assert unreadable(MODELS.codec("s3", "CreateBucket"), b"<a", bucket) == (
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
    query = HttpRequest("GET", "/2015-03-31/functions", "MaxItems=ten", [])
    assert unreadable(MODELS.codec("lambda", "ListFunctions"), b"", query)[0] == "SerializationException"


def test_labels_query_and_headers_are_read_and_decoded() -> None:
    http = HttpRequest(
        "POST",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations",
        "Qualifier=%24LATEST",
        [("x-amz-log-type", "Tail"), ("x-amz-invocation-type", "RequestResponse")],
    )
    assert MODELS.codec("lambda", "Invoke").decode(http, b"{}") == {
        "FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Qualifier": "$LATEST",
        "LogType": "Tail",
        "InvocationType": "RequestResponse",
        "Payload": b"{}",
    }


def test_a_list_in_the_query_is_repeated() -> None:
    http = HttpRequest(
        "DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af", "", []
    )
    http.query = "tagKeys=a&tagKeys=b%20c"
    assert MODELS.codec("lambda", "UntagResource").decode(http, b"")["TagKeys"] == ["a", "b c"]


def test_a_streamed_member_is_a_body_and_nothing_is_read_of_it() -> None:
    codec = MODELS.codec("s3", "PutObject")
    body = WholeBody(b"data")
    assert codec.streams_input
    request = codec.decode(HttpRequest("PUT", "/b/k%20%2F/x", "", [("x-amz-meta-colour", "blue")]), body)
    assert request["Body"] is body
    assert (request["Bucket"], request["Key"], request["Metadata"]) == ("b", "k //x", {"colour": "blue"})


def test_a_token_that_the_client_left_out_is_filled_in() -> None:
    codec = MODELS.codec("secretsmanager", "CreateSecret")
    first = codec.decode(ROOT, b'{"Name":"s"}')["ClientRequestToken"]
    second = codec.decode(ROOT, b'{"Name":"s"}')["ClientRequestToken"]
    assert len(first) == 36
    assert first != second
    assert (
        codec.decode(ROOT, b'{"Name":"s","ClientRequestToken":"' + b"t" * 32 + b'"}')["ClientRequestToken"] == "t" * 32
    )


def test_unknown_members_are_dropped_and_null_ones_are_absent() -> None:
    body = b'{"logGroupName":"g","limit":null,"madeUp":{"a":[1]}}'
    assert MODELS.codec("logs", "DescribeLogStreams").decode(ROOT, body) == {"logGroupName": "g"}


def test_what_a_codec_tells_the_gateway() -> None:
    create = MODELS.codec("lambda", "CreateFunction")
    assert (create.service, create.operation, create.method) == ("lambda", "CreateFunction", "create_function")
    assert create.body_limit == 70_167_211
    assert not create.unsigned
    assert MODELS.codec("sts", "AssumeRoleWithWebIdentity").unsigned
    assert MODELS.codec("lambda", "CreateFunction") is create
    assert MODELS.operation("lambda", "create_function") == "CreateFunction"


@pytest.mark.parametrize("name", ["nope", "../lambda", "", "LAMBDA"])
def test_a_service_without_a_model(name: str) -> None:
    with pytest.raises(UnknownService):
        MODELS.service(name)


def test_an_answer_with_a_member_that_the_model_lacks_is_a_bug() -> None:
    with pytest.raises(ValueError, match="has no member Nope"):
        MODELS.codec("lambda", "GetFunction").encode({"Nope": 1}, "request-1")


@pytest.mark.parametrize("size", [3, 786_432, 786_433, 786_434, 2_000_000])
def test_base64_of_any_length_is_read_whole(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert read_base64(write_base64(data)) == data


@pytest.mark.parametrize("text", ["A" * 1_048_572 + "AA==" + "AAAA", "A" * 1_048_576 + "A*AA", "A" * 1_048_577])
def test_long_base64_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_base64(text)


def test_a_form_is_bounded_in_names_and_depth() -> None:
    read = form.reader(MODELS.service("sts").operations["GetCallerIdentity"].input, ec2=False)
    deep = ".".join(["x"] * limits.NESTING_DEPTH)
    assert read({deep: ""}) == {}
    with pytest.raises(Unreadable, match="Nesting is deeper than 64 levels"):
        read({f"{deep}.x": ""})
    with pytest.raises(Unreadable, match="The form has more than 100000 names"):
        read({f"{number}.{deep[4:]}": "" for number in range(limits.FORM_NODES // 60)})
