"""Errors as botocore's clients receive them, modelled and not, in every protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from lambent.kernel.errors import AwsError, not_built
from lambent.wire.models import Models
from lambent.wire.overlay import load

if TYPE_CHECKING:
    from lambent.wire.http import HttpResponse

MODELS = Models()
SERVICES = [
    ("lambda", "rest-json"),
    ("logs", "json"),
    ("iam", "query"),
    ("ec2", "ec2"),
    ("s3", "rest-xml"),
    ("route53", "rest-xml"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("sqs", "json"),
]


def write(service: str, protocol: str, error: AwsError) -> HttpResponse:
    return MODELS.dialect(service, protocol).errors.write(error, "request-1")


def read(service: str, protocol: str, response: HttpResponse) -> dict[str, Any]:
    """What botocore's clients make of it."""
    model = botocore.session.get_session().get_service_model(service)
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(raw, None)
    shape = model.shape_for_error_code(parsed["Error"]["Code"])
    return {**parsed, **(create_parser(protocol).parse(raw, shape) if shape else {})}


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AwsError("MadeUpException", "1 validation error <&> detected", status=400), 400),
        (not_built("x", "DoIt"), 501),
        (AwsError("InternalFailure", "An internal error occurred.", status=500), 500),
        (AwsError("NeverHeardOf", ""), 400),
    ],
)
def test_an_error_that_no_model_knows(service: str, protocol: str, error: AwsError, status: int) -> None:
    response = write(service, protocol, error)
    parsed = read(service, protocol, response)
    assert response.status == status
    assert parsed["Error"]["Code"] == error.code
    assert parsed["Error"].get("Message", "") == error.message
    assert parsed["ResponseMetadata"]["RequestId"] == "request-1"


def test_a_modelled_error_of_rest_json() -> None:
    error = AwsError("ResourceNotFoundException", "Function not found: arn")
    response = write("lambda", "rest-json", error)
    assert response.status == 404
    assert ("x-amzn-ErrorType", "ResourceNotFoundException") in response.headers
    assert json.loads(response.body) == {"Type": "User", "Message": "Function not found: arn"}


def test_the_message_is_spelled_as_the_shape_spells_it() -> None:
    response = write("lambda", "rest-json", AwsError("InvalidParameterValueException", "no"))
    assert json.loads(response.body) == {"Type": "User", "message": "no"}


def test_a_service_can_leave_the_type_out_and_the_front_end_does() -> None:
    error = AwsError("InvalidParameterValueException", "no", Type=None)
    assert json.loads(write("lambda", "rest-json", error).body) == {"message": "no"}
    unmodelled = AwsError("ValidationException", "no", status=400)
    assert json.loads(write("lambda", "rest-json", unmodelled).body) == {"message": "no"}


def test_a_fault_of_the_service_says_so() -> None:
    response = write("lambda", "rest-json", AwsError("ServiceException", "oh"))
    assert response.status == 500
    assert json.loads(response.body)["Type"] == "Service"


def test_further_members_travel_where_the_model_puts_them() -> None:
    members = {"Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "2"}
    response = write("lambda", "rest-json", AwsError("TooManyRequestsException", "Rate Exceeded.", **members))
    parsed = read("lambda", "rest-json", response)
    assert response.status == 429
    assert ("Retry-After", "2") in response.headers
    assert (parsed["Reason"], parsed["retryAfterSeconds"], parsed["Type"]) == ("CallerRateLimitExceeded", "2", "User")


def test_query_gives_the_code_of_the_shape_and_whose_fault_it_is() -> None:
    by_code = write("iam", "query", AwsError("NoSuchEntity", "gone"))
    by_shape = write("iam", "query", AwsError("NoSuchEntityException", "gone"))
    assert by_code.status == by_shape.status == 404
    assert by_code.body == by_shape.body
    parsed = read("iam", "query", by_code)
    assert parsed["Error"] == {"Type": "Sender", "Code": "NoSuchEntity", "Message": "gone"}
    assert read("iam", "query", write("iam", "query", AwsError("ServiceFailure", "oh")))["Error"]["Type"] == "Receiver"


def test_s3_has_its_own_form() -> None:
    error = AwsError("NoSuchBucket", "The specified bucket does not exist", status=404, BucketName="b")
    response = write("s3", "rest-xml", error)
    assert response.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchBucket</Code>')
    assert ("x-amz-request-id", "request-1") in response.headers
    assert read("s3", "rest-xml", response)["Error"]["BucketName"] == "b"


def test_a_query_compatible_service_gives_the_old_code_too() -> None:
    cbor = write("cloudwatch", "smithy-rpc-v2-cbor", AwsError("LimitExceededFault", "many"))
    assert ("x-amzn-query-error", "LimitExceeded;Sender") in cbor.headers
    assert read("cloudwatch", "smithy-rpc-v2-cbor", cbor)["Error"]["Code"] == "LimitExceeded"
    gone = AwsError("ResourceNotFoundException", "gone")
    assert write("cloudwatch", "query", gone).status == 404
    assert write("cloudwatch", "json", gone).status == 400


def test_json_names_the_error_in_body_and_header() -> None:
    response = write(
        "logs", "json", AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    )
    assert response.status == 400
    assert ("Content-Type", "application/x-amz-json-1.1") in response.headers
    assert json.loads(response.body) == {
        "__type": "ResourceAlreadyExistsException",
        "message": "The specified log group already exists",
    }


def test_no_header_can_be_smuggled_in() -> None:
    error = AwsError("TooManyRequestsException", "x", retryAfterSeconds="1\r\nSet-Cookie: a=b")
    for name, value in write("lambda", "rest-json", error).headers:
        assert "\r" not in name + value
        assert "\n" not in name + value


def test_characters_that_xml_cannot_carry_are_replaced() -> None:
    parsed = read("iam", "query", write("iam", "query", AwsError("NoSuchEntity", "a\u0000b\u0007<c>]]>&")))
    assert parsed["Error"]["Message"] == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}<c>]]>&"


@pytest.mark.parametrize("service", ["lambda", "logs", "iam", "sts"])
def test_an_overlay_speaks_of_what_the_model_has(service: str) -> None:
    overlay, model = load(service), MODELS.service(service)
    named = {*overlay.body_limits, *overlay.statuses, *overlay.unchecked}
    assert named <= set(model.operations)
    for operation, paths in overlay.unchecked.items():
        for path in paths:
            shape = model.operations[operation].input
            for name in path.split("."):
                shape = shape.members[name]
