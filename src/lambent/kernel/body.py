"""A request or response body that may still be arriving: read whole up to a limit, or chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Body(Protocol):
    """Bytes that come once, in order."""

    @property
    def length(self) -> int | None:
        """The announced length in bytes; None where it was not announced."""

    async def read(self, limit: int) -> bytes:
        """All bytes. Raises BodyTooLarge as soon as more than `limit` bytes are announced or have come."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes in chunks as they arrive; the sender is held back while nobody asks."""


class BodyTooLarge(Exception):
    """The body is longer than its reader allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit} bytes")
        self.limit = limit


class BodyBroken(Exception):
    """The sender went away, or its framing was wrong, before the body was complete."""


class WholeBody:
    """A body that is already here."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    @property
    def length(self) -> int | None:
        return len(self._data)

    def within(self, limit: int) -> bytes:
        """All bytes, at once. Raises BodyTooLarge where they are more than `limit`."""
        if len(self._data) > limit:
            raise BodyTooLarge(limit)
        return self._data

    async def read(self, limit: int) -> bytes:
        return self.within(limit)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data
