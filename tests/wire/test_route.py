"""Which operation a request is meant for, as clients ask for it in every protocol."""

from __future__ import annotations

import pytest

from lambent.kernel import limits
from lambent.wire.http import HttpRequest
from lambent.wire.matcher import Matcher
from lambent.wire.models import Models
from lambent.wire.route import Route, Router, Unroutable

FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")

SERVED = [
    "apigateway",
    "apigatewayv2",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "ec2",
    "iam",
    "lambda",
    "logs",
    "s3",
]
SERVED += ["sts"]


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


@pytest.fixture(scope="module")
def router(models: Models) -> Router:
    return Router(models, SERVED)


def request(method: str, target: str, *headers: tuple[str, str]) -> HttpRequest:
    path, _, query = target.partition("?")
    return HttpRequest(method, path, query, list(headers))


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction"),
        ("POST", "/2015-03-31/functions/", "CreateFunction"),
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
        ("GET", "/2015-03-31/functions?MaxItems=1", "ListFunctions"),
        ("GET", "/2015-03-31/functions/f", "GetFunction"),
        ("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af", "GetFunction"),
        ("GET", "/2015-03-31/functions/f/configuration", "GetFunctionConfiguration"),
        ("POST", "/2015-03-31/functions/f/invocations?Qualifier=1", "Invoke"),
        ("POST", "/2021-11-15/functions/f/response-streaming-invocations", "InvokeWithResponseStream"),
        ("GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Ax", "ListTags"),
    ],
)
def test_rest_operations_by_method_and_path(router: Router, method: str, target: str, operation: str) -> None:
    assert router.find(request(method, target), "lambda") == Route("lambda", operation, "rest-json")


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation"),
    [
        ("GET", "/", [], "ListBuckets"),
        ("PUT", "/b", [], "CreateBucket"),
        ("GET", "/b/", [], "ListObjects"),
        ("GET", "/b?list-type=2", [], "ListObjectsV2"),
        ("GET", "/b?location", [], "GetBucketLocation"),
        ("GET", "/b?uploads", [], "ListMultipartUploads"),
        ("POST", "/b?delete", [], "DeleteObjects"),
        ("GET", "/b/a//deep/key/", [], "GetObject"),
        ("HEAD", "/b/key", [], "HeadObject"),
        ("PUT", "/b/key", [], "PutObject"),
        ("PUT", "/b/key", [("x-amz-copy-source", "b/other")], "CopyObject"),
        ("PUT", "/b/key?partNumber=1&uploadId=u", [], "UploadPart"),
        ("PUT", "/b/key?partNumber=1&uploadId=u", [("x-amz-copy-source", "b/other")], "UploadPartCopy"),
        ("POST", "/b/key?uploads", [], "CreateMultipartUpload"),
        ("POST", "/b/key?uploadId=u", [], "CompleteMultipartUpload"),
        ("GET", "/b/key?tagging", [], "GetObjectTagging"),
        ("POST", "/b/key?select&select-type=2", [], "SelectObjectContent"),
    ],
)
def test_constants_and_required_members_tell_operations_of_one_path_apart(
    router: Router, method: str, target: str, headers: list[tuple[str, str]], operation: str
) -> None:
    assert router.find(request(method, target, *headers), "s3") == Route("s3", operation, "rest-xml")


def test_what_a_path_is_remembered_for_does_not_hide_what_headers_and_query_say(models: Models) -> None:
    router = Router(models, ["lambda", "s3"])
    for _ in range(2):
        assert router.find(request("PUT", "/b/key"), "s3").operation == "PutObject"
        assert router.find(request("PUT", "/b/key", ("x-amz-copy-source", "b/o")), "s3").operation == "CopyObject"
        assert router.find(request("PUT", "/b/key?tagging"), "s3").operation == "PutObjectTagging"
        assert router.find(request("GET", "/2015-03-31/functions/f"), "lambda").operation == "GetFunction"
        assert router.find(request("DELETE", "/2015-03-31/functions/f"), "lambda").operation == "DeleteFunction"
        with pytest.raises(Unroutable):
            router.find(request("GET", "/2015-03-31/functions/f", ("x-amz-target", "Logs_20140328.None")), "lambda")


def test_remembered_paths_are_bounded(models: Models) -> None:
    router = Router(models, ["lambda"])
    for number in range(limits.ROUTES_REMEMBERED + 5):
        router.find(request("GET", f"/2015-03-31/functions/f{number}"), "lambda")
    router.find(request("GET", f"/2015-03-31/functions/{'f' * limits.ROUTE_REMEMBERED_LENGTH}"), "lambda")
    assert router.remembered == limits.ROUTES_REMEMBERED


def test_json_by_its_target(router: Router) -> None:
    http = request("POST", "/", ("x-amz-target", "Logs_20140328.CreateLogGroup"))
    assert router.find(http, "logs") == Route("logs", "CreateLogGroup", "json")
    assert router.find(http) == Route("logs", "CreateLogGroup", "json")


def test_one_signing_name_for_two_services_is_told_apart_by_the_target(router: Router) -> None:
    tables = request("POST", "/", ("x-amz-target", "DynamoDB_20120810.ListTables"))
    streams = request("POST", "/", ("x-amz-target", "DynamoDBStreams_20120810.ListStreams"))
    assert router.find(tables, "dynamodb").service == "dynamodb"
    assert router.find(streams, "dynamodb").service == "dynamodbstreams"


def test_one_signing_name_for_four_services_is_told_apart_by_the_path(router: Router) -> None:
    found = router.find(request("GET", "/tags/x?list"), "apigateway")
    assert found == Route("apigateway", "GetTags", "rest-json")
    assert router.find(request("GET", "/v2/apis"), "apigateway") == Route("apigatewayv2", "GetApis", "rest-json")


def test_a_form_by_its_action(router: Router) -> None:
    http = request("POST", "/", FORM)
    assert router.wants_body(http)
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert router.find(http, "sts", body) == Route("sts", "GetCallerIdentity", "query")
    assert router.find(http, None, body) == Route("sts", "GetCallerIdentity", "query")


def test_an_action_in_the_query_string(router: Router) -> None:
    http = request("GET", "/?Action=GetRole&Version=2010-05-08&RoleName=r")
    assert not router.wants_body(http)
    assert router.find(http, "iam") == Route("iam", "GetRole", "query")
    assert router.find(http) == Route("iam", "GetRole", "query")


def test_ec2_by_its_action(router: Router) -> None:
    body = b"Action=DescribeInstances&Version=2016-11-15"
    assert router.find(request("POST", "/", FORM), "ec2", body) == Route("ec2", "DescribeInstances", "ec2")


def test_a_service_is_answered_in_the_protocol_that_it_is_asked_in(router: Router) -> None:
    cbor = request(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        ("smithy-protocol", "rpc-v2-cbor"),
    )
    json = request("POST", "/", ("x-amz-target", "GraniteServiceVersion20100801.ListMetrics"))
    body = b"Action=ListMetrics&Version=2010-08-01"
    assert router.find(cbor, "monitoring") == Route("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor")
    assert router.find(json, "monitoring") == Route("cloudwatch", "ListMetrics", "json")
    assert router.find(request("POST", "/", FORM), "monitoring", body) == Route("cloudwatch", "ListMetrics", "query")


def test_an_unsigned_request_by_its_host_and_by_its_path(router: Router) -> None:
    host = ("host", "lambda.us-east-1.localhost:4566")
    assert router.find(request("GET", "/2015-03-31/functions", host)).service == "lambda"
    assert router.find(request("GET", "/2015-03-31/functions", ("host", "127.0.0.1:4566"))).service == "lambda"


def refused(router: Router, http: HttpRequest, scope: str | None, body: bytes = b"") -> tuple[int, str, bytes]:
    with pytest.raises(Unroutable) as caught:
        router.find(http, scope, body)
    response = caught.value.errors.write(caught.value.error, "request-1")
    assert isinstance(response.body, bytes)
    return response.status, caught.value.error.code, response.body


def test_an_unknown_operation_is_answered_in_the_protocol_of_the_question(router: Router) -> None:
    status, code, body = refused(router, request("POST", "/", ("x-amz-target", "Logs_20140328.Nope")), "logs")
    assert (status, code) == (400, "UnknownOperationException")
    assert b'"__type":"UnknownOperationException"' in body
    status, code, body = refused(router, request("POST", "/", FORM), "iam", b"Action=Nope&Version=2010-05-08")
    assert (status, code) == (400, "InvalidAction")
    assert b"<Message>Could not find operation Nope for version 2010-05-08</Message>" in body
    status, code, _ = refused(router, request("GET", "/2015-03-31/nope"), "lambda")
    assert (status, code) == (404, "UnknownOperationException")
    assert refused(router, request("PATCH", "/2015-03-31/functions"), "lambda")[0] == 404


def test_a_request_for_no_service_at_all(models: Models) -> None:
    router = Router(models, ["iam", "lambda", "logs", "sts"])
    assert refused(router, request("GET", "/favicon.ico"), None)[:2] == (404, "UnknownOperationException")
    assert refused(router, request("POST", "/", ("x-amz-target", "Nope.Nope")), None)[0] == 400
    assert refused(router, request("POST", "/", FORM), None, b"Action=Nope&Version=1")[1] == "InvalidAction"
    assert refused(router, request("POST", "/", FORM), "iam", b"\xff")[1] == "MissingAction"


def test_the_first_services_need_no_other_models() -> None:
    models = Models()
    router = Router(models, ["lambda", "logs"])
    router.find(request("GET", "/2015-03-31/functions"), "lambda")
    router.find(request("POST", "/", ("x-amz-target", "Logs_20140328.DescribeLogGroups")), "logs")
    assert set(models.loaded()) == {"lambda", "logs"}


@pytest.mark.parametrize(
    ("http", "scope", "body", "status", "answer"),
    [
        (request("GET", "/2013-04-01/hostedzone"), "route53", b"", 501, b"route53 is not built in Lambent yet."),
        (request("GET", "/b/key"), "s3", b"", 501, b"<Message>s3 is not built in Lambent yet."),
        (
            request("POST", "/", ("x-amz-target", "DynamoDBStreams_20120810.ListStreams")),
            "dynamodb",
            b"",
            501,
            b"dynamodbstreams:ListStreams is not built in Lambent yet.",
        ),
        (
            request("POST", "/", ("x-amz-target", "DynamoDB_20120810.<b>")),
            None,
            b"",
            501,
            b'"dynamodb is not built in Lambent yet."',
        ),
        (
            request("POST", "/", FORM),
            "ec2",
            b"Action=DescribeVpcs&Version=2016-11-15",
            501,
            b"<Message>ec2:DescribeVpcs is not built in Lambent yet.",
        ),
        (
            request("POST", "/service/GraniteServiceVersion20100801/operation/X", ("smithy-protocol", "rpc-v2-cbor")),
            None,
            b"",
            501,
            b"cloudwatch:X is not built in Lambent yet.",
        ),
    ],
)
def test_a_service_that_is_not_built_says_so_without_its_model(
    http: HttpRequest, scope: str | None, body: bytes, status: int, answer: bytes
) -> None:
    models = Models()
    told = refused(Router(models, ["lambda"]), http, scope, body)
    assert (told[0], told[1]) == (status, "NotImplemented")
    assert answer in told[2]
    assert not models.loaded()


def test_every_rest_operation_of_every_service_finds_itself() -> None:
    """Templates of one service never hide one another; a label is filled with a word that no template has."""
    models = Models()
    for service in ("lambda", "s3", "apigateway", "apigatewayv2", "iot", "route53", "cloudfront", "batch", "eks"):
        operations = models.service(service).operations
        matcher = Matcher(operations.values())
        for operation in operations.values():
            path, _, query = operation.uri.partition("?")
            filled = path.replace("+}", "}")
            for piece in path.split("{")[1:]:
                filled = filled.replace("{" + piece.partition("}")[0].rstrip("+") + "}", "label")
            required = operation.input.traits.get("required", ())
            members = {name: operation.input.members[name] for name in required}
            names = [member.wire_name(name) for name, member in members.items() if member.location == "querystring"]
            query = "&".join([query, *(f"{name}=1" for name in names)])
            headers = [
                (member.wire_name(name).lower(), "1") for name, member in members.items() if member.location == "header"
            ]
            found, _ = matcher.find(HttpRequest(operation.http_method, filled, query, headers))
            assert found is not None
            other = operations[found]
            same = (other.uri, other.http_method) == (operation.uri, operation.http_method)
            assert found == operation.name or same, (service, operation.name, found)
