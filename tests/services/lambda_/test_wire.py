"""Requests as no SDK sends them, and answers as no SDK shows them: the bytes themselves."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.services.lambda_.calls import create, new
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from tests.conftest import Server

FUNCTIONS = "/2015-03-31/functions"


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(lambent: Server, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Send a signed request with exactly these bytes."""
    request = AWSRequest(method, f"{lambent.endpoint}{path}", data=body, headers=headers)
    SigV4Auth(Credentials("test", "test"), "lambda", "us-east-1").add_auth(request)
    signed = dict(request.headers.items())
    prepared = urllib.request.Request(request.url, body if method != "GET" else None, signed, method=method)
    try:
        with urllib.request.urlopen(prepared) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def creation(**members: Any) -> bytes:
    body = {**new("f"), "Code": {"ZipFile": b64encode(package("echo")).decode()}, **members}
    return json.dumps(body).encode()


def nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(nulls(part) for part in value.values())
    return value is None or (isinstance(value, list) and any(nulls(part) for part in value))


def test_a_member_that_is_null_is_as_one_that_is_not_there(lambent: Server) -> None:
    answer = send(lambent, "POST", FUNCTIONS, creation(Environment=None, Layers=None, VpcConfig=None, Timeout=None))
    assert answer.status == 201, answer.body
    assert "Environment" not in answer.json
    assert answer.json["Timeout"] == 3


def test_members_that_lambda_does_not_know_are_ignored(lambent: Server) -> None:
    assert send(lambent, "POST", FUNCTIONS, creation(Colour="green")).status == 201


def test_no_answer_has_a_null(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f")
    for path in (f"{FUNCTIONS}/f", f"{FUNCTIONS}/f/configuration", f"{FUNCTIONS}/"):
        answer = send(lambent, "GET", path)
        assert answer.status == 200, answer.body
        assert not nulls(answer.json)
        assert answer.headers["Content-Type"] == "application/json"
    answer = send(lambent, "PUT", f"{FUNCTIONS}/f/configuration", b'{"Timeout": 5}')
    assert not nulls(answer.json)


def test_a_package_that_is_not_base64_is_refused(lambent: Server) -> None:
    answer = send(lambent, "POST", FUNCTIONS, creation(Code={"ZipFile": "this is not base64!"}))
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "SerializationException"


@pytest.mark.parametrize("body", [b"not json", b'{"FunctionName": ', b"[]", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(lambent: Server, body: bytes) -> None:
    answer = send(lambent, "POST", FUNCTIONS, body)
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "SerializationException"


def test_an_invocation_without_body_and_headers_gets_an_empty_event(lambent: Server) -> None:
    create(lambent.client("lambda"), "f")
    answer = send(lambent, "POST", f"{FUNCTIONS}/f/invocations")
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert answer.headers["X-Amz-Function-Error"] is None
    assert answer.headers["X-Amz-Log-Result"] is None


def test_the_request_id_is_one_everywhere(lambent: Server) -> None:
    create(lambent.client("lambda"), "f", "request_id")
    answer = send(lambent, "POST", f"{FUNCTIONS}/f/invocations", b"{}")
    assert answer.json == answer.headers["x-amzn-RequestId"]


def test_a_failure_of_the_function_is_a_success_of_the_call(lambent: Server) -> None:
    create(lambent.client("lambda"), "f", "raises")
    answer = send(lambent, "POST", f"{FUNCTIONS}/f/invocations", b"{}", **{"X-Amz-Log-Type": "Tail"})
    assert answer.status == 200
    assert answer.headers["X-Amz-Function-Error"] == "Unhandled"
    assert answer.headers["X-Amz-Log-Result"]
    assert answer.json["errorType"] == "Exception"


def test_a_function_name_may_be_escaped(lambent: Server) -> None:
    create(lambent.client("lambda"), "f")
    arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A%24LATEST"
    answer = send(lambent, "GET", f"{FUNCTIONS}/{arn}/configuration")
    assert answer.status == 200, answer.body
    assert answer.json["FunctionArn"].endswith(":function:f:$LATEST")


def test_an_event_of_seven_megabytes_is_refused(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f")
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.invoke(FunctionName="f", Payload=b'"' + b"a" * 7_000_000 + b'"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"


def test_a_request_over_seventy_megabytes_is_refused(lambent: Server) -> None:
    client = lambent.client("lambda")
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.create_function(**new("f", Code={"ZipFile": bytes(53_000_000)}))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert "Request must be smaller than 70167211 bytes for the CreateFunction operation" in str(caught.value)
