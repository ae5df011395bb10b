"""aws-chunked: request bodies that AWS clients sign chunk by chunk, or follow by a checksum.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html

    8000;chunk-signature=HEX\\r\\n  DATA\\r\\n  ...  0;chunk-signature=HEX\\r\\n
    x-amz-checksum-crc32c:BASE64\\r\\n  x-amz-trailer-signature:HEX\\r\\n  \\r\\n

Each signature covers the one before it, so chunks can be neither changed, dropped nor reordered. A signed chunk is
handed on only once it is verified.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from awscrt import checksums

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.errors import AwsError
from lambent.wire.checked import gather
from lambent.wire.claims import Fault, NotAuthentic
from lambent.wire.sigv4 import EMPTY_SHA256, sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lambent.kernel.body import Body
    from lambent.wire.claims import Claim
    from lambent.wire.http import HttpRequest

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_MODES = {SIGNED: (True, False), SIGNED_TRAILER: (True, True), UNSIGNED_TRAILER: (False, True)}

_CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class ChunkedBody:
    """A `Body` of the bytes inside the chunks of another."""

    def __init__(self, http: HttpRequest, claim: Claim, key: bytes, limit: int) -> None:
        """Raises AwsError for a mode that there is not, BodyTooLarge where more than `limit` bytes are announced."""
        mode = _MODES.get(claim.payload)
        if mode is None:
            raise _invalid(f"x-amz-content-sha256 must be one of the documented values, not {claim.payload}")
        signed, self._trailing = mode
        self._length = _decoded_length(http)
        if self._length > limit:
            raise BodyTooLarge(limit)
        self._source = _Source(http.body)
        self._chain = _Chain(claim, key) if signed else None
        self._checksum = _checksum(http.header("x-amz-trailer")) if self._trailing else None

    @property
    def length(self) -> int | None:
        return self._length

    async def read(self, limit: int) -> bytes:
        return await gather(self, limit)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        chunks = self._chunks() if self._chain is None else self._signed_chunks(self._chain)
        async for data in chunks:
            size += len(data)
            if size > self._length:
                raise _incomplete()
            if self._checksum is not None:
                self._checksum.update(data)
            yield data
        if size != self._length:
            raise _incomplete()
        await self._end()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while left := (await self._head())[0]:
            while left:
                data = await self._source.some(min(left, limits.UNSIGNED_CHUNK_PIECE_BYTES))
                left -= len(data)
                yield data
            await self._source.crlf()

    async def _signed_chunks(self, chain: _Chain) -> AsyncIterator[bytes]:
        while True:
            size, signature = await self._head()
            if size > limits.SIGNED_CHUNK_BYTES:
                raise BodyTooLarge(limits.SIGNED_CHUNK_BYTES)
            data = await self._source.exactly(size)
            chain.check_chunk(data, signature)
            if not data:
                return
            await self._source.crlf()
            yield data

    async def _head(self) -> tuple[int, str]:
        found = _CHUNK_HEAD.fullmatch(await self._source.line())
        if found is None or (self._chain is None) != (found[2] is None):
            raise _incomplete()
        return int(found[1], 16), (found[2] or b"").decode()

    async def _end(self) -> None:
        """What comes after the last chunk: trailers, a signature over them, and nothing more."""
        trailers: dict[str, str] = {}
        while line := await self._source.line(or_end=True):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(trailers) == limits.CHUNK_TRAILERS:
                raise _malformed_trailer()
            trailers[name.strip().lower()] = value.strip()
        signature = trailers.pop(_TRAILER_SIGNATURE, "")
        if self._chain is not None and self._trailing:
            self._chain.check_trailers(trailers, signature)
        if self._checksum is not None:
            self._checksum.check(trailers)
        await self._source.end()


class _Source:
    """Reads a body by lines and counts."""

    def __init__(self, body: Body) -> None:
        self._chunks = body.__aiter__()
        self._buffer = bytearray()

    async def line(self, *, or_end: bool = False) -> bytes:
        """The next line without its end; with `or_end`, empty where the body is over."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > limits.CHUNK_LINE_BYTES:
                raise _incomplete()
            if not await self._more():
                if or_end and not self._buffer:
                    return b""
                raise _incomplete()
        if end > limits.CHUNK_LINE_BYTES:
            raise _incomplete()
        return self._take(end + 2)[:-2]

    async def some(self, most: int) -> bytes:
        """At least one byte, and at most `most`."""
        if not self._buffer and not await self._more():
            raise _incomplete()
        return self._take(most)

    async def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not await self._more():
                raise _incomplete()
        return self._take(count)

    async def crlf(self) -> None:
        if await self.exactly(2) != b"\r\n":
            raise _incomplete()

    async def end(self) -> None:
        """Nothing more may come."""
        if self._buffer or await self._more():
            raise _incomplete()

    async def _more(self) -> bool:
        data = await anext(self._chunks, b"")
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


class _Chain:
    """The chain of chunk signatures, which begins at the signature of the request."""

    def __init__(self, claim: Claim, key: bytes) -> None:
        self._key = key
        self._scope = f"{claim.timestamp}\n{claim.scope.path}"
        self._previous = claim.signature

    def check_chunk(self, data: bytes, signature: str) -> None:
        digest = hashlib.sha256(data).hexdigest()
        self._check(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._scope}\n{self._previous}\n{EMPTY_SHA256}\n{digest}", signature)

    def check_trailers(self, trailers: dict[str, str], signature: str) -> None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        digest = hashlib.sha256(text.encode("latin-1")).hexdigest()
        self._check(f"AWS4-HMAC-SHA256-TRAILER\n{self._scope}\n{self._previous}\n{digest}", signature)

    def _check(self, text: str, signature: str) -> None:
        expected = sign(self._key, text)
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
            raise NotAuthentic(Fault.SIGNATURE, StringToSign=text, SignatureProvided=signature)
        self._previous = expected


class _Crc:
    """A running cyclic redundancy check of awscrt, with the interface of hashlib."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_ALGORITHMS: dict[str, Callable[[], _Crc | hashlib._Hash]] = {
    "crc32": lambda: _Crc(checksums.crc32, 4),
    "crc32c": lambda: _Crc(checksums.crc32c, 4),
    "crc64nvme": lambda: _Crc(checksums.crc64nvme, 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class _Checksum:
    def __init__(self, header: str, algorithm: str) -> None:
        self._header = header
        self._name = algorithm.upper()
        self._running = _ALGORITHMS[algorithm]()

    def update(self, data: bytes) -> None:
        self._running.update(data)

    def check(self, trailers: dict[str, str]) -> None:
        given = trailers.get(self._header)
        if given is None:
            raise _malformed_trailer()
        if given != base64.b64encode(self._running.digest()).decode():
            text = f"The {self._name} you specified did not match the calculated checksum."
            raise AwsError("BadDigest", text, status=400)


def _checksum(header: str) -> _Checksum | None:
    """The checksum that x-amz-trailer announces. Raises AwsError for one that there is not."""
    name = header.strip().lower()
    if not name:
        return None
    algorithm = name.removeprefix("x-amz-checksum-")
    if algorithm not in _ALGORITHMS:
        raise _invalid("The value specified in the x-amz-trailer header is not supported")
    return _Checksum(name, algorithm)


def _decoded_length(http: HttpRequest) -> int:
    text = http.header("x-amz-decoded-content-length")
    if not (text.isascii() and text.isdigit()) or len(text) > limits.LENGTH_DIGITS:
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", status=411)
    return int(text)


def _incomplete() -> AwsError:
    return AwsError("IncompleteBody", "The request body terminated unexpectedly", status=400)


def _malformed_trailer() -> AwsError:
    text = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return AwsError("MalformedTrailerError", text, status=400)


def _invalid(text: str) -> AwsError:
    return AwsError("InvalidArgument", text, status=400)
