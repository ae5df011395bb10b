"""The examples that are web applications, through real HTTP clients at their function URLs."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from tests.examples.conftest import call
from tests.examples.test_inputs import event
from tests.services.lambda_.visits import visit

if TYPE_CHECKING:
    from tests.conftest import Server
    from tests.services.lambda_.visits import Answer


class Site:
    """One application, as a browser sees it: it keeps cookies."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self.url: str = server.client("lambda").get_function_url_config(FunctionName=name)["FunctionUrl"]
        self.cookies: dict[str, str] = {}

    def get(self, target: str, **headers: str) -> Answer:
        return self._visit(target, "GET", headers)

    def post(self, target: str, body: bytes, kind: str) -> Answer:
        return self._visit(target, "POST", {"Content-Type": kind}, body)

    def _visit(self, target: str, method: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = headers | ({"Cookie": cookies} if cookies else {})
        answer = visit(self._server, self.url, target, method=method, headers=headers, body=body)
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@pytest.fixture
def colours(deployed: Server) -> Site:
    return Site(deployed, "fastapi")


@pytest.fixture
def greetings(deployed: Server) -> Site:
    return Site(deployed, "flask")


def mixed(site: Site, *names: Any) -> Answer:
    return site.post("/mixtures", json.dumps({"colours": names}).encode(), "application/json")


def test_fastapi_answers_json_and_remembers_in_a_cookie(colours: Site) -> None:
    answer = colours.get("/colours/ff8800")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"hex": "ff8800", "rgb": [255, 136, 0], "hue": 32, "light": False}
    assert colours.cookies == {"last": "ff8800"}


def test_fastapi_takes_json_and_says_what_is_wrong_with_it(colours: Site) -> None:
    answer = mixed(colours, "ffffff", "000000")
    assert (answer.status, answer.json()["hex"]) == (201, "7f7f7f")
    for wrong in (("ffffff",), ("orange", "000000"), ("000000", "000000")):
        assert mixed(colours, *wrong).status == 422
    assert colours.get("/colours/orange").json()["detail"][0]["loc"] == ["path", "name"]
    assert colours.get("/nowhere").status == 404
    assert mixed(colours).headers["x-amzn-RequestId"]


def test_fastapi_answers_bytes(colours: Site) -> None:
    answer = colours.get("/colours/ff8800.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.body.startswith(b"\x89PNG\r\n\x1a\n")
    at = answer.body.index(b"IDAT")
    length = int.from_bytes(answer.body[at - 4 : at], "big")
    rows = zlib.decompress(answer.body[at + 4 : at + 4 + length])
    assert rows == (b"\0" + bytes.fromhex("ff8800") * 64) * 64


def test_fastapi_documents_itself(colours: Site) -> None:
    assert "swagger-ui" in colours.get("/docs").body.decode()
    assert "/colours/{name}.png" in colours.get("/openapi.json").json()["paths"]


def test_flask_takes_a_form_redirects_and_keeps_a_session(greetings: Site) -> None:
    assert "Hello" not in greetings.get("/").body.decode()
    form = urlencode({"name": "Zoë <3 & friends"}).encode()
    answer = greetings.post("/", form, "application/x-www-form-urlencoded")
    assert answer.status == 303
    target = urlsplit(urljoin(greetings.url, answer.headers["Location"]))
    assert target.netloc == urlsplit(greetings.url).netloc
    page = greetings.get(target.path)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Hello, Zoë &lt;3 &amp; friends! You have been here 2 times." in page.body.decode()


def test_flask_trusts_no_session_that_it_did_not_sign(greetings: Site) -> None:
    greetings.get("/")
    greetings.cookies["session"] = greetings.cookies["session"][:-4] + "AAAA"
    greetings.post("/", b"name=Ada", "application/x-www-form-urlencoded")
    assert "You have been here 1 time." in greetings.get("/").body.decode()


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_their_events_are_what_a_url_sends(deployed: Server, name: str) -> None:
    answer = call(deployed, name, event(name))
    assert answer["statusCode"] == 200
    assert answer["body"]
