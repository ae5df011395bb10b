"""CORS of function URLs: preflights that the URL answers by itself, and headers beside those of the function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.lambda_.calls import create, own_client
from tests.services.lambda_.visits import publish_url, visit

if TYPE_CHECKING:
    from tests.conftest import Server
    from tests.services.lambda_.visits import Answer

PAGE = "https://example.com"
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["content-type", "x-own"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": [PAGE, "http://localhost:3000"],
    "ExposeHeaders": ["date", "x-own"],
    "MaxAge": 300,
}
ANY = {"AllowHeaders": ["*"], "AllowMethods": ["*"], "AllowOrigins": ["*"]}


class Site:
    """A function that counts, and its URL."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.client = own_client(server)
        create(self.client, "f", "counter")
        self.url = publish_url(self.client)

    def configure(self, cors: dict[str, Any], **members: Any) -> None:
        self.client.update_function_url_config(FunctionName="f", Cors=cors, **members)

    def ask(self, method: str = "GET", **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return visit(self._server, self.url, method=method, headers=sent)

    def preflight(self, **headers: str) -> Answer:
        return self.ask("OPTIONS", **{"origin": PAGE, "access_control_request_method": "POST"} | headers)


@pytest.fixture
def site(shared_lambent: Server) -> Site:
    return Site(shared_lambent)


def allowed(answer: Answer) -> dict[str, str]:
    """The headers of the answer that are about CORS."""
    names = ("access-control-", "vary")
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith(names)}


def test_a_preflight_is_answered_by_the_url(site: Site) -> None:
    site.configure(CORS)
    answer = site.preflight()
    assert (answer.status, answer.body) == (200, b"")
    assert allowed(answer) == {
        "access-control-allow-origin": PAGE,
        "vary": "Origin",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "content-type,x-own",
        "access-control-max-age": "300",
    }
    assert site.ask().json() == {"counter": 0}


def test_what_is_allowed_to_all_is_allowed_by_name(site: Site) -> None:
    site.configure(ANY)
    answer = site.preflight(access_control_request_method="PUT", access_control_request_headers="x-a,x-b")
    assert allowed(answer) == {
        "access-control-allow-origin": PAGE,
        "vary": "Origin",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "x-a,x-b",
    }


def test_what_can_be_no_name_is_not_allowed(site: Site) -> None:
    names = ["x-own", "\u20ac", "\0", "x y", ""]
    site.configure({"AllowHeaders": names, "AllowOrigins": ["*"], "ExposeHeaders": names})
    answer = site.preflight(access_control_request_headers="x-own")
    assert (answer.status, allowed(answer)["access-control-allow-headers"]) == (200, "x-own")
    answer = site.ask(origin=PAGE)
    assert (answer.status, allowed(answer)["access-control-expose-headers"]) == (200, "x-own")
    site.configure({"AllowHeaders": ["\u20ac"], "AllowOrigins": ["*"], "ExposeHeaders": ["*", "date"]})
    assert "access-control-allow-headers" not in allowed(site.preflight())
    assert allowed(site.ask(origin=PAGE))["access-control-expose-headers"] == "*,date"


def test_a_page_that_may_not_is_told_nothing(site: Site) -> None:
    site.configure(CORS)
    for origin in ("https://elsewhere.example", "null", "https://example.com.evil.example"):
        assert allowed(site.preflight(origin=origin)) == {}
        assert allowed(site.ask(origin=origin)) == {}


def test_an_answer_may_be_read_by_pages_that_may(site: Site) -> None:
    site.configure(CORS)
    assert allowed(site.ask(origin=PAGE)) == {
        "access-control-allow-origin": PAGE,
        "vary": "Origin",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "date,x-own",
    }
    assert allowed(site.ask()) == {}


def test_a_url_without_cors_leaves_it_to_its_function(site: Site) -> None:
    assert site.preflight().json() == {"counter": 0}
    assert allowed(site.ask(origin=PAGE)) == {}


def test_options_that_are_no_preflight_reach_the_function(site: Site) -> None:
    site.configure(CORS)
    assert site.ask("OPTIONS", origin=PAGE).json() == {"counter": 0}
    assert site.ask("OPTIONS", access_control_request_method="GET").json() == {"counter": 1}


def test_a_preflight_needs_no_signature(site: Site) -> None:
    site.configure(CORS, AuthType="AWS_IAM")
    assert site.preflight().status == 200
    refused = site.ask(origin=PAGE)
    assert refused.status == 403
    assert allowed(refused)["access-control-allow-origin"] == PAGE


def test_headers_of_the_function_stay_beside_those_of_the_url(shared_lambent: Server) -> None:
    client = own_client(shared_lambent)
    create(client, "f", "returns")
    url = publish_url(client, Cors={"AllowOrigins": ["*"]})
    body = b'{"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}'
    answer = visit(shared_lambent, url, body=body, headers={"Origin": PAGE, "Content-Type": "application/json"})
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*", PAGE]
