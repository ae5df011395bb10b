"""aws-chunked bodies: AWS's published example, botocore's own encoder, and every way to get them wrong."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from typing import TYPE_CHECKING

import pytest
from awscrt import checksums
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum, CrtCrc64NvmeChecksum, Sha256Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.kernel.body import BodyBroken, BodyTooLarge
from lambent.kernel.errors import AwsError
from lambent.wire import compress
from lambent.wire.checked import CheckedBody
from lambent.wire.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkedBody
from lambent.wire.claims import Claim, Fault, NotAuthentic, Scope
from lambent.wire.http import HttpRequest
from lambent.wire.sigv4 import EMPTY_SHA256, sign, signing_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCOPE = Scope.of("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3", "host")
KEY = signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3")
TIMESTAMP = "20130524T000000Z"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
EXAMPLE = b"".join(
    (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        b"a" * 65536,
        b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        b"a" * 1024,
        b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    )
)
LIMIT = 10_000_000


class Pieces:
    """A body that arrives in pieces of one size, and breaks off where `broken`."""

    def __init__(self, data: bytes, size: int = 1000, *, broken: bool = False) -> None:
        self._data = data
        self._size = size
        self._broken = broken
        self.length = None

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._data), self._size):
            yield self._data[at : at + self._size]
        if self._broken:
            raise BodyBroken("gone")


def chunked(
    data: bytes, length: int, mode: str = SIGNED, *, trailer: str = "", size: int = 1000, seed: str = SEED
) -> ChunkedBody:
    headers = [("x-amz-decoded-content-length", str(length)), ("x-amz-trailer", trailer)]
    http = HttpRequest("PUT", "/", "", headers, Pieces(data, size))
    return ChunkedBody(http, Claim(SCOPE, TIMESTAMP, seed, None, None, mode), KEY, LIMIT)


def signed(chunks: list[bytes], trailers: dict[str, str] | None = None) -> bytes:
    """A body signed as a client signs it; with `trailers`, those are signed as well."""
    previous, parts = SEED, []
    scope = f"{TIMESTAMP}\n{SCOPE.path}"
    for chunk in [*chunks, b""]:
        digest = hashlib.sha256(chunk).hexdigest()
        previous = sign(KEY, f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{EMPTY_SHA256}\n{digest}")
        end = b"\r\n" if chunk else b""
        parts.append(b"%x;chunk-signature=%b\r\n%b%b" % (len(chunk), previous.encode(), chunk, end))
    if trailers is not None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        digest = hashlib.sha256(text.encode()).hexdigest()
        signature = sign(KEY, f"AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{digest}")
        parts += [f"{name}:{value}\r\n".encode() for name, value in trailers.items()]
        parts.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
    return b"".join(parts) + b"\r\n"


@pytest.mark.parametrize("size", [1, 7, 1000, 1_000_000])
async def test_the_published_example_verifies(size: int) -> None:
    assert await chunked(EXAMPLE, 66560, size=size).read(LIMIT) == b"a" * 66560


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.integers(1, 400))
async def test_what_is_signed_is_what_is_read(chunks: list[bytes], size: int) -> None:
    whole = b"".join(chunks)
    assert await chunked(signed(chunks), len(whole), size=size).read(LIMIT) == whole
    trailers = {"x-amz-checksum-sha1": base64.b64encode(hashlib.sha1(whole).digest()).decode()}
    body = chunked(signed(chunks, trailers), len(whole), SIGNED_TRAILER, trailer="x-amz-checksum-sha1", size=size)
    assert await body.read(LIMIT) == whole


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        ("x-amz-checksum-crc32", Crc32Checksum),
        ("x-amz-checksum-crc64nvme", CrtCrc64NvmeChecksum),
        ("x-amz-checksum-sha256", Sha256Checksum),
    ],
)
async def test_what_botocore_frames_is_read_and_its_checksum_verified(header: str, algorithm: type) -> None:
    data = bytes(range(256)) * 5000
    framed = AwsChunkedWrapper(
        io.BytesIO(data), checksum_cls=algorithm, checksum_name=header, chunk_size=100_000
    ).read()
    assert await chunked(framed, len(data), UNSIGNED_TRAILER, trailer=header).read(LIMIT) == data
    wrong = framed.replace(data[:256], data[1:256] + b"x", 1)
    with pytest.raises(AwsError, match=r"BadDigest: The .* you specified did not match the calculated"):
        await chunked(wrong, len(data), UNSIGNED_TRAILER, trailer=header).read(LIMIT)


async def test_crc32c_is_verified() -> None:
    value = base64.b64encode(checksums.crc32c(b"hello").to_bytes(4, "big")).decode()
    data = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:{value}\r\n\r\n".encode()
    assert await chunked(data, 5, UNSIGNED_TRAILER, trailer="x-amz-checksum-crc32c").read(LIMIT) == b"hello"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"a" * 100, b"b" * 100, 1),
        lambda data: data.replace(b"chunk-signature=0", b"chunk-signature=1", 1),
        lambda data: data.replace(b"chunk-signature=b", b"chunk-signature=c", 1),
    ],
)
async def test_a_chunk_that_was_changed_is_refused_and_not_handed_on(change: object) -> None:
    assert callable(change)
    seen = 0
    with pytest.raises(NotAuthentic) as raised:
        async for data in chunked(change(EXAMPLE), 66560):
            seen += len(data)
    assert raised.value.fault is Fault.SIGNATURE
    assert seen < 66560 or b"0;chunk-signature=c" in change(EXAMPLE)


async def test_chunks_in_another_order_are_refused() -> None:
    first, second = signed([b"one", b"two"]), signed([b"two", b"one"])
    with pytest.raises(NotAuthentic):
        await chunked(second[:90] + first[90:], 6).read(LIMIT)


async def test_trailers_that_were_changed_are_refused() -> None:
    trailers = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"hello").digest()).decode()}
    data = signed([b"hello"], trailers)
    for wrong in (data.replace(b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0"), signed([b"hello"])):
        with pytest.raises(NotAuthentic):
            await chunked(wrong, 5, SIGNED_TRAILER, trailer="x-amz-checksum-sha256").read(LIMIT)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"5\r\nhello\r\n", "IncompleteBody"),
        (b"5\r\nhel", "IncompleteBody"),
        (b"5\r\nhelloX\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"zz\r\n", "IncompleteBody"),
        (b"", "IncompleteBody"),
        (b"-5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"ffffffffffffffffffff\r\n", "IncompleteBody"),
        (b"1" * 5000, "IncompleteBody"),
        (b"4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
        (b"6\r\nhello!\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\n" + b"".join(b"a%d:b\r\n" % n for n in range(99)) + b"\r\n", "MalformedTrailerError"),
    ],
)
async def test_broken_framing_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(AwsError) as raised:
        await chunked(data, 5, UNSIGNED_TRAILER, trailer="x-amz-checksum-crc32").read(LIMIT)
    assert raised.value.code == code


async def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(AwsError, match="IncompleteBody"):
        await chunked(EXAMPLE + b"more", 66560).read(LIMIT)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER]))
async def test_no_bytes_whatsoever_break_the_reader(data: bytes, mode: str) -> None:
    with pytest.raises((AwsError, NotAuthentic, BodyTooLarge)):
        await chunked(data, 5, mode, trailer="x-amz-checksum-crc32").read(LIMIT)


async def test_sizes_are_bounded() -> None:
    with pytest.raises(BodyTooLarge):
        chunked(b"", LIMIT + 1)
    with pytest.raises(BodyTooLarge):
        await chunked(EXAMPLE, 66560).read(66559)
    with pytest.raises(BodyTooLarge):
        await chunked(b"fffffff;chunk-signature=" + b"0" * 64 + b"\r\n", 5).read(LIMIT)


@pytest.mark.parametrize("length", ["", "-1", "٣", "1" * 40])
def test_the_decoded_length_is_required(length: str) -> None:
    http = HttpRequest("PUT", "/", "", [("x-amz-decoded-content-length", length)])
    with pytest.raises(AwsError, match="MissingContentLength"):
        ChunkedBody(http, Claim(SCOPE, TIMESTAMP, SEED, None, None, SIGNED), KEY, LIMIT)


def test_an_unknown_mode_or_checksum_is_refused() -> None:
    with pytest.raises(AwsError, match="InvalidArgument"):
        chunked(b"", 0, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    with pytest.raises(AwsError, match="InvalidArgument"):
        chunked(b"", 0, UNSIGNED_TRAILER, trailer="x-amz-checksum-md5")


# Bodies with one hash for all, and compressed ones.


async def test_a_body_is_held_to_the_hash_that_was_signed() -> None:
    digest = hashlib.sha256(b"hello").hexdigest()
    assert await CheckedBody(Pieces(b"hello"), 5, digest).read(5) == b"hello"
    with pytest.raises(NotAuthentic) as raised:
        await CheckedBody(Pieces(b"hellO"), 5, digest).read(5)
    assert raised.value.fault is Fault.BODY_HASH
    with pytest.raises(BodyTooLarge):
        await CheckedBody(Pieces(b"hello"), 4).read(100)
    with pytest.raises(BodyBroken):
        await CheckedBody(Pieces(b"hello", broken=True), 100).read(100)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_gzip_is_inflated(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert compress.inflate(b"".join(gzip.compress(part, mtime=0) for part in parts), len(whole)) == whole


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    with pytest.raises(BodyTooLarge):
        compress.inflate(bomb, 1_000_000)
    with pytest.raises(BodyTooLarge):
        compress.inflate(gzip.compress(b"a" * 600, mtime=0) * 2, 1000)


@pytest.mark.parametrize("data", [b"hello", gzip.compress(b"hello", mtime=0)[:-1], zlib.compress(b"hello")])
def test_what_is_not_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(AwsError, match="SerializationException"):
        compress.inflate(data, 100)


def test_only_codings_of_the_content_count() -> None:
    assert compress.codings("aws-chunked, GZIP,identity,") == ["gzip"]
