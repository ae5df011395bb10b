"""Web requests to function URLs: the events that they become, the answers that come of them, and who is let in."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import arn, create, own_client, publish
from tests.services.lambda_.durables import real_now, stage
from tests.services.lambda_.visits import permit, publish_url, visit
from tests.support import server_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server
    from tests.services.lambda_.visits import Answer

NAME = re.compile(r"http://([0-9a-z]{32})\.lambda-url\.us-east-1\.localhost:(\d+)/")
FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


@pytest.fixture(scope="module")
def echo(shared_lambent: Server) -> str:
    """The URL of a function that answers its event."""
    client = own_client(shared_lambent)
    create(client, "f")
    return publish_url(client)


@pytest.fixture(scope="module")
def returns(shared_lambent: Server) -> str:
    """The URL of a function that answers what the body of the request says."""
    client = own_client(shared_lambent)
    create(client, "f", "returns")
    return publish_url(client)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(made, "f")
    return made


def event(server: Server, url: str, target: str = "/", **request: Any) -> dict[str, Any]:
    """The event that a request becomes."""
    answer = visit(server, url, target, **request)
    assert answer.status == 200, answer
    seen: dict[str, Any] = answer.json()
    return seen


def returned(server: Server, url: str, value: Any) -> Answer:
    """What the URL answers where its function returns `value`."""
    return visit(server, url, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def account(client: Any) -> str:
    arn: str = client.get_function_configuration(FunctionName="f")["FunctionArn"]
    return arn.split(":")[4]


# The event.


def test_the_event_is_that_of_payload_format_2(shared_lambent: Server, echo: str) -> None:
    before = int(time.time() * 1000)
    headers = {"User-Agent": "test/1", "Content-Type": "text/plain", "X-Two": "a", "Cookie": "one=1; two=2"}
    answer = visit(shared_lambent, echo, "/a/b?c=d&c=e&f", headers=headers, body=b"text")
    found = NAME.fullmatch(echo)
    assert found is not None
    name, port = found.groups()
    seen = answer.json()
    context = seen["requestContext"]
    moment = context.pop("timeEpoch")
    assert before <= moment <= int(time.time() * 1000)
    assert context.pop("time") == time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment // 1000))
    trace = seen["headers"].pop("x-amzn-trace-id")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    assert answer.headers["X-Amzn-Trace-Id"] == f"{trace};Sampled=0"
    assert seen == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a/b",
        "rawQueryString": "c=d&c=e&f",
        "cookies": ["one=1", "two=2"],
        "headers": {
            "host": f"{name}.lambda-url.us-east-1.localhost:{port}",
            "user-agent": "test/1",
            "content-type": "text/plain",
            "content-length": "4",
            "x-two": "a",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": port,
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"c": "d,e", "f": ""},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": name,
            "domainName": f"{name}.lambda-url.us-east-1.localhost",
            "domainPrefix": name,
            "http": {
                "method": "POST",
                "path": "/a/b",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test/1",
            },
            "requestId": answer.headers["x-amzn-RequestId"],
            "routeKey": "$default",
            "stage": "$default",
        },
        "body": "text",
        "isBase64Encoded": False,
    }


def test_what_a_request_does_not_have_its_event_does_not_have(shared_lambent: Server, echo: str) -> None:
    seen = event(shared_lambent, echo, method="GET")
    assert seen["rawQueryString"] == ""
    assert seen["isBase64Encoded"] is False
    assert not {"body", "cookies", "queryStringParameters"} & set(seen)
    assert seen["requestContext"]["http"]["userAgent"] == ""


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_function(shared_lambent: Server, echo: str, method: str) -> None:
    assert event(shared_lambent, echo, method=method)["requestContext"]["http"]["method"] == method


def test_head_is_answered_without_a_body(shared_lambent: Server, echo: str) -> None:
    answer = visit(shared_lambent, echo, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


@pytest.mark.parametrize(
    "path", ["//", "/../../etc/passwd", "/%2e%2e/%00", "/a%2Fb%zz", "/_lambent/health", "/2015-03-31/functions/", "/é"]
)
def test_the_path_arrives_as_it_was_sent(shared_lambent: Server, echo: str, path: str) -> None:
    sent = path.replace("é", "%C3%A9")
    assert event(shared_lambent, echo, sent, method="GET")["rawPath"] == sent


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("a=1&b=2&a=3", {"a": "1,3", "b": "2"}),
        ("a+b=c%2Bd&%C3%A9=%E2%82%AC", {"a b": "c+d", "é": "€"}),
        ("a&b=", {"a": "", "b": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%zz&b=%ff", {"a": "%zz", "b": "\ufffd"}),
    ],
)
def test_parameters_are_decoded_and_joined(
    shared_lambent: Server, echo: str, query: str, parameters: dict[str, str]
) -> None:
    seen = event(shared_lambent, echo, f"/?{query}", method="GET")
    assert (seen["rawQueryString"], seen["queryStringParameters"]) == (query, parameters)


def test_headers_between_two_machines_stay_there(shared_lambent: Server, echo: str) -> None:
    headers = {
        "Connection": "keep-alive, TE",
        "TE": "trailers",
        "Keep-Alive": "timeout=5",
        "Proxy-Authorization": "Basic x",
        "Authorization": "Bearer mine",
    }
    seen = event(shared_lambent, echo, method="GET", headers=headers)["headers"]
    assert not {"connection", "te", "keep-alive", "proxy-authorization"} & set(seen)
    assert seen["authorization"] == "Bearer mine"


def test_repeated_headers_are_one(shared_lambent: Server, echo: str) -> None:
    with raw(shared_lambent) as connection:
        host = echo.split("/")[2]
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=b\r\nCookie: c=d; e\r\n\r\n"
        connection.sendall(head.encode())
        seen = json.loads(whole(connection)[1])
    assert seen["headers"]["x-a"] == "1,2"
    assert seen["cookies"] == ["a=b", "c=d", "e"]


def test_the_client_may_have_come_through_others(shared_lambent: Server, echo: str) -> None:
    trace = "Root=1-5f84c7a9-0e5b1e1e2fadd2c62f0a1ea4"
    headers = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "gopher",
        "X-Amzn-Trace-Id": f"Self=1-1-1;{trace};Parent=53995c3f42cd8ad8",
    }
    answer = visit(shared_lambent, echo, headers=headers)
    seen = answer.json()
    assert seen["headers"]["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-amzn-trace-id"] == trace
    assert seen["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert answer.headers["X-Amzn-Trace-Id"] == f"{trace};Sampled=0"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain", b"a", True),
        ("text/html; charset=utf-8", "ü".encode(), True),
        ("application/json", b"{}", True),
        ("Application/JSON;charset=UTF-8", b"{}", True),
        ("application/problem+json", b"{}", True),
        ("image/svg+xml", b"<svg/>", True),
        ("application/javascript", b"0", True),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("multipart/form-data; boundary=a", b"--a--", False),
        ("image/png", b"\x89PNG\0", False),
        ("text/plain", b"\xff\xfe", False),
        (None, b"a", False),
    ],
)
def test_a_body_that_is_no_text_is_in_base64(
    shared_lambent: Server, echo: str, kind: str | None, body: bytes, text: bool
) -> None:
    seen = event(shared_lambent, echo, body=body, headers={} if kind is None else {"Content-Type": kind})
    assert seen["isBase64Encoded"] is not text
    assert seen["body"] == (body.decode() if text else base64.b64encode(body).decode())


def test_a_path_of_the_endpoint_leads_to_the_same_function(shared_lambent: Server, echo: str) -> None:
    found = NAME.fullmatch(echo)
    assert found is not None
    answer = visit(shared_lambent, shared_lambent.endpoint, f"/_lambent/lambda-url/{found[1]}/a/b?c", method="GET")
    seen = answer.json()
    assert (seen["rawPath"], seen["rawQueryString"]) == ("/a/b", "c")
    assert seen["requestContext"]["domainName"] == f"{found[1]}.lambda-url.us-east-1.localhost"
    assert seen["headers"]["host"] == shared_lambent.endpoint.removeprefix("http://")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")


def test_the_invocation_is_one_in_the_log(shared_lambent: Server, client: Any) -> None:
    url = publish_url(client)
    request_id = visit(shared_lambent, url).headers["x-amzn-RequestId"]
    logs = shared_lambent.client("logs", aws_access_key_id=account(client))
    for _ in range(1000):
        events = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="REPORT")["events"]
        if events:
            break
    assert [f"REPORT RequestId: {request_id}\t" in line["message"] for line in events] == [True]


# The answer.


def test_a_function_decides_status_headers_cookies_and_body(shared_lambent: Server, returns: str) -> None:
    answer = returned(
        shared_lambent,
        returns,
        {
            "statusCode": 201,
            "headers": {"X-Text": "a", "x-number": 1.5, "x-truth": True, "x-none": None, "content-type": "text/html"},
            "cookies": ["a=1; HttpOnly", "b=2"],
            "body": "ü",
        },
    )
    assert (answer.status, answer.body.decode()) == (201, "ü")
    assert answer.headers.get_all("Set-Cookie") == ["a=1; HttpOnly", "b=2"]
    assert [answer.headers[name] for name in ("x-text", "x-number", "x-truth", "x-none")] == ["a", "1.5", "true", None]
    assert answer.headers.get_all("content-type") == ["text/html"]


def test_a_body_in_base64_is_decoded(shared_lambent: Server, returns: str) -> None:
    body = base64.b64encode(b"\x89PNG\0\xff").decode()
    answer = returned(shared_lambent, returns, {"statusCode": 200, "body": body, "isBase64Encoded": True})
    assert answer.body == b"\x89PNG\0\xff"


def test_headers_of_the_front_door_are_renamed(shared_lambent: Server, returns: str) -> None:
    given = {
        "WWW-Authenticate": "Basic",
        "Content-Length": "999",
        "Transfer-Encoding": "chunked",
        "Connection": "close",
        "Date": "yesterday",
        "Server": "mine",
        "x-amzn-RequestId": "my own",
        "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
    }
    answer = returned(shared_lambent, returns, {"statusCode": 401, "headers": given, "body": "no"})
    assert (answer.status, answer.body) == (401, b"no")
    for name, value in given.items():
        assert answer.headers[f"x-amzn-remapped-{name}"] == value
        assert value not in answer.headers.get_all(name, [])
    assert answer.headers["Content-Length"] == "2"


def test_what_is_beyond_ascii_in_a_header_is_utf_8(shared_lambent: Server, returns: str) -> None:
    answer = returned(shared_lambent, returns, {"statusCode": 200, "headers": {"x-name": "Zoë €"}})
    assert answer.headers["x-name"].encode("latin-1").decode() == "Zoë €"


@pytest.mark.parametrize("status", [200, 204, 299, 302, 304, 404, 500, 599, "404", 404.0])
def test_any_status_may_be_answered(shared_lambent: Server, returns: str, status: Any) -> None:
    answer = returned(shared_lambent, returns, {"statusCode": status})
    assert (answer.status, answer.body) == (int(status), b"")


@pytest.mark.parametrize("value", [None, {}, [], "", {"body": "a"}, {"status_code": 404}], ids=json.dumps)
def test_what_does_not_name_a_status_is_the_body(shared_lambent: Server, returns: str, value: Any) -> None:
    answer = returned(shared_lambent, returns, value)
    expected = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    assert (answer.status, answer.body.decode()) == (200, expected)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": None},
        {"statusCode": "OK"},
        {"statusCode": "١٢٣"},
        {"statusCode": [200]},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": 100},
        {"statusCode": 0},
        {"statusCode": 600},
        {"statusCode": -200},
        {"statusCode": 10**400},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": 7},
        {"statusCode": 200, "body": "***", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": {"a": "\x00"}},
        {"statusCode": 200, "headers": {f"x-{number}": "" for number in range(limits.URL_HEADERS)}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "cookies": ["a=b\nc=d"]},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_makes_no_answer_is_a_failure_of_the_function(shared_lambent: Server, returns: str, value: Any) -> None:
    answer = returned(shared_lambent, returns, value)
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    assert answer.headers["x-amzn-RequestId"]


def test_the_servers_log_tells_what_was_wrong_with_an_answer(
    shared_lambent: Server, returns: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lambent.services.lambda_.urls.door")
    answer = returned(shared_lambent, returns, {"statusCode": 200, "headers": {"a b": "c"}})
    told = [record.getMessage() for record in caplog.records if record.name == "lambent.services.lambda_.urls.door"]
    assert len(told) == 1
    assert told[0].endswith(f"answers 502, request {answer.headers['x-amzn-RequestId']}: the header 'a b'")


def test_a_function_that_takes_too_long_has_failed(shared_lambent: Server) -> None:
    client = own_client(shared_lambent)
    create(client, "f", "sleeps", Timeout=1)
    answer = visit(shared_lambent, publish_url(client))
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_an_answer_of_several_megabytes_arrives_and_one_over_the_limit_does_not(
    shared_lambent: Server, client: Any
) -> None:
    create(client, "g", "web_large")
    url = publish_url(client, "g")
    answer = visit(shared_lambent, url, "/?5000000")
    assert (answer.status, len(answer.body)) == (200, 5_000_000)
    answer = visit(shared_lambent, url, f"/?{limits.INVOKE_PAYLOAD_BYTES}")
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


# Sizes.


def test_a_request_may_be_as_large_as_an_event(shared_lambent: Server, echo: str) -> None:
    headers = {"Content-Type": "text/plain"}
    body = b"a" * 5_000_000
    assert event(shared_lambent, echo, body=body, headers=headers)["body"] == body.decode()


@pytest.mark.parametrize(
    ("kind", "size"),
    [("text/plain", limits.INVOKE_REQUEST_BYTES), ("image/png", 5_000_000), ("text/plain", 20_000_000)],
    ids=["text", "base64", "huge"],
)
def test_a_request_that_makes_too_large_an_event_is_refused(
    shared_lambent: Server, echo: str, kind: str, size: int
) -> None:
    with raw(shared_lambent) as connection:
        host = echo.split("/")[2]
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode())
        if size < limits.INVOKE_REQUEST_BYTES + 1:
            connection.sendall(bytes(size).replace(b"\0", b"a"))
        status, body = whole(connection)
    assert status == 413
    assert "Request must be smaller than 6291456 bytes" in json.loads(body)["message"]


# Who is let in.


def signed(url: str, target: str = "/", body: bytes = b"", **wrong: str) -> dict[str, str]:
    """The headers of a POST that the owner of an access key has signed."""
    values = {"key": "test", "secret": "test", "region": "us-east-1", "service": "lambda", "token": ""} | wrong
    request = AWSRequest("POST", url.rstrip("/") + target, data=body)
    credentials = Credentials(values["key"], values["secret"], values["token"] or None)
    SigV4Auth(credentials, values["service"], values["region"]).add_auth(request)
    return dict(request.headers.items())


def test_nobody_is_let_in_without_a_policy(shared_lambent: Server, client: Any) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    for headers in ({}, signed(url, key=account(client))):
        answer = visit(shared_lambent, url, headers=headers)
        assert (answer.status, answer.json()) == (403, {"Message": FORBIDDEN})
        assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    permit(client)
    assert visit(shared_lambent, url).status == 200
    for one in ("url", "invoke"):
        client.remove_permission(FunctionName="f", StatementId=one)
        assert visit(shared_lambent, url).status == 403
        client.delete_resource_policy(ResourceArn=arn(client, "f"))
        permit(client)


def test_a_policy_may_go_by_the_address_of_who_asks(shared_lambent: Server, client: Any) -> None:
    url = publish_url(client)
    held = json.loads(client.get_policy(FunctionName="f")["Policy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "Resource": "*"}
    for network, status in (("127.0.0.0/8", 200), ("203.0.113.0/24", 403)):
        condition = {"NotIpAddress": {"aws:SourceIp": network}}
        document = held | {"Statement": [*held["Statement"], deny | {"Condition": condition}]}
        client.put_resource_policy(ResourceArn=arn(client, "f"), Policy=json.dumps(document))
        assert visit(shared_lambent, url).status == status


def test_who_may_not_invoke_may_not_by_the_url(shared_lambent: Server, client: Any) -> None:
    own = account(client)
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    headers = signed(url, key=own)
    assert visit(shared_lambent, url, headers=headers).status == 200
    deny = {"Effect": "Deny", "Principal": {"AWS": own}, "Action": "lambda:InvokeFunction", "Resource": "*"}
    client.put_resource_policy(ResourceArn=arn(client, "f"), Policy=json.dumps({"Statement": deny}))
    assert visit(shared_lambent, url, headers=headers).status == 403


def test_a_policy_for_signed_requests_lets_no_others_in(shared_lambent: Server, client: Any) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    client.add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="AWS_IAM",
    )
    client.add_permission(FunctionName="f", StatementId="t", Action="lambda:InvokeFunction", Principal="*")
    assert visit(shared_lambent, url).status == 403


def test_a_signed_request_tells_the_function_who_signed(shared_lambent: Server, client: Any) -> None:
    own = account(client)
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    seen = event(shared_lambent, url, "/a?b=c", headers=signed(url, "/a?b=c", b"body", key=own), body=b"body")
    context = seen["requestContext"]
    assert context["accountId"] == own
    assert context["authentication"] is None
    iam = context["authorizer"]["iam"]
    assert (iam["accessKey"], iam["accountId"], iam["userArn"]) == (own, own, f"arn:aws:iam::{own}:root")
    assert iam["callerId"] == iam["userId"]
    assert (iam["cognitoIdentity"], iam["principalOrgId"]) == (None, None)
    assert "authorization" not in seen["headers"]
    assert "x-amz-date" in seen["headers"]


def test_a_session_may_sign(shared_lambent: Server, client: Any) -> None:
    own = account(client)
    session = shared_lambent.client("sts", aws_access_key_id=own).get_session_token()["Credentials"]
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    keys = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"], "token": session["SessionToken"]}
    assert visit(shared_lambent, url, headers=signed(url, **keys)).status == 200
    stolen = signed(url, **keys) | {"X-Amz-Security-Token": session["SessionToken"][:-4] + "AAAA"}
    answer = visit(shared_lambent, url, headers=stolen)
    assert (answer.status, list(answer.json())) == (403, ["message"])


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ({"secret": "no"}, "InvalidSignatureException", "The request signature we calculated does not match"),
        ({"key": "AKIASTRANGER"}, "UnrecognizedClientException", "The security token included in the request is"),
        ({"service": "execute-api"}, "InvalidSignatureException", "Credential should be scoped to correct service"),
        ({"region": "eu-west-1"}, "InvalidSignatureException", "Credential should be scoped to a valid region"),
    ],
    ids=["secret", "key", "service", "region"],
)
def test_a_wrong_signature_is_refused(
    shared_lambent: Server, client: Any, wrong: dict[str, str], code: str, message: str
) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    answer = visit(shared_lambent, url, headers=signed(url, **{"key": account(client)} | wrong))
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, code)
    assert answer.json()["message"].startswith(message)


def test_a_request_that_is_not_signed_is_refused(shared_lambent: Server, client: Any) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    permit(client)
    answer = visit(shared_lambent, url)
    assert (answer.status, answer.json()) == (403, {"Message": FORBIDDEN})


def test_what_was_signed_is_all_that_is_taken(shared_lambent: Server, client: Any) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    headers = signed(url, "/a", b"body", key=account(client))
    assert visit(shared_lambent, url, "/a", headers=headers, body=b"body").status == 200
    assert visit(shared_lambent, url, "/a", headers=headers, body=b"else").status == 403
    assert visit(shared_lambent, url, "/b", headers=headers, body=b"body").status == 403
    assert visit(shared_lambent, url, "/a?b", headers=headers, body=b"body").status == 403
    unsigned = headers | {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    assert visit(shared_lambent, url, "/a", headers=unsigned, body=b"else").status == 403


def test_another_account_needs_a_policy(shared_lambent: Server, client: Any) -> None:
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    headers = signed(url, key="777788889999")
    answer = visit(shared_lambent, url, headers=headers)
    assert (answer.status, answer.json()) == (403, {"Message": FORBIDDEN})
    client.add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunctionUrl",
        Principal="777788889999",
        FunctionUrlAuthType="AWS_IAM",
    )
    assert visit(shared_lambent, url, headers=headers).status == 403
    client.add_permission(
        FunctionName="f",
        StatementId="t",
        Action="lambda:InvokeFunction",
        Principal="777788889999",
        InvokedViaFunctionUrl=True,
    )
    seen = event(shared_lambent, url, headers=headers)
    assert seen["requestContext"]["accountId"] == "777788889999"


# What a URL leads to.


def test_a_url_that_there_is_not_tells_nothing(shared_lambent: Server, echo: str) -> None:
    elsewhere = echo.replace("us-east-1", "eu-west-1")
    for url in (elsewhere, "http://short.lambda-url.us-east-1.localhost/"):
        answer = visit(shared_lambent, url)
        assert (answer.status, answer.body) == (403, b'{"Message":null}')


def test_changes_of_a_url_count_at_once(shared_lambent: Server, client: Any) -> None:
    url = publish_url(client)
    assert visit(shared_lambent, url).status == 200
    client.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    assert visit(shared_lambent, url).status == 403
    client.update_function_url_config(FunctionName="f", AuthType="NONE")
    assert visit(shared_lambent, url).status == 200
    client.delete_function_url_config(FunctionName="f")
    assert visit(shared_lambent, url).body == b'{"Message":null}'


def test_a_url_goes_with_its_function(shared_lambent: Server, client: Any) -> None:
    url = publish_url(client)
    assert visit(shared_lambent, url).status == 200
    client.delete_function(FunctionName="f")
    assert visit(shared_lambent, url).body == b'{"Message":null}'


def test_the_url_of_an_alias_leads_where_the_alias_points(shared_lambent: Server, client: Any) -> None:
    create(client, "g", "version_one")
    first = publish(client, "g")
    second = publish(client, "g", "version_two")
    client.create_alias(FunctionName="g", Name="live", FunctionVersion=first)
    url = publish_url(client, "g", Qualifier="live")
    before = visit(shared_lambent, url).body
    client.update_alias(FunctionName="g", Name="live", FunctionVersion=second)
    assert visit(shared_lambent, url).body != before


def test_the_function_is_invoked_by_the_arn_of_the_url(shared_lambent: Server, client: Any) -> None:
    create(client, "g", "context")
    client.create_alias(FunctionName="g", Name="live", FunctionVersion="$LATEST")
    answer = visit(shared_lambent, publish_url(client, "g", Qualifier="live"))
    context = answer.json()["context"]
    assert context["invoked_function_arn"].endswith(":function:g:live")
    assert context["aws_request_id"] == answer.headers["x-amzn-RequestId"]


def test_a_function_that_may_not_run_is_throttled(shared_lambent: Server, client: Any) -> None:
    url = publish_url(client)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    answer = visit(shared_lambent, url)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (429, "TooManyRequestsException")
    assert answer.json() == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


@pytest.mark.parametrize(
    ("status", "members", "answer"),
    [
        ("SUCCEEDED", {"Result": '{"statusCode": 201, "body": "done"}'}, (201, b"done")),
        ("FAILED", {"Error": {"ErrorMessage": "no"}}, (502, b"Internal Server Error")),
    ],
)
def test_a_durable_function_answers_when_its_execution_has_ended(
    tmp_path: Path, status: str, members: dict[str, Any], answer: tuple[int, bytes]
) -> None:
    with stage(tmp_path, real_now(), puppets=True) as staged, ThreadPoolExecutor(1) as threads:
        name = staged.create()
        unqualified = publish_url(staged.client, name)
        staged.client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
        url = publish_url(staged.client, name, Qualifier="live")
        asked = threads.submit(visit, staged.server, url, "/a", method="GET")
        turn = staged.turn()
        assert json.loads(turn.operations[0]["ExecutionDetails"]["InputPayload"])["rawPath"] == "/a"
        turn.returns(status, **members)
        assert asked.result(30)[::2] == answer
        assert visit(staged.server, unqualified)[::2] == (502, b"Internal Server Error")


def test_a_durable_function_does_not_stream_through_a_url(tmp_path: Path) -> None:
    with stage(tmp_path, real_now(), puppets=True) as staged:
        name = staged.create()
        staged.client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
        url = publish_url(staged.client, name, Qualifier="live", InvokeMode="RESPONSE_STREAM")
        assert visit(staged.server, url)[::2] == (502, b"Internal Server Error")


def test_a_url_works_after_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        create(server.client("lambda"), "f")
        url = publish_url(server.client("lambda"))
    with serving(settings_for(tmp_path)) as server:
        assert event(server, url)["version"] == "2.0"


def test_a_url_and_who_may_use_it_survive_a_kill(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        create(client, "f")
        url = publish_url(client)
        client.create_alias(FunctionName="f", Name="gone", FunctionVersion="$LATEST")
        gone = publish_url(client, Qualifier="gone")
        client.delete_function_url_config(FunctionName="f", Qualifier="gone")
        server.kill()
    with server_process(tmp_path) as server:
        assert visit(server, url).json()["version"] == "2.0"
        assert visit(server, gone).body == b'{"Message":null}'


def test_a_request_that_comes_to_a_front_is_the_servers_own(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, fronts=1)) as server:
        create(server.client("lambda"), "f")
        url = publish_url(server.client("lambda"))
        seen = event(server, url, headers={"Content-Type": "text/plain"}, body=b"a" * 1000)
    assert (seen["body"], seen["requestContext"]["http"]["sourceIp"]) == ("a" * 1000, "127.0.0.1")


def test_a_public_url_is_known_by_its_host(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, public_url="https://f.example.com")) as server:
        create(server.client("lambda"), "f")
        url = publish_url(server.client("lambda"))
        seen = event(server, url)
    assert url.endswith(".lambda-url.us-east-1.f.example.com/")
    assert seen["requestContext"]["domainName"] == seen["headers"]["host"] == url.split("/")[2]
    assert (seen["headers"]["x-forwarded-proto"], seen["headers"]["x-forwarded-port"]) == ("https", "443")


# Hostile requests.


def raw(server: Server) -> socket.socket:
    host, port = server.endpoint.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 30)
    connection.settimeout(30)
    return connection


def whole(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, stream.read(length)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (f"X-Long: {'a' * limits.HTTP_HEAD_BYTES}\r\n\r\n", 431),
        ("X: y\r\n" * (limits.HTTP_HEADERS + 1) + "\r\n", 431),
        ("Host: another\r\n\r\n", 400),
    ],
    ids=["no size", "long chunk", "both", "two lengths", "long header", "many headers", "two hosts"],
)
def test_what_is_no_request_does_not_reach_the_function(
    shared_lambent: Server, echo: str, lines: str, status: int
) -> None:
    with raw(shared_lambent) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\nHost: {echo.split('/')[2]}\r\n{lines}".encode())
        assert whole(connection)[0] == status


def test_a_body_in_chunks_arrives_whole(shared_lambent: Server, echo: str) -> None:
    with raw(shared_lambent) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {echo.split('/')[2]}\r\nContent-Type: text/plain\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n".encode())
        seen = json.loads(whole(connection)[1])
        assert seen["body"] == "abc"
        assert "transfer-encoding" not in seen["headers"]
        connection.sendall(f"{head}Content-Length: 1\r\n\r\nd".encode())
        assert json.loads(whole(connection)[1])["body"] == "d"


def test_a_client_that_asks_before_it_sends_is_invited(shared_lambent: Server, echo: str) -> None:
    with raw(shared_lambent) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {echo.split('/')[2]}\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\n"
        connection.sendall(f"{head}Content-Length: 4\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"body")
        assert json.loads(whole(connection)[1])["body"] == "body"


def test_a_client_that_goes_away_half_way_invokes_nothing(shared_lambent: Server, client: Any) -> None:
    create(client, "g", "counter")
    url = publish_url(client, "g")
    with raw(shared_lambent) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nContent-Length: 9\r\n\r\nhalf".encode())
    assert visit(shared_lambent, url).json() == {"counter": 0}
