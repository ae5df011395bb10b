"""Function URLs that stream: a custom runtime from end to end, and streams that are written while the client reads."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import socket
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.streaming import Stream
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.clock import settle as quiet
from lambent.services.lambda_.urls import streams
from tests.services.lambda_.calls import create, own_client, settle
from tests.services.lambda_.streams import Function
from tests.services.lambda_.visits import publish_url, visit
from tests.support import ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server
    from tests.services.lambda_.visits import Answer

PRELUDE = "application/vnd.awslambda.http-integration-response"

BOOTSTRAP = f"""#!/usr/bin/env -S python3.{sys.version_info.minor} -S -u
'''Streams what the body of a web request says: a content type, parts in base64, and perhaps an error at the end.'''
import base64, http.client, json, os

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PATH = "/2018-06-01/runtime/invocation/"

while True:
    connection = http.client.HTTPConnection(API)
    connection.request("GET", PATH + "next")
    response = connection.getresponse()
    plan = json.loads(json.loads(response.read())["body"])
    connection = http.client.HTTPConnection(API)
    connection.putrequest("POST", PATH + response.headers["Lambda-Runtime-Aws-Request-Id"] + "/response")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
    if plan.get("type"):
        connection.putheader("Content-Type", plan["type"])
    connection.endheaders()
    for part in map(base64.b64decode, plan["parts"]):
        connection.send(b"%x\\r\\n%b\\r\\n" % (len(part), part))
    trailers = b""
    if "error" in plan:
        body = base64.b64encode(json.dumps({{"errorType": plan["error"]}}).encode())
        trailers = b"Lambda-Runtime-Function-Error-Type: %b\\r\\nLambda-Runtime-Function-Error-Body: %b\\r\\n"
        trailers %= (plan["error"].encode(), body)
    connection.send(b"0\\r\\n" + trailers + b"\\r\\n")
    connection.getresponse().read()
"""


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        out.writestr(entry, BOOTSTRAP)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def url(shared_lambent: Server) -> str:
    """The streaming URL of a function with a runtime of its own."""
    client = own_client(shared_lambent)
    client.create_function(
        FunctionName="f",
        Runtime="provided.al2023",
        Role=ROLE,
        Handler="any",
        Code={"ZipFile": package()},
        Timeout=20,
    )
    settle(client, "f")
    return publish_url(client, InvokeMode="RESPONSE_STREAM")


def ask(server: Server, url: str, parts: list[bytes], **plan: Any) -> Answer:
    encoded = [base64.b64encode(part).decode() for part in parts]
    body = json.dumps({"parts": encoded, **plan}).encode()
    return visit(server, url, body=body, headers={"Content-Type": "application/json"})


def head(**members: Any) -> bytes:
    return json.dumps(members).encode()


# From end to end.


def test_a_stream_is_the_body_as_it_comes(shared_lambent: Server, url: str) -> None:
    answer = ask(shared_lambent, url, [b"one", b"\x00" * 8, b"\xff"], type="text/plain")
    assert (answer.status, answer.body) == (200, b"one" + b"\x00" * 8 + b"\xff")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["x-amzn-RequestId"]


def test_the_type_of_a_stream_may_be_beyond_ascii(shared_lambent: Server, url: str) -> None:
    answer = ask(shared_lambent, url, [b"one"], type="text/plain; name=Zo\u00eb")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; name=Zo\u00eb")


def test_a_prelude_decides_status_headers_and_cookies(shared_lambent: Server, url: str) -> None:
    prelude = head(statusCode=201, headers={"Content-Type": "text/html", "x-own": "a", "date": "b"}, cookies=["a=1"])
    answer = ask(shared_lambent, url, [prelude, b"\x00" * 8, b"<p>", b"</p>"], type=PRELUDE)
    assert (answer.status, answer.body) == (201, b"<p></p>")
    assert (answer.headers["Content-Type"], answer.headers["x-own"]) == ("text/html", "a")
    assert answer.headers["x-amzn-remapped-date"] == "b"
    assert answer.headers["Set-Cookie"] == "a=1"


@pytest.mark.parametrize("cut", [1, 5, 21, 25, 29])
def test_a_prelude_may_come_in_any_pieces(shared_lambent: Server, url: str, cut: int) -> None:
    data = head(statusCode=418) + b"\x00" * 8 + b"tea"
    answer = ask(shared_lambent, url, [data[:cut], data[cut:]], type=PRELUDE)
    assert (answer.status, answer.body) == (418, b"tea")


def test_a_prelude_may_be_all_there_is(shared_lambent: Server, url: str) -> None:
    answer = ask(shared_lambent, url, [head() + b"\x00" * 8], type=PRELUDE)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"", "application/json")


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"{}"],
        [b"{}" + b"\x00" * 7],
        [b"not json" + b"\x00" * 8],
        [head(statusCode="fine") + b"\x00" * 8],
        [head(headers={"a": "b\n"}) + b"\x00" * 8 + b"body"],
        [b" " * (limits.URL_PRELUDE_BYTES + 1), b"{}" + b"\x00" * 8],
    ],
    ids=["nothing", "no end", "short end", "no json", "no status", "bad header", "too long"],
)
def test_what_is_no_prelude_is_a_failure_of_the_function(shared_lambent: Server, url: str, parts: list[bytes]) -> None:
    answer = ask(shared_lambent, url, parts, type=PRELUDE)
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_an_empty_stream_is_an_empty_body(shared_lambent: Server, url: str) -> None:
    answer = ask(shared_lambent, url, [])
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"", "application/octet-stream")


def test_a_failure_before_the_first_byte_is_a_502(shared_lambent: Server, url: str) -> None:
    answer = ask(shared_lambent, url, [], error="Oops")
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_a_failure_half_way_cuts_the_answer(shared_lambent: Server, url: str) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(shared_lambent, url, [b"half"], type="text/plain", error="Oops")


def test_a_stream_at_a_url_that_does_not_stream_is_read_as_a_payload(shared_lambent: Server) -> None:
    client = own_client(shared_lambent)
    client.create_function(
        FunctionName="f", Runtime="provided.al2023", Role=ROLE, Handler="any", Code={"ZipFile": package()}, Timeout=20
    )
    settle(client, "f")
    answer = ask(shared_lambent, publish_url(client), [b'{"statusCode": 202,', b'"body": "all"}'], type="text/plain")
    assert (answer.status, answer.body) == (202, b"all")


# While it is written.


class Client:
    """A connection that has sent a request, and reads what it likes of the answer."""

    def __init__(self, server: Server, url: str) -> None:
        host, port = server.endpoint.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), 30)
        self.socket.sendall(f"GET / HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n".encode())
        self._stream = self.socket.makefile("rb")

    def head(self) -> int:
        """The status; the headers are read over."""
        status = int(self._stream.readline().split()[1])
        while self._stream.readline() != b"\r\n":
            pass
        return status

    def chunk(self) -> bytes:
        data = self._stream.read(int(self._stream.readline(), 16))
        assert self._stream.readline() == b"\r\n"
        return data

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@pytest.fixture
def streaming(shared_lambent: Server) -> str:
    client = own_client(shared_lambent)
    create(client, "f")
    return publish_url(client, InvokeMode="RESPONSE_STREAM")


@pytest.fixture
def function(shared_lambent: Server, monkeypatch: pytest.MonkeyPatch) -> Function:
    made = Function(shared_lambent, "text/plain")
    made.install(monkeypatch)
    return made


@pytest.fixture
def client(shared_lambent: Server, streaming: str, function: Function) -> Iterator[Client]:
    made = Client(shared_lambent, streaming)
    yield made
    made.close()


def test_chunks_arrive_while_the_function_still_writes(client: Client, function: Function) -> None:
    function.write(b"first")
    assert client.head() == 200
    assert client.chunk() == b"first"
    for chunk in (b"second", b"\xff"):
        function.write(chunk)
        assert client.chunk() == chunk
    function.end()
    assert client.chunk() == b""


async def test_who_reads_slowly_holds_the_function_back() -> None:
    stream = Stream(VirtualClock(), lambda _stream: None)
    opening = asyncio.create_task(streams.opened(stream))
    await stream.write(b"first")
    body: Any = (await opening).body
    assert await anext(body) == b"first"
    writing = asyncio.create_task(stream.write(bytes(limits.STREAM_BUFFER_BYTES + 1)))
    await quiet()
    assert not writing.done()
    assert len(await anext(body)) == limits.STREAM_BUFFER_BYTES + 1
    await writing
    await body.aclose()
    assert stream.cancelled


def test_a_function_whose_client_has_gone_is_told(client: Client, function: Function) -> None:
    function.write(b"first")
    client.head()
    client.close()

    async def fill() -> None:
        while not function.stream.cancelled:
            await function.stream.write(bytes(limits.STREAM_BUFFER_BYTES))

    function.run(fill)
    function.end()
