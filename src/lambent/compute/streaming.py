"""A streamed response: a bounded pipe of bytes from a runtime to the caller of its function.

The runtime is held back while the caller reads slowly, so a stream never grows in memory. A caller who goes away stops
nothing: the function runs on, as on AWS, and what it still writes is dropped.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lambent.compute import endings
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.function import Outcome
    from lambent.kernel.clock import Clock

DEFAULT_CONTENT_TYPE = "application/octet-stream"
TOO_LARGE = "Function.ResponseSizeTooLarge"


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a streamed invocation came out, known when all of it is over."""

    error: bytes | None = None
    """AWS's error JSON where the function failed half-way."""
    log_tail: bytes | None = None


class Stream:
    """The pipe, and what metrics want to know of it. One writer, one reader, one event loop.

    `over` is called once, when the last byte is written or the stream has failed. The invocation itself ends later,
    when the runtime asks for the next event: `complete` then lets the reader have the `ending`.
    """

    def __init__(self, clock: Clock, over: Callable[[Stream], None], content_type: str = DEFAULT_CONTENT_TYPE) -> None:
        self.content_type = content_type
        self.size = 0
        """Bytes that the function has written."""
        self.first: float | None = None
        """When the first byte came, by the monotonic clock in seconds."""
        self.last: float | None = None
        """When the stream was over, by the same clock."""
        self.error_type: str | None = None
        """Set where the stream has failed."""
        self.cancelled = False
        self._error: bytes | None = None
        self._clock = clock
        self._over = over
        self._unread = bytearray()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    # The runtime's side.

    async def write(self, chunk: bytes) -> None:
        """Pass `chunk` on; wait while more than STREAM_BUFFER_BYTES are unread.

        A stream that grows over STREAM_BYTES fails as Function.ResponseSizeTooLarge. What is written to a stream that
        is over is dropped: its runtime is being ended.
        """
        if self.last is not None or not chunk:
            return
        if self.first is None:
            self.first = self._clock.monotonic()
        self.size += len(chunk)
        if self.size > limits.STREAM_BYTES:
            self._too_large()
            return
        if self.cancelled:
            return
        self._unread += chunk
        self._changed.set()
        if len(self._unread) > limits.STREAM_BUFFER_BYTES:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing more comes, and all went well. Harmless when the stream is over."""
        if self.last is None:
            self._finish()

    def fail(self, error_type: str, error: bytes) -> None:
        """Nothing more comes, because of an error: `error` is its JSON. Harmless when the stream is over."""
        if self.last is None:
            self.error_type, self._error = error_type, error
            self._finish()

    def complete(self, log_tail: bytes | None = None) -> None:
        """The invocation is over, its last log line written; the stream must be over."""
        assert self.last is not None
        self._ending.set_result(Ending(error=self._error, log_tail=log_tail))

    # The caller's side.

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        """What has come since the last look. Bytes that came before a failure are read all the same."""
        while not self._unread:
            if self.last is not None:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        chunk = bytes(self._unread)
        self._unread.clear()
        self._room.set()
        return chunk

    async def ending(self) -> Ending:
        """How it came out; waits until the invocation is over."""
        return await asyncio.shield(self._ending)

    def cancel(self) -> None:
        """The caller has gone away. Harmless at any time."""
        self.cancelled = True
        self._unread.clear()
        self._room.set()

    def _too_large(self) -> None:
        text = f"Response payload size exceeded maximum allowed payload size ({limits.STREAM_BYTES} bytes)."
        self.fail(TOO_LARGE, endings.error(TOO_LARGE, text))

    def _finish(self) -> None:
        self.last = self._clock.monotonic()
        self._changed.set()
        self._room.set()
        self._over(self)


class Nowhere:
    """Where an answer goes that nobody waits for any more, because the environment is being ended."""

    cancelled = True

    async def write(self, chunk: bytes) -> None:
        """Drop `chunk`."""

    def end(self) -> None:
        """Nobody hears of it."""

    def fail(self, error_type: str, error: bytes) -> None:
        """Nobody hears of it."""


def forsaken(answer: asyncio.Future[Outcome]) -> None:
    """Who waits for the outcome has been cancelled. When it is there already nobody will read its stream, and the
    function would wait for a reader for ever."""
    if answer.cancelled() or answer.exception() is not None:
        return
    stream = answer.result().stream
    if stream is not None:
        stream.cancel()
