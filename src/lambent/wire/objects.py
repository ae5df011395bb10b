"""Reads objects from an S3 elsewhere, the one that the settings name, by presigned URLs.

urllib3 speaks HTTP, on a few threads of its own (docs/decisions/0024-objects.md).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

from defusedxml import DefusedXmlException, ElementTree

from lambent.kernel import limits
from lambent.kernel.objects import NoObjects, ObjectRefused, ObjectsUnreachable
from lambent.wire import sigv4
from lambent.wire.claims import Scope
from lambent.wire.http import HttpRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from urllib.parse import SplitResult

    from urllib3 import BaseHTTPResponse

    from lambent.kernel.clock import Clock
    from lambent.kernel.objects import ObjectName
    from lambent.kernel.settings import Settings

T = TypeVar("T")

_OK = 200
_SERVER_ERROR = 500


class S3Objects:
    """Implements `kernel.objects.Objects`. Buckets stand in the path, which every S3 understands."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._endpoint = settings.s3_endpoint
        self._key = settings.s3_key
        self._clock = clock
        self._threads = ThreadPoolExecutor(limits.OBJECTS_READ, "objects")

    async def read(self, name: ObjectName, region: str) -> AsyncGenerator[bytes, None]:
        """The content piece by piece; `region` is that of who asks. Raises as `kernel.objects` says."""
        if not self._endpoint:
            raise NoObjects
        origin, target = self._request(self._endpoint, name, region)
        response = await self._step(lambda: _get(origin, target))
        try:
            if response.status != _OK:
                raise _failure(response, await self._told(response))
            while piece := await self._piece(response, limits.BLOB_CHUNK_BYTES):
                yield piece
        finally:
            response.close()

    async def close(self) -> None:
        """Read nothing more; what is being read has come to its end, or to that of its patience."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _request(self, endpoint: str, name: ObjectName, region: str) -> tuple[SplitResult, str]:
        """Whom to ask, and the path and the query to ask for."""
        origin = urlsplit(endpoint)
        path = f"{origin.path.rstrip('/')}/{name.bucket}/{quote(name.key, safe='/~')}"
        query = "" if name.version is None else f"versionId={quote(name.version, safe='~')}"
        http = HttpRequest("GET", path, query, [("host", origin.netloc)])
        if self._key is not None:
            now = self._clock.time()
            scope = Scope.of(self._key.access_key_id, sigv4.iso(now)[:8], region, "s3", "host")
            query = sigv4.presign(http, self._key.secret_access_key, scope, now, limits.OBJECT_LINK_S)
        return origin, path + (f"?{query}" if query else "")

    async def _told(self, response: BaseHTTPResponse) -> bytes:
        """The beginning of an error document; all of it, from an S3."""
        told = b""
        while piece := await self._piece(response, limits.OBJECT_ERROR_BYTES - len(told)):
            told += piece
        return told

    async def _piece(self, response: BaseHTTPResponse, most: int) -> bytes:
        """What has come meanwhile, up to `most` bytes; a step that waits for more has no end where S3 is slow."""
        return await self._step(lambda: response.read1(most))

    async def _step(self, work: Callable[[], T]) -> T:
        """Run `work` on a thread to its end, even where the caller is cancelled: nothing is closed under a reader."""
        step = asyncio.get_running_loop().run_in_executor(self._threads, lambda: _checked(work))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({step})
            raise


def _get(origin: SplitResult, target: str) -> BaseHTTPResponse:
    """The answer to exactly this target, which leads nowhere else: a PoolManager would take dots out of a key. What it
    carries is the object as it was stored, whatever coding its headers tell of."""
    from urllib3 import Timeout, connection_from_url  # most servers never read an object

    patience = Timeout(connect=limits.OBJECTS_CONNECT_S, read=limits.OBJECTS_IDLE_S)
    return connection_from_url(f"{origin.scheme}://{origin.netloc}", timeout=patience).urlopen(
        "GET",
        target,
        headers={"Host": origin.netloc, "Accept-Encoding": "identity"},
        retries=False,
        redirect=False,
        preload_content=False,
        decode_content=False,
    )


def _checked(work: Callable[[], T]) -> T:
    from urllib3.exceptions import HTTPError

    try:
        return work()
    except (HTTPError, OSError) as error:
        raise ObjectsUnreachable(str(error)) from error


def _failure(response: BaseHTTPResponse, told: bytes) -> ObjectRefused | ObjectsUnreachable:
    """What the answer says is wrong, in its head and in what it `told` there."""
    code, message = _code_and_message(told)
    if response.status >= _SERVER_ERROR or not code:
        return ObjectsUnreachable(f"S3 answered {response.status} {code}")
    return ObjectRefused(code, message, response.headers.get("x-amz-bucket-region"))


def _code_and_message(body: bytes) -> tuple[str, str]:
    """Code and message of S3's error document; empty where it is none."""
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException, LookupError):  # the last for an encoding nobody knows
        return "", ""
    return root.findtext("Code", ""), root.findtext("Message", "")
