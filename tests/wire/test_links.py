"""Links to blobs: what they answer, for how long, and what they never answer."""

from __future__ import annotations

import base64
import hashlib
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.ids import SystemIds
from lambent.store.blobs import Blobs
from lambent.wire.links import CodeLinks, CodePage
from tests.support import create
from tests.wire.raw import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Server
    from tests.wire.raw import Answer, RawServer

ZIP = b"PK" + bytes(range(256)) * 3000
DIGEST = hashlib.sha256(ZIP).hexdigest()


class Shop(NamedTuple):
    """A server of links, the clock that they run out by, and the maker of more."""

    server: RawServer
    links: CodeLinks
    clock: VirtualClock

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def link(self, digest: str = DIGEST) -> str:
        return self.links.code(self.endpoint, digest, limits.CODE_LINK_S)

    async def fetch(self, url: str, method: str = "GET") -> Answer:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        client = await self.server.connect()
        await client.send(f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        return await client.answer(bodyless=method == "HEAD")


@asynccontextmanager
async def shop(folder: Path, key: bytes = bytes(32)) -> AsyncIterator[Shop]:
    clock = VirtualClock()
    blobs = Blobs(folder)
    await blobs.put(ZIP)
    links = CodeLinks(key, clock)
    async with serving(CodePage(links, blobs, SystemIds())) as server:
        yield Shop(server, links, clock)


async def test_a_link_answers_the_blob(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        answer = await here.fetch(here.link())
        assert (answer.status, answer.body) == (200, ZIP)
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-length"] == str(len(ZIP))
        answer = await here.fetch(here.link(), "HEAD")
        assert (answer.status, answer.headers["content-length"]) == (200, str(len(ZIP)))


async def test_a_link_survives_a_restart_but_not_another_installation(tmp_path: Path) -> None:
    async with shop(tmp_path) as first:
        old = urlsplit(first.link())
    async with shop(tmp_path) as second:
        again = urlsplit(second.links.code(f"http://{old.netloc}", DIGEST, limits.CODE_LINK_S))
        assert again == old
    async with shop(tmp_path, key=b"x" * 32) as other:
        query = urlsplit(first.links.code(other.endpoint, DIGEST, 60)).query
        answer = await other.fetch(f"{other.endpoint}/_lambent/code/{DIGEST}?{query}")
        assert answer.status == 403


async def test_a_link_runs_out(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        url = here.link()
        await here.clock.advance(limits.CODE_LINK_S - 1)
        assert (await here.fetch(url)).status == 200
        await here.clock.advance(1)
        answer = await here.fetch(url)
        assert answer.status == 403
        assert answer.headers["content-type"] == "application/xml"
        assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.body
        assert b"<Expires>" in answer.body


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DIGEST[:8], "0" * 8),
        (DIGEST, "../" * 8 + "etc/passwd"),
        (DIGEST, "..%2f..%2fkeys"),
        (DIGEST, ""),
        ("X-Amz-Expires=600", "X-Amz-Expires=604800"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("LAMBENTLINK", "test"),
        ("&X-Amz-Date", "&X-Amz-Security-Token=x&X-Amz-Date"),
    ],
)
async def test_a_link_that_was_changed_is_refused(tmp_path: Path, before: str, after: str) -> None:
    async with shop(tmp_path) as here:
        url = here.link()
        assert before in url
        answer = await here.fetch(url.replace(before, after))
        assert answer.status == 403
        assert ZIP[:100] not in answer.body


@pytest.mark.parametrize("query", ["", "?x=y", "?X-Amz-Algorithm=AWS4-HMAC-SHA256"])
async def test_a_path_without_a_signature_is_refused(tmp_path: Path, query: str) -> None:
    async with shop(tmp_path) as here:
        answer = await here.fetch(f"{here.endpoint}/_lambent/code/{DIGEST}{query}")
        assert answer.status in (400, 403)
        assert b"<Error><Code>" in answer.body


async def test_a_link_to_a_blob_that_is_gone_says_so(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        answer = await here.fetch(here.link("0" * 64))
        assert (answer.status, b"<Code>NoSuchKey</Code>" in answer.body) == (404, True)


async def test_a_link_is_for_reading_only(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        assert (await here.fetch(here.link(), "DELETE")).status == 405


def test_an_ordinary_client_fetches_the_code_of_a_function(shared_lambent: Server) -> None:
    functions = shared_lambent.client("lambda")
    files = {"index.py": "def handler(event, context): return event"}
    create(functions, "linked", files, "index.handler")
    answer = functions.get_function(FunctionName="linked")
    location, digest = answer["Code"]["Location"], answer["Configuration"]["CodeSha256"]
    with urllib.request.urlopen(location) as code:
        assert code.headers["Content-Type"] == "application/zip"
        assert base64.b64encode(hashlib.sha256(code.read()).digest()).decode() == digest
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(location.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    with raised.value as refused:
        assert refused.code == 403
