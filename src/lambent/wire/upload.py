"""A request body that is still arriving: bytes in from the connection, out to one reader, never far apart."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits
from lambent.kernel.body import BodyBroken, BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Sender(Protocol):
    """The connection that the bytes come from."""

    def invite(self) -> None:
        """Tell a client that waits for `100 Continue` to go on."""

    def hold_back(self) -> None:
        """Read no more for now."""

    def let_go(self) -> None:
        """Read on."""


class Upload:
    """A `Body` that a connection fills. Its reader holds the sender back by not asking."""

    __slots__ = (
        "_broken",
        "_chunks",
        "_discarding",
        "_ended",
        "_held",
        "_length",
        "_sender",
        "_size",
        "_waiter",
        "missing",
    )

    def __init__(self, sender: Sender, length: int | None) -> None:
        self._sender = sender
        self._length = length
        self.missing = length or 0
        """Bytes that are still to come; 0 or fewer where nobody has announced how many."""
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._broken: str | None = None
        self._held = False
        self._discarding = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def complete(self) -> bool:
        """Whether the last byte has come."""
        return self._ended

    @property
    def size(self) -> int:
        """What is here and not read takes so many bytes."""
        return self._size

    @property
    def held_back(self) -> bool:
        """Whether the sender waits for the reader, rather than the reader for the sender."""
        return self._held

    async def read(self, limit: int) -> bytes:
        if self._length is not None and self._length > limit:
            raise BodyTooLarge(limit)
        parts: list[bytes] = []
        size = 0
        while data := await self._next():
            size += len(data)
            if size > limit:
                raise BodyTooLarge(limit)
            parts.append(data)
        return b"".join(parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._next():
            yield data

    def feed(self, data: bytes) -> None:
        """Take bytes that have come."""
        self.missing -= len(data)
        if self._discarding:
            return
        self._chunks.append(data)
        self._size += len(data) + limits.HTTP_PIECE_BYTES
        if self._size > limits.HTTP_BODY_BUFFER_BYTES and not self._held:
            self._held = True
            self._sender.hold_back()
        self._wake()

    def end(self) -> None:
        """The last byte has come."""
        self._ended = True
        self._wake()

    def fail(self, reason: str) -> None:
        """No more bytes will come: the reader gets BodyBroken."""
        if not self._ended:
            self._broken = reason
            self._wake()

    def discard(self) -> None:
        """Nobody reads any more: drop what is here and what still comes."""
        self._discarding = True
        self._chunks.clear()
        self._release()

    async def _next(self) -> bytes:
        while not self._chunks:
            if self._broken is not None:
                raise BodyBroken(self._broken)
            if self._ended or self._discarding:
                return b""
            self._sender.invite()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._release()
        return data

    def _release(self) -> None:
        self._size = 0
        if self._held:
            self._held = False
            self._sender.let_go()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
