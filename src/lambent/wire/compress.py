"""Request compression: bodies that AWS clients send with `Content-Encoding: gzip`, inflated up to a limit."""

from __future__ import annotations

import zlib

from lambent.kernel.body import BodyTooLarge
from lambent.kernel.errors import AwsError

_GZIP = zlib.MAX_WBITS | 16


def codings(content_encoding: str) -> list[str]:
    """The codings of a Content-Encoding header, the innermost first, without those that frame a body only."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    return [name for name in names if name not in ("", "identity", "aws-chunked")]


def inflate(data: bytes, limit: int) -> bytes:
    """The content of a gzip stream. Raises BodyTooLarge beyond `limit` bytes, AwsError where it is none."""
    parts: list[bytes] = []
    room = limit
    while data:
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(data, room + 1)
        except zlib.error as failure:
            raise _unreadable() from failure
        if len(part) > room:
            raise BodyTooLarge(limit)
        if not member.eof:
            raise _unreadable()
        room -= len(part)
        parts.append(part)
        data = member.unused_data
    return b"".join(parts)


def _unreadable() -> AwsError:
    return AwsError("SerializationException", "The request body could not be decompressed.", status=400)
