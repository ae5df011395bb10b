"""Bad input of every kind gets AWS's error, and the server goes on."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support import ROLE, RUNTIME, archive, create

if TYPE_CHECKING:
    from tests.conftest import Server

ECHO = {"app.py": "def handler(event, context):\n    return event\n"}


def raised(operation: Any, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        operation(**request)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


def exchange(server: Server, data: bytes) -> bytes:
    """What the server answers to raw bytes, until it hangs up."""
    parts = urlsplit(server.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_two_hundred_functions_are_created_called_and_listed(lambent: Server) -> None:
    functions = lambent.client("lambda")

    def one(number: int) -> None:
        code = f"def handler(event, context):\n    return {number}\n"
        create(functions, f"f{number:03}", {"app.py": code}, "app.handler")
        assert json.loads(functions.invoke(FunctionName=f"f{number:03}")["Payload"].read()) == number

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(200)))
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 50})
    assert [entry["FunctionName"] for page in pages for entry in page["Functions"]] == [f"f{n:03}" for n in range(200)]


def test_fifty_clients_at_once_each_get_their_own_answer(lambent: Server) -> None:
    create(lambent.client("lambda"), "echo", ECHO, "app.handler")

    def one(number: int) -> list[Any]:
        functions = lambent.client("lambda")
        return [
            json.loads(functions.invoke(FunctionName="echo", Payload=json.dumps([number, turn]))["Payload"].read())
            for turn in range(10)
        ]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers == [[[number, turn] for turn in range(10)] for number in range(50)]


def test_bad_input_is_answered_as_aws_answers_it(lambent: Server) -> None:
    functions = lambent.client("lambda")
    create(functions, "echo", ECHO, "app.handler")

    def make(**changes: Any) -> tuple[str, int, str]:
        request = {
            "FunctionName": "bad",
            "Runtime": RUNTIME,
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": archive(ECHO)},
        }
        return raised(functions.create_function, **request | changes)

    assert make(Code={"ZipFile": b"not a zip"})[:2] == ("InvalidParameterValueException", 400)
    assert make(Code={"ZipFile": archive({"../out.py": "x"})})[:2] == ("InvalidParameterValueException", 400)
    assert make(FunctionName="bad name!")[:2] == ("ValidationException", 400)
    assert make(Role="nobody")[:2] == ("ValidationException", 400)
    assert make(Runtime="cobol1.0")[:2] == ("InvalidParameterValueException", 400)
    assert make(FunctionName="echo")[:2] == ("ResourceConflictException", 409)
    assert raised(functions.invoke, FunctionName="echo", Payload=b"{nonsense")[:2] == (
        "InvalidRequestContentException",
        400,
    )
    assert raised(functions.invoke, FunctionName="echo", Payload=b'"' + b"x" * 7_000_000 + b'"')[:2] == (
        "RequestEntityTooLargeException",
        413,
    )
    assert raised(functions.invoke, FunctionName="nobody")[:2] == ("ResourceNotFoundException", 404)
    assert [entry["FunctionName"] for entry in functions.list_functions()["Functions"]] == ["echo"]
    assert functions.invoke(FunctionName="echo", Payload=b"[1]")["Payload"].read() == b"[1]"


def test_wrong_credentials_are_refused(lambent: Server) -> None:
    code, status, message = raised(lambent.client("lambda", aws_secret_access_key="wrong").list_functions)
    assert (code, status) == ("InvalidSignatureException", 403)
    assert message.startswith("The request signature we calculated does not match the signature you provided.")
    code, status, _ = raised(lambent.client("lambda", aws_access_key_id="AKIAUNKNOWNUNKNOWN00").list_functions)
    assert (code, status) == ("UnrecognizedClientException", 403)
    code, status, _ = raised(lambent.client("sts", aws_secret_access_key="wrong").get_caller_identity)
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    code, status, _ = raised(lambent.client("iam", aws_access_key_id="AKIAUNKNOWNUNKNOWN00").list_roles)
    assert (code, status) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize(
    "data",
    [
        b"GET",
        b"POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_broken_and_half_sent_requests_never_stop_the_server(shared_lambent: Server, data: bytes) -> None:
    answer = exchange(shared_lambent, data)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert shared_lambent.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_every_interrupted_prefix_of_a_real_request_is_harmless(shared_lambent: Server) -> None:
    whole = (
        b"POST /2015-03-31/functions/nobody/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 13\r\nConnection: close\r\n\r\n" + b'{"name":"me"}'
    )
    for length in range(0, len(whole), 7):
        exchange(shared_lambent, whole[:length])
    assert exchange(shared_lambent, whole).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(
    ("service", "method", "operation"),
    [
        ("s3", "list_buckets", "ListBuckets"),
        ("apigateway", "get_rest_apis", "GetRestApis"),
        ("dynamodb", "list_tables", "ListTables"),
        ("ec2", "describe_vpcs", "DescribeVpcs"),
        ("cloudwatch", "list_metrics", "ListMetrics"),
        ("iam", "list_users", "ListUsers"),
    ],
)
def test_what_is_not_built_is_named_in_every_protocol(
    shared_lambent: Server, service: str, method: str, operation: str
) -> None:
    code, status, message = raised(getattr(shared_lambent.client(service), method))
    assert (code, status) == ("NotImplemented", 501)
    assert message == f"{service}:{operation} is not built in Lambent yet."
