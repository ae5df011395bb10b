"""A request to the Runtime API while it is received: who asks, what for, and what becomes of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.api import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Peer(Protocol):
    """The connection over which a request came, and which waits for its answer."""

    def reply(self, data: bytes, more: bytes = b"") -> None:
        """Answer, once; `more` follows `data`. Harmless where the other end has gone."""

    def hold(self) -> None:
        """Read no more for now."""

    def release(self) -> None:
        """Read on."""

    def abort(self) -> None:
        """Cut the connection; nobody is told that it is lost."""


class Request:
    """A request whose head is complete. Header names are lower case."""

    __slots__ = ("fields", "method", "path", "peer")

    def __init__(self, method: bytes, path: bytes, fields: Mapping[bytes, bytes], peer: Peer) -> None:
        self.method = method
        self.path = path
        self.fields = fields
        self.peer = peer

    def text(self, name: bytes) -> str:
        """A header's value; empty where it is missing. What is not UTF-8 in it is replaced."""
        return self.fields.get(name, b"").decode(errors="replace")


class Intake(Protocol):
    """What takes the body of one request and sees to its answer."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body, never none."""

    def done(self, trailers: Mapping[bytes, bytes]) -> None:
        """The body is complete; `trailers` are headers that followed it, names in lower case."""

    def lost(self) -> None:
        """The connection ended before the answer was sent, perhaps before the body was complete."""


class Body:
    """The bytes of a body, kept as long as they are no more than `limit`."""

    __slots__ = ("_buffer", "_first", "_limit", "too_large")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._first = b""
        self._buffer: bytearray | None = None
        self.too_large = False

    def add(self, chunk: bytes) -> bool:
        """Keep `chunk`; whether it is the one that makes the body too large. In one buffer, so that the smallest of
        chunks cost no more than their bytes."""
        if self.too_large:
            return False
        if self._buffer is None and not self._first:
            self._first = chunk
            self.too_large = len(chunk) > self._limit
        else:
            if self._buffer is None:
                self._buffer = bytearray(self._first)
            self._buffer += chunk
            self.too_large = len(self._buffer) > self._limit
        if self.too_large:
            self._first, self._buffer = b"", None
        return self.too_large

    def take(self) -> bytes:
        """What was kept."""
        return self._first if self._buffer is None else bytes(self._buffer)


class Dropped:
    """Takes a body that nobody wants; the answer is known."""

    __slots__ = ("_answer", "_peer")

    def __init__(self, peer: Peer, answer: bytes) -> None:
        self._peer = peer
        self._answer = answer

    def feed(self, chunk: bytes) -> None:
        """Nothing is kept: an answer ahead of the body's end would be lost to most clients."""

    def done(self, trailers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 an intake's shape
        self._peer.reply(self._answer)

    def lost(self) -> None:
        """Nobody waits for the answer any more."""


class Whole:
    """Takes a body of at most `limit` bytes, and answers with what `handle` makes of it."""

    __slots__ = ("_body", "_handle", "_limit", "_peer")

    def __init__(self, peer: Peer, limit: int, handle: Callable[[bytes], bytes]) -> None:
        self._peer = peer
        self._limit = limit
        self._handle = handle
        self._body = Body(limit)

    def feed(self, chunk: bytes) -> None:
        self._body.add(chunk)

    def done(self, trailers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 an intake's shape
        try:
            answer = self._answer()
        except Refusal as refused:
            answer = answers.refusal(refused)
        self._peer.reply(answer)

    def lost(self) -> None:
        """Half a request changes nothing."""

    def _answer(self) -> bytes:
        if self._body.too_large:
            message = f"Exceeded maximum allowed payload size ({self._limit} bytes)."
            raise Refusal(413, "RequestEntityTooLarge", message)
        return self._handle(self._body.take())
