"""A request in line for its answer, and the end of an answer that is not wanted to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.wire.http import HttpRequest
    from lambent.wire.upload import Upload


class Job:
    """A request that waits for its answer; `refusal` is the status where it was not even worth handling."""

    __slots__ = ("has_body", "modern", "refusal", "request", "upload")

    def __init__(self, request: HttpRequest, *, modern: bool = True, refusal: int = 0) -> None:
        self.request = request
        self.has_body = False
        self.modern = modern
        self.refusal = refusal
        self.upload: Upload | None = None


async def dispose(body: bytes | AsyncIterator[bytes]) -> None:
    """Let an iterator that is not read to its end run its `finally` now."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
