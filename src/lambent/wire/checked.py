"""A streamed request body that is bounded and, where the client signed its hash, held to it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.wire.claims import Fault, NotAuthentic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lambent.kernel.body import Body


class CheckedBody:
    """A `Body` over another. Its end raises NotAuthentic where the bytes do not hash to `digest` (sha256, hex)."""

    def __init__(self, body: Body, limit: int, digest: str | None = None) -> None:
        """Raises BodyTooLarge where more than `limit` bytes are announced."""
        if body.length is not None and body.length > limit:
            raise BodyTooLarge(limit)
        self._body = body
        self._limit = limit
        self._digest = digest

    @property
    def length(self) -> int | None:
        return self._body.length

    async def read(self, limit: int) -> bytes:
        return await gather(self, limit)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        running = hashlib.sha256()
        async for data in self._body:
            size += len(data)
            if size > self._limit:
                raise BodyTooLarge(self._limit)
            if self._digest is not None:
                running.update(data)
            yield data
        if self._digest is not None and running.hexdigest() != self._digest:
            raise NotAuthentic(
                Fault.BODY_HASH,
                ClientComputedContentSHA256=self._digest,
                S3ComputedContentSHA256=running.hexdigest(),
            )


async def gather(body: Body, limit: int, take: Callable[[int], None] | None = None) -> bytes:
    """All chunks of `body` in one; `take` is told of each as it comes.

    Raises BodyTooLarge as soon as more than `limit` bytes are announced or come.
    """
    if body.length is not None and body.length > limit:
        raise BodyTooLarge(limit)
    parts: list[bytes] = []
    size = 0
    async for data in body:
        size += len(data)
        if size > limit:
            raise BodyTooLarge(limit)
        if take is not None:
            take(len(data))
        parts.append(data)
    if size > limits.LOOP_BYTES:
        return await asyncio.to_thread(b"".join, parts)
    return b"".join(parts)
