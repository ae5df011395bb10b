"""What web pages may do: pages of this machine may call, all others may not, whatever name they come by."""

from __future__ import annotations

import pytest

from lambent.wire.cors import Browsers
from lambent.wire.http import HttpRequest, HttpResponse

LOCAL = Browsers(loopback=True)


def ask(browsers: Browsers = LOCAL, method: str = "POST", host: str = "127.0.0.1:4566", **headers: str) -> HttpRequest:
    listed = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(method, "/", "", [("host", host), *listed])


def status(http: HttpRequest, browsers: Browsers = LOCAL) -> int | None:
    answer = browsers.answer(http)
    return None if answer is None else answer.status


def test_an_aws_client_is_not_concerned() -> None:
    http = ask(method="OPTIONS")
    assert LOCAL.answer(http) is None
    response = HttpResponse(200, [("a", "b")])
    LOCAL.expose(http, response)
    assert response.headers == [("a", "b")]


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "https://localhost", "http://127.0.0.1:8080", "http://[::1]:5", "http://app.localhost"],
)
def test_pages_of_this_machine_may_call_and_read(origin: str) -> None:
    http = ask(origin=origin, sec_fetch_site="same-site")
    assert status(http) is None
    response = HttpResponse(200, [("a", "b")])
    LOCAL.expose(http, response)
    headers = dict(response.headers)
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Vary"] == "Origin"
    assert "x-amzn-requestid" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example:4566",
        "null",
        "file://",
        "chrome-extension://localhost",
        "http://[",
        "http://localhost@evil.example",
        "http://192.168.1.5",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_from_elsewhere_may_not(origin: str, method: str) -> None:
    http = ask(method=method, origin=origin, access_control_request_method="POST")
    assert status(http) == 403
    answer = LOCAL.answer(http)
    assert answer is not None
    assert not any(name.startswith("Access-Control") for name, _ in answer.headers)


def test_a_request_that_hides_its_origin_is_known_by_its_site() -> None:
    assert status(ask(method="GET", sec_fetch_site="cross-site")) == 403
    assert status(ask(method="GET", sec_fetch_site="none")) is None
    assert status(ask(method="GET", sec_fetch_site="same-origin")) is None


def test_a_preflight_is_answered() -> None:
    http = ask(
        method="OPTIONS",
        origin="http://localhost:3000",
        access_control_request_method="PUT",
        access_control_request_headers="authorization,x-amz-date",
        access_control_request_private_network="true",
    )
    answer = LOCAL.answer(http)
    assert answer is not None
    headers = dict(answer.headers)
    assert answer.status == 204
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "PUT" in headers["Access-Control-Allow-Methods"]
    assert headers["Access-Control-Allow-Headers"] == "authorization,x-amz-date"
    assert headers["Access-Control-Allow-Private-Network"] == "true"


def test_a_preflight_does_not_echo_what_is_no_list_of_names() -> None:
    http = ask(
        method="OPTIONS",
        origin="http://localhost",
        access_control_request_method="PUT",
        access_control_request_headers="a\tb(c)",
    )
    answer = LOCAL.answer(http)
    assert answer is not None
    assert "Access-Control-Allow-Headers" not in dict(answer.headers)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4566",
        "LOCALHOST:4566",
        "127.0.0.1:4566",
        "127.9.9.9",
        "[::1]:4566",
        "lambda.us-east-1.localhost:4566",
        "bucket.s3.localhost",
        "lambda.us-east-1.amazonaws.com",
        "",
    ],
)
def test_names_of_this_machine_and_of_aws_are_served(host: str) -> None:
    assert status(ask(host=host)) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5:4566", "[", "[::2]:1"]
)
def test_a_name_that_was_pointed_here_is_not_served_on_loopback(host: str) -> None:
    assert status(ask(host=host)) == 403
    assert status(ask(host=host), Browsers(loopback=False)) is None


def test_more_hosts_may_be_allowed() -> None:
    browsers = Browsers(loopback=True, hosts=("lambent.test",))
    assert status(ask(host="lambent.test:4566"), browsers) is None
    assert status(ask(origin="https://lambent.test"), browsers) is None
    assert status(ask(host="lambent.example"), browsers) == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]:1", "localhost", "a.localhost:80", "localhost.", "LOCALHOST"])
def test_names_of_this_machine_are_served_on_loopback(host: str) -> None:
    assert status(ask(host=host)) is None


def test_pages_that_a_function_serves_are_not_this_machines_own() -> None:
    browsers = Browsers(loopback=True, strange=lambda host: ".lambda-url." in host)
    assert status(ask(origin="http://a.lambda-url.us-east-1.localhost:4566"), browsers) == 403
    assert status(ask(origin="http://app.localhost"), browsers) is None
