"""A request in line for its answer, and the end of an answer that is not wanted to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lambent.wire.budget import Budget
    from lambent.wire.http import HttpRequest
    from lambent.wire.upload import Upload


class Job:
    """A request that waits for its answer; `refusal` is the status where it was not even worth handling."""

    __slots__ = ("has_body", "kept", "modern", "refusal", "request", "upload")

    def __init__(self, request: HttpRequest, *, modern: bool = True, refusal: int = 0) -> None:
        self.request = request
        self.has_body = False
        self.kept = 0
        """The bytes that its body takes, or will take, of what the server keeps of bodies unasked."""
        self.modern = modern
        self.refusal = refusal
        self.upload: Upload | None = None

    @property
    def held_bytes(self) -> int:
        """The bytes of its body that are kept until it is handled; of one that is still arriving none, as its own limit
        counts them."""
        if self.upload is None:
            return self.request.body.length or 0
        return self.upload.size if self.upload.complete else 0


def has_room(line: Sequence[Job]) -> bool:
    """Whether further requests may be read behind those of `line`: it is bounded in their number and their bodies."""
    return len(line) < limits.HTTP_PIPELINED and sum(job.held_bytes for job in line) <= limits.HTTP_BODY_BUFFER_BYTES


def forget(bodies: Budget, *jobs: Job | None) -> None:
    """Give back what is kept of the bodies of these. Harmless twice."""
    for job in jobs:
        if job is not None:
            bodies.left += job.kept
            job.kept = 0


async def dispose(body: bytes | AsyncIterator[bytes]) -> None:
    """Let an iterator that is not read to its end run its `finally` now."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
