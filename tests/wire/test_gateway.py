"""The gateway over real sockets: unmodified boto3 clients and raw requests against services made for the purpose."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError

from lambent.kernel import limits
from lambent.kernel.body import WholeBody
from lambent.kernel.clock import SystemClock, settle
from lambent.kernel.doors import Doors
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SystemIds
from lambent.kernel.service import Service
from lambent.kernel.settings import Settings
from lambent.services.sts.authority import SessionAuthority
from lambent.store.blobs import Blobs
from lambent.wire.gateway import Gateway
from lambent.wire.http import HttpRequest
from lambent.wire.links import CodeLinks
from lambent.wire.models import Models
from tests.wire.raw import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lambent.kernel.call import Call, Request, Response
    from tests.wire.raw import Answer, RawServer

MODELS = Models()
CALLS: list[tuple[Call[Any], Request]] = []


async def invoke(call: Call[Any], request: Request) -> Response:
    CALLS.append((call, request))
    return {"StatusCode": 200, "Payload": request.get("Payload", b"null"), "ExecutedVersion": "$LATEST"}


async def get_function(_call: Call[Any], request: Request) -> Response:
    raise AwsError("ResourceNotFoundException", f"Function not found: {request['FunctionName']}")


async def list_functions(_call: Call[Any], _request: Request) -> Response:
    raise ZeroDivisionError("a bug in an operation")


async def invoke_async(_call: Call[Any], request: Request) -> Response:
    body = request["InvokeArgs"]
    received = [data async for data in body]
    return {"Status": 202 if b"".join(received) == b"streamed" * 1000 else 500}


async def get_caller_identity(call: Call[Any], _request: Request) -> Response:
    CALLS.append((call, {}))
    return {"Account": call.account, "Arn": call.principal.arn, "UserId": call.principal.user_id}


async def put_metric_data(call: Call[Any], request: Request) -> None:
    CALLS.append((call, request))


async def describe_log_groups(_call: Call[Any], _request: Request) -> Response:
    return {"logGroups": []}


async def put_object(_call: Call[Any], request: Request) -> Response:
    data = b"".join([part async for part in request["Body"]])
    return {"ETag": hashlib.sha256(data).hexdigest()}


async def get_object(_call: Call[Any], request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one", b"two", b"three"):
            yield part

    return {"Body": parts(), "ContentLength": 11 if request["Key"] == "known" else None}


async def start_live_tail(_call: Call[Any], request: Request) -> Response:
    async def events() -> AsyncIterator[Response]:
        yield {"sessionStart": {"requestId": "r", "sessionId": request["logGroupIdentifiers"][0]}}
        raise AwsError("SessionTimeoutException", "too long")

    return {"responseStream": events()}


async def assume_role_with_web_identity(call: Call[Any], _request: Request) -> Response:
    CALLS.append((call, {}))
    return {}


SERVICES = (
    Service(
        name="lambda",
        operations=(invoke, get_function, list_functions, invoke_async),
        parts="the parts of lambda",
        refused={"PutFunctionCodeSigningConfig": "there is nothing to sign with."},
    ),
    Service(name="sts", operations=(get_caller_identity, assume_role_with_web_identity), parts=None),
    Service(name="logs", operations=(describe_log_groups, start_live_tail), parts=None),
    Service(name="cloudwatch", operations=(put_metric_data,), parts=None),
    Service(name="s3", operations=(get_object, put_object), parts=None),
)


def make(folder: Path, doors: Doors | None = None) -> Gateway:
    clock, ids, config = SystemClock(), SystemIds(), Settings(port=4566)
    CALLS.clear()
    return Gateway(
        services=SERVICES,
        models=MODELS,
        authority=SessionAuthority(config, clock, ids, bytes(32)),
        doors=doors or Doors(),
        links=CodeLinks(bytes(32), clock),
        blobs=Blobs(folder, clock),
        clock=clock,
        ids=ids,
        settings=config,
        facts={"sandbox": "process"},
        pages={},
    )


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[RawServer]:
    async with serving(make(folder).handle) as server:
        yield server


def client(server: RawServer, service: str, key: str = "test", secret: str = "test", **options: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}).merge(
        options.pop("config", Config())
    )
    return boto3.session.Session().client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="eu-west-3",
        config=config,
        **options,
    )


async def ask(work: Callable[..., Any], **arguments: Any) -> Any:
    """Run a blocking client call on a thread."""
    return await asyncio.to_thread(work, **arguments)


async def failure(work: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as raised:
        await ask(work, **arguments)
    return raised.value.response


async def plain(server: RawServer, head: str, body: bytes = b"", host: str = "localhost") -> Answer:
    """One request as it stands."""
    return await (await server.connect()).ask(raw(f"{head}\nHost: {host}\nContent-Length: {len(body)}") + body)


def raw(head: str) -> bytes:
    """The bytes of a head that is given as `METHOD target` and lines of headers."""
    first, *lines = head.split("\n")
    return "\r\n".join([f"{first} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def signed(server: RawServer, service: str, method: str, path: str, body: bytes, **headers: str) -> str:
    request = AWSRequest(method, f"http://localhost:{server.port}{path}", headers, body)
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer(Credentials("test", "test"), service, "us-east-1").add_auth(request)
    return "\n".join([f"{method} {path}", *[f"{name}: {value}" for name, value in request.headers.items()]])


async def test_a_signed_call_reaches_its_operation_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        answer = await ask(client(server, "lambda").invoke, FunctionName="hello", Payload=b'{"a": 1}')
        assert await ask(answer["Payload"].read) == b'{"a": 1}'
        call, request = CALLS[0]
        assert request == {"FunctionName": "hello", "Payload": b'{"a": 1}'}
        assert (call.parts, call.operation) == ("the parts of lambda", "Invoke")
        assert (call.account, call.region) == ("000000000000", "eu-west-3")
        assert call.principal.arn == "arn:aws:iam::000000000000:root"
        assert call.endpoint == f"http://127.0.0.1:{server.port}"
        assert call.request_id == answer["ResponseMetadata"]["RequestId"]


async def test_a_name_that_is_an_arn_verifies_with_its_path_encoded_twice(tmp_path: Path) -> None:
    name = "arn:aws:lambda:us-east-1:000000000000:function:hello:PROD"
    async with gateway(tmp_path) as server:
        await ask(client(server, "lambda").invoke, FunctionName=name, Payload=b"{}")
    assert CALLS[0][1]["FunctionName"] == name


async def test_a_twelve_digit_key_acts_as_that_account(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        answer = await ask(client(server, "sts", "123456789012").get_caller_identity)
    assert answer["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("service", "method", "key", "secret", "code", "status"),
    [
        ("lambda", "list_functions", "test", "wrong", "InvalidSignatureException", 403),
        ("lambda", "list_functions", "nobody", "test", "UnrecognizedClientException", 403),
        ("logs", "describe_log_groups", "test", "wrong", "InvalidSignatureException", 400),
        ("logs", "describe_log_groups", "nobody", "test", "UnrecognizedClientException", 400),
        ("sts", "get_caller_identity", "test", "wrong", "SignatureDoesNotMatch", 403),
        ("sts", "get_caller_identity", "nobody", "test", "InvalidClientTokenId", 403),
    ],
)  # fmt: skip
async def test_wrong_credentials_are_refused_in_the_protocol(  # noqa: PLR0913, PLR0917, RUF100
    tmp_path: Path, service: str, method: str, key: str, secret: str, code: str, status: int
) -> None:
    async with gateway(tmp_path) as server:
        answer = await failure(getattr(client(server, service, key, secret), method))
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert not CALLS


async def test_a_call_that_is_not_signed_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        answer = await plain(server, "GET /2015-03-31/functions")
        assert answer.status == 403
        assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
        assert json.loads(answer.body) == {"message": "Missing Authentication Token"}
        answer = await plain(server, "GET /?Action=GetCallerIdentity&Version=2011-06-15")
        assert answer.status == 403
        assert b"<Code>MissingAuthenticationToken</Code>" in answer.body


async def test_an_operation_that_aws_takes_unsigned_is_taken(tmp_path: Path) -> None:
    form = (
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=me&WebIdentityToken=token"
        b"&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fx"
    )
    async with gateway(tmp_path) as server:
        head = "POST /\nContent-Type: application/x-www-form-urlencoded"
        assert (await plain(server, head, form)).status == 200
    call = CALLS[0][0]
    assert (call.region, call.principal.user_id) == ("us-east-1", "ANONYMOUS_PRINCIPAL")


async def test_errors_carry_the_request_id_of_the_answer(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        functions = client(server, "lambda")
        answer = await failure(functions.get_function, FunctionName="nope")
        assert answer["Error"]["Code"] == "ResourceNotFoundException"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert len(answer["ResponseMetadata"]["RequestId"]) == 36


async def test_a_bug_answers_500_and_is_logged_with_its_request_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path) as server:
        answer = await failure(client(server, "lambda").list_functions)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceException", 500)
    assert "a bug in an operation" not in json.dumps(answer, default=str)
    assert "ZeroDivisionError: a bug in an operation" in caplog.text
    assert answer["ResponseMetadata"]["RequestId"] in caplog.text


@pytest.mark.parametrize(
    ("service", "method", "named"),
    [
        ("lambda", "list_code_signing_configs", "lambda:ListCodeSigningConfigs is not built in Lambent yet."),
        ("s3", "list_buckets", "s3:ListBuckets is not built in Lambent yet."),
        ("dynamodb", "list_tables", "dynamodb:ListTables is not built in Lambent yet."),
        ("ec2", "describe_instances", "ec2:DescribeInstances is not built in Lambent yet."),
        ("sns", "list_topics", "sns:ListTopics is not built in Lambent yet."),
        ("stepfunctions", "list_state_machines", "stepfunctions:ListStateMachines is not built in Lambent yet."),
    ],
)
async def test_what_is_not_built_says_so_in_its_own_protocol(
    tmp_path: Path, service: str, method: str, named: str
) -> None:
    async with gateway(tmp_path) as server:
        answer = await failure(getattr(client(server, service), method))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["Error"]["Code"] == "NotImplemented"
    assert answer["Error"]["Message"] == named


async def test_what_is_refused_says_why(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        answer = await failure(
            client(server, "lambda").put_function_code_signing_config,
            FunctionName="f",
            CodeSigningConfigArn="arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
        )
    assert answer["Error"]["Message"].endswith("is not offered by Lambent: there is nothing to sign with.")


async def test_a_request_that_no_service_knows_is_answered(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        for head in (
            "PATCH /nonsense",
            "POST /\nX-Amz-Target: Nobody.Knows",
            "POST /service/No/operation/No\nSmithy-Protocol: rpc-v2-cbor",
        ):
            assert (await plain(server, head)).status in (400, 404)


# Bodies.


class Unread(WholeBody):
    """A body that nobody may ask for."""

    async def read(self, limit: int) -> bytes:
        raise AssertionError(f"{limit} bytes were asked for")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield await self.read(0)


@pytest.mark.parametrize(
    ("service", "path", "code"),
    [
        ("lambda", "/2015-03-31/functions/f/invocations", b"security token included in the request is invalid"),
        ("s3", "/bucket/key", b"<Code>InvalidAccessKeyId</Code>"),
        ("sts", "/", b"<Code>InvalidClientTokenId</Code>"),
        ("ec2", "/", b"<Code>AuthFailure</Code>"),
    ],
)
async def test_the_body_of_a_stranger_is_not_read(tmp_path: Path, service: str, path: str, code: bytes) -> None:
    kind = "application/x-www-form-urlencoded" if path == "/" else "application/octet-stream"
    request = AWSRequest("POST" if service != "s3" else "PUT", f"http://localhost{path}", {"Content-Type": kind}, b"x")
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer(Credentials("nobody", "test"), service, "us-east-1").add_auth(request)
    headers = [(name.lower(), value) for name, value in request.headers.items()]
    http = HttpRequest(request.method, path, "", [*headers, ("host", "localhost")], Unread())
    response = await make(tmp_path).handle(http)
    assert response.status in (401, 403)
    assert isinstance(response.body, bytes)
    assert code in response.body


async def test_a_form_that_nobody_signed_is_short(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        head = "POST /\nContent-Type: application/x-www-form-urlencoded"
        answer = await plain(server, head, b"Action=" + b"x" * limits.UNSIGNED_BODY_BYTES)
    assert answer.status == 413


async def test_bodies_over_the_budget_are_answered_503_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_BODIES_BYTES", 1_000_000)
    async with gateway(tmp_path) as server:
        functions = client(server, "lambda")
        answer = await failure(functions.invoke, FunctionName="f", Payload=b" " * 1_000_001)
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceUnavailable", 503)
        for _ in range(3):
            await ask(functions.invoke, FunctionName="f", Payload=b" " * 999_999)
    assert len(CALLS) == 3


async def test_the_event_loop_neither_hashes_nor_reads_a_large_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[int] = []
    codec = MODELS.codec("cloudwatch", "PutMetricData", "json")
    read = codec.decode

    def watched(http: HttpRequest, body: bytes) -> Request:
        readers.append(threading.get_ident())
        return read(http, body)

    monkeypatch.setattr(codec, "decode", watched)
    target = {"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData"}
    async with gateway(tmp_path) as server:
        for size in (1, limits.LOOP_BYTES):
            body = json.dumps({"Namespace": "n", "MetricData": [{"MetricName": "m"}], "x": "y" * size}).encode()
            head = signed(server, "monitoring", "POST", "/", body, **target)
            assert (await plain(server, head, body, f"localhost:{server.port}")).status == 200
    loop, thread = readers
    assert loop == threading.get_ident() != thread


async def test_a_body_that_is_too_large_is_refused_in_the_words_of_lambda(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        payload = b'"' + b"x" * 7_000_000 + b'"'
        answer = await failure(client(server, "lambda").invoke, FunctionName="f", Payload=payload)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
        assert answer["Error"]["Code"] == "RequestEntityTooLargeException"
        limit = MODELS.codec("lambda", "Invoke", "rest-json").body_limit
        text = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        assert answer["Error"]["Message"] == text
        assert not CALLS
        payload = b'"' + b"x" * 6_000_000 + b'"'
        answer = await ask(client(server, "lambda").invoke, FunctionName="f", Payload=payload)
        assert await ask(answer["Payload"].read) == payload


async def test_a_refusal_of_a_large_body_comes_before_it_is_sent(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        connection = await server.connect()
        head = signed(server, "lambda", "POST", "/2015-03-31/functions/f/invocations", b"")
        await connection.send(raw(f"{head}\nHost: localhost\nExpect: 100-continue\nContent-Length: 99999999"))
        assert (await connection.answer()).status == 413


async def test_a_body_other_than_the_signed_one_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        path = "/2015-03-31/functions/f/invocations"
        host = f"localhost:{server.port}"
        head = signed(server, "lambda", "POST", path, b'{"a":1}')
        assert (await plain(server, head, b'{"a":1}', host)).status == 200
        answer = await plain(server, head, b'{"a":2}', host)
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
        digest = hashlib.sha256(b'{"a":1}').hexdigest()
        declared = signed(server, "lambda", "POST", path, b'{"a":1}', **{"X-Amz-Content-SHA256": digest})
        assert (await plain(server, declared, b'{"a":1}', host)).status == 200
        assert (await plain(server, declared, b'{"a":2}', host)).status == 403
        unsigned = signed(server, "lambda", "POST", path, b"", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
        assert (await plain(server, unsigned, b'{"a":3}', host)).status == 200


async def test_a_streamed_member_is_handed_on_and_held_to_its_hash(tmp_path: Path) -> None:
    body = b"streamed" * 1000
    async with gateway(tmp_path) as server:
        host = f"localhost:{server.port}"
        for headers in ({}, {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}):
            head = signed(server, "lambda", "POST", "/2014-11-13/functions/f/invoke-async", body, **headers)
            assert (await plain(server, head, body, host)).status == 202
            answer = await plain(server, head, b"Streamed" * 1000, host)
            assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")


async def test_s3_uploads_are_read_in_every_way_that_boto3_sends_them(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4000
    expected = hashlib.sha256(body).hexdigest()
    async with gateway(tmp_path) as server:
        for options, arguments in [
            ({}, {}),
            ({}, {"ChecksumAlgorithm": "SHA256"}),
            ({}, {"ChecksumAlgorithm": "CRC64NVME"}),
            ({"s3": {"payload_signing_enabled": False}}, {}),
        ]:
            store = client(server, "s3", config=Config(**options))
            answer = await ask(store.put_object, Bucket="b", Key="a/b c~é", Body=body, **arguments)
            assert answer["ETag"] == expected
        head = signed(server, "s3", "PUT", "/b/k", body)
        answer = await plain(server, head, body[:-1] + b"x", f"localhost:{server.port}")
        assert (answer.status, b"<Code>XAmzContentSHA256Mismatch</Code>" in answer.body) == (400, True)


async def test_a_presigned_upload_needs_no_hash(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        url = client(server, "s3").generate_presigned_url("put_object", {"Bucket": "b", "Key": "k"})
        path = url.split(f":{server.port}", 1)[1]
        answer = await plain(server, f"PUT {path}", b"hello", f"127.0.0.1:{server.port}")
        assert (answer.status, answer.headers["etag"]) == (200, hashlib.sha256(b"hello").hexdigest())
        answer = await plain(server, f"PUT {path}x", b"hello", f"127.0.0.1:{server.port}")
        assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True)


async def test_compressed_requests_are_inflated(tmp_path: Path) -> None:
    data = [{"MetricName": f"metric-{n}", "Value": 1.0} for n in range(500)]
    config = Config(request_min_compression_size_bytes=100)
    async with gateway(tmp_path) as server:
        metrics = client(server, "cloudwatch", config=config)
        sent: list[Any] = []
        metrics.meta.events.register("before-send.*.*", lambda request, **_: sent.append(request.headers))
        await ask(metrics.put_metric_data, Namespace="n", MetricData=data)
        assert sent[0]["Content-Encoding"] == b"gzip"
        assert [datum["MetricName"] for datum in CALLS[0][1]["MetricData"]] == [datum["MetricName"] for datum in data]


async def test_a_bomb_and_an_unknown_coding_are_refused(tmp_path: Path) -> None:
    path = "/2015-03-31/functions/f/invocations"
    async with gateway(tmp_path) as server:
        host = f"localhost:{server.port}"
        bomb = gzip.compress(bytes(100 * limits.MIB))
        head = signed(server, "lambda", "POST", path, bomb, **{"Content-Encoding": "gzip"})
        assert (await plain(server, head, bomb, host)).status == 413
        head = signed(server, "lambda", "POST", path, b"{}", **{"Content-Encoding": "br"})
        assert (await plain(server, head, b"{}", host)).status == 415
        head = signed(server, "lambda", "POST", path, b"{}", **{"Content-Encoding": "gzip"})
        assert (await plain(server, head, b"{}", host)).status == 400


async def test_a_form_that_cannot_be_read_is_refused_before_its_operation_is_known(tmp_path: Path) -> None:
    head = "POST /\nContent-Type: application/x-www-form-urlencoded"
    async with gateway(tmp_path) as server:
        answer = await plain(server, f"{head}\nContent-Encoding: gzip", b"Action=GetCallerIdentity")
        assert (answer.status, b"<Code>SerializationException</Code>" in answer.body) == (400, True)
        for coding, body in (("identity", bytes(17 * limits.MIB)), ("gzip", gzip.compress(bytes(17 * limits.MIB)))):
            answer = await plain(server, f"{head}\nContent-Encoding: {coding}", body)
            assert (answer.status, b"<Code>RequestEntityTooLarge</Code>" in answer.body) == (413, True)


# Ways to name a service.


@pytest.mark.parametrize("host", ["sts.us-east-1.amazonaws.com", "sts.localhost:4566", "localhost"])
async def test_a_query_call_by_get_is_answered(tmp_path: Path, host: str) -> None:
    async with gateway(tmp_path) as server:
        request = AWSRequest("GET", f"http://{host}/?Action=GetCallerIdentity&Version=2011-06-15")
        botocore.auth.SigV4QueryAuth(Credentials("test", "test"), "sts", "us-west-2").add_auth(request)
        answer = await plain(server, f"GET {request.url.split(host, 1)[1]}", b"", host)
        assert (answer.status, b"<Account>000000000000</Account>" in answer.body) == (200, True)
    call = CALLS[0][0]
    assert (call.region, call.endpoint) == ("us-west-2", f"http://{host}")


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "a?b"])
async def test_a_host_that_is_no_address_never_gets_into_links(tmp_path: Path, host: str) -> None:
    async with gateway(tmp_path) as server:
        answer = await plain(server, "GET /_lambent/health", b"", host)
        assert answer.status in (400, 403)
    handler = server.server.handler
    assert handler.__self__._endpoint(f"localhost{host}") == "http://127.0.0.1:4566"  # type: ignore[attr-defined]


# Lambent's own pages.


async def test_health_tells_what_is_served(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        answer = await plain(server, "GET /_lambent/health")
        assert answer.headers["content-type"] == "application/json"
        health = json.loads(answer.body)
        assert health["status"] == "ok"
        assert health["services"] == ["cloudwatch", "lambda", "logs", "s3", "sts"]
        assert health["sandbox"] == "process"
        assert set(health) == {"status", "version", "sandbox", "services"}
        assert (await plain(server, "POST /_lambent/health")).status == 405
        for path in ("/_lambent/", "/_lambent/nothing", "/_lambent/healthy", "/_lambent/health/x"):
            answer = await plain(server, f"GET {path}")
            assert (answer.status, json.loads(answer.body)) == (404, {"message": "Not Found"})


@pytest.mark.parametrize("key", ["known", "unknown"])
async def test_a_body_may_be_streamed_back_with_and_without_a_length(tmp_path: Path, key: str) -> None:
    async with gateway(tmp_path) as server:
        objects = client(server, "s3")
        for _ in range(2):
            answer = await ask(objects.get_object, Bucket="bucket", Key=key)
            assert await ask(answer["Body"].read) == b"onetwothree"
            assert answer.get("ContentLength") == (11 if key == "known" else None)


async def test_a_stream_of_events_ends_with_an_error_of_the_model(tmp_path: Path) -> None:
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:g"
    async with gateway(tmp_path) as server:
        logs = client(server, "logs", config=Config(inject_host_prefix=False))
        answer = await ask(logs.start_live_tail, logGroupIdentifiers=[arn])
        events = answer["responseStream"]
        start = await asyncio.to_thread(next, iter(events))
        assert start == {"sessionStart": {"requestId": "r", "sessionId": arn}}
        with pytest.raises(EventStreamError, match="SessionTimeoutException"):
            await asyncio.to_thread(list, events)
        events.close()


async def test_the_access_log_names_the_call_but_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lambent")
    async with gateway(tmp_path) as server:
        url = client(server, "sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
        answer = await plain(server, f"GET /{url.split('/', 3)[3]}", b"", f"127.0.0.1:{server.port}")
        assert answer.status == 200
        await plain(server, f"GET /nothing?{url.partition('?')[2]}")
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("lambent"))
    assert "GET sts:GetCallerIdentity 200" in text
    assert answer.headers["x-amzn-requestid"] in text
    assert "X-Amz-Signature" not in text


async def test_a_client_that_leaves_mid_body_leaves_the_server_standing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as server:
        connection = await server.connect()
        head = signed(server, "lambda", "POST", "/2015-03-31/functions/f/invocations", b"")
        await connection.send(raw(f"{head}\nHost: localhost\nContent-Length: 5000000") + b"half")
        await settle()
        connection.writer.transport.abort()
        await ask(client(server, "lambda").invoke, FunctionName="hello")
    assert len(CALLS) == 1
