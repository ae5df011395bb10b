"""The doorway over real sockets: what has an address of its own goes there, signed or not, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.doors import Address, Doors, Reply, Visit
from lambent.kernel.errors import AwsError
from tests.wire.raw import serving
from tests.wire.test_gateway import make, raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.wire.raw import Answer, RawServer

HOST = "abc.lambda-url.us-east-1.localhost"
LIMIT = 1000


class Echo:
    """A door that tells what it has seen of a request."""

    def __init__(self) -> None:
        self.closed = False

    async def answer(self, address: Address, visit: Visit) -> Reply:
        try:
            caller = await visit.caller("lambda", "us-east-1", LIMIT) if visit.path.startswith("/signed") else None
            body = await visit.read(LIMIT)
        except BodyTooLarge as failure:
            return Reply(413, [], str(failure.limit).encode())
        except AwsError as error:
            return Reply(error.status or 400, [("x-code", error.code)], error.message.encode())
        if visit.path == "/stream":
            return Reply(200, [("content-type", "text/plain")], self.parts())
        seen = [address.name, str(address.region), visit.method, visit.path, visit.query, visit.source, body.decode()]
        who = [] if caller is None else [caller.access_key_id, caller.principal.account]
        return Reply(200, [("x-seen", "|".join(seen + who))])

    async def parts(self) -> AsyncIterator[bytes]:
        try:
            for part in (b"one", b"two"):
                yield part
        finally:
            self.closed = True


def served(folder: Path, door: Echo | None = None) -> Any:
    doors = Doors()
    doors.register("lambda-url", door or Echo())
    return serving(make(folder, doors).handle)


async def ask(server: RawServer, head: str, body: bytes = b"") -> Answer:
    client = await server.connect()
    return await client.ask(raw(f"{head}\nContent-Length: {len(body)}") + body)


def signed(
    server: RawServer, path: str = "/signed", service: str = "lambda", region: str = "us-east-1", secret: str = "test"
) -> str:
    request = AWSRequest("POST", f"http://{HOST}:{server.port}{path}", data=b"body")
    SigV4Auth(Credentials("111122223333", secret), service, region).add_auth(request)
    return "\n".join(
        [f"POST {path}", f"Host: {HOST}:{server.port}", *(f"{k}: {v}" for k, v in request.headers.items())]
    )


async def test_a_host_of_its_own_leads_to_the_door(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, f"PUT /a%2Fb/../c?d=1&d=2\nHost: {HOST}:{server.port}", b"body")
    assert answer.headers["x-seen"] == "abc|us-east-1|PUT|/a%2Fb/../c|d=1&d=2|127.0.0.1|body"
    assert "content-security-policy" not in answer.headers


async def test_a_path_leads_to_the_same_door_and_its_pages_are_kept_apart(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, "GET /_lambent/lambda-url/abc/x?y\nHost: localhost")
    assert answer.headers["x-seen"] == "abc|None|GET|/x|y|127.0.0.1|"
    assert answer.headers["content-security-policy"].startswith("sandbox ")


async def test_a_request_that_names_another_target_is_the_doors_all_the_same(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, f"POST /\nHost: {HOST}\nX-Amz-Target: Logs_20140328.DescribeLogGroups", b"{}")
    assert answer.headers["x-seen"].startswith("abc|us-east-1|POST|/")


async def test_a_page_from_anywhere_may_ask_a_door_and_no_door_page_may_ask_aws(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await ask(server, f"GET /\nHost: {HOST}\nOrigin: https://elsewhere.example")).status == 200
        for origin in (f"http://{HOST}:{server.port}", "null"):
            answer = await ask(server, f"GET /2015-03-31/functions/\nHost: localhost\nOrigin: {origin}")
            assert answer.status == 403
            assert b"may not call this server" in answer.body


async def test_hosts_that_are_no_address_are_guarded_as_ever(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await ask(server, "GET /\nHost: abc.lambda-url.us-east-1.evil.example")).status == 403
        assert (await ask(server, "GET /_lambent/health\nHost: localhost")).status == 200
        assert (await ask(server, "GET /_lambent/other/abc/\nHost: localhost")).status == 404


async def test_the_signer_is_known(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, signed(server), b"body")
    assert answer.headers["x-seen"].endswith("|body|111122223333|111122223333")


async def test_who_does_not_sign_is_nobody(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, f"POST /signed\nHost: {HOST}", b"body")
    assert answer.headers["x-seen"].endswith("|body")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"secret": "guess"}, "The request signature we calculated does not match the signature you provided."),
        ({"service": "s3"}, "Credential should be scoped to correct service: 'lambda'."),
        ({"region": "eu-west-1"}, "Credential should be scoped to a valid region"),
    ],
    ids=["secret", "service", "region"],
)
async def test_a_signature_that_does_not_hold_is_refused(tmp_path: Path, wrong: dict[str, str], message: str) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, signed(server, **wrong), b"body")
    assert (answer.status, answer.headers["x-code"]) == (403, "InvalidSignatureException")
    assert answer.body.decode().startswith(message)


async def test_another_body_or_path_than_was_signed_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await ask(server, signed(server), b"BODY")).status == 403
        head = signed(server).replace("POST /signed", "POST /signed/else")
        assert (await ask(server, head, b"body")).status == 403


async def test_the_body_of_a_stranger_is_not_waited_for(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        client = await server.connect()
        head = signed(server).replace("Credential=111122223333", "Credential=AKIASTRANGER")
        await client.send(raw(f"{head}\nContent-Length: {limits.HTTP_BODY_BUFFER_BYTES + 1}"))
        assert (await client.answer()).headers["x-code"] == "UnrecognizedClientException"


async def test_a_body_over_the_doors_limit_is_its_own_to_refuse(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await ask(server, f"POST /\nHost: {HOST}", bytes(LIMIT + 1))
    assert (answer.status, answer.body) == (413, b"1000")


async def test_an_answer_may_stream(tmp_path: Path) -> None:
    door = Echo()
    async with served(tmp_path, door) as server:
        answer = await ask(server, f"GET /stream\nHost: {HOST}")
        assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.body == b"onetwo"
    assert door.closed
