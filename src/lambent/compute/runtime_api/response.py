"""What takes a runtime's answers: whole ones, errors, and streams that pass through while the function still writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers, failures
from lambent.compute.runtime_api.request import Body
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.runtime_api.api import Event, Sink
    from lambent.compute.runtime_api.parts import Machine
    from lambent.compute.runtime_api.request import Peer


class Result:
    """Takes a result of at most INVOKE_PAYLOAD_BYTES, also a streamed one whose caller wants it whole. Of one that is
    longer, the caller hears at once."""

    __slots__ = ("_body", "_event", "_peer", "_runtime")

    def __init__(self, runtime: Machine, peer: Peer, event: Event) -> None:
        self._runtime = runtime
        self._peer = peer
        self._event = event
        self._body = Body(limits.INVOKE_PAYLOAD_BYTES)

    def feed(self, chunk: bytes) -> None:
        if self._body.add(chunk) and not self._runtime.over:
            self._runtime.listener.too_large(self._event.sequence)

    def done(self, trailers: Mapping[bytes, bytes]) -> None:
        if self._runtime.over:
            return
        if not self._body.too_large:
            self._tell(self._body.take(), trailers)
        self._runtime.sent(self._event)
        self._peer.reply(answers.TOO_LARGE if self._body.too_large else answers.ACCEPTED)

    def lost(self) -> None:
        if self._runtime.over:
            return
        if not self._body.too_large:
            self._runtime.listener.broken(self._event.sequence, failures.TRUNCATED_BODY, failures.TRUNCATED)
        self._runtime.sent(self._event)

    def _tell(self, body: bytes, trailers: Mapping[bytes, bytes]) -> None:
        listener = self._runtime.listener
        if failures.TYPE in trailers:
            error = failures.trailer(trailers.get(failures.BODY, b""))
            listener.failed(self._event.sequence, error, failures.kind(trailers[failures.TYPE]))
        else:
            listener.answered(self._event.sequence, body)


class Failure(Result):
    """Takes an error."""

    __slots__ = ("_content_type", "_kind")

    def __init__(self, runtime: Machine, peer: Peer, event: Event, content_type: bytes, kind: str) -> None:
        super().__init__(runtime, peer, event)
        self._content_type = content_type
        self._kind = kind

    def _tell(self, body: bytes, trailers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 no error has any
        self._runtime.listener.failed(self._event.sequence, failures.body(self._content_type, body), self._kind)


class Streamed:
    """Passes an answer on as it comes. While the caller has not taken what there is, no more is read of it."""

    def __init__(self, runtime: Machine, peer: Peer, event: Event, sink: Sink) -> None:
        self._runtime = runtime
        self._peer = peer
        self._event = event
        self._sink = sink
        self._chunks: list[bytes] = []
        self._size = 0
        self._held = False
        self._something = asyncio.Event()
        self._trailers: Mapping[bytes, bytes] | None = None
        self._lost = False

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > limits.RUNTIME_API_STREAM_BYTES and not self._held:
            self._held = True
            self._peer.hold()
        self._something.set()

    def done(self, trailers: Mapping[bytes, bytes]) -> None:
        self._trailers = trailers
        self._something.set()

    def lost(self) -> None:
        self._lost = True
        self._something.set()

    async def run(self) -> None:
        """Pass on until the answer is whole or has broken off."""
        while self._chunks or (self._trailers is None and not self._lost):
            await self._something.wait()
            self._something.clear()
            await self._pass_on()
        self._finish()

    async def _pass_on(self) -> None:
        chunks, self._chunks, self._size = self._chunks, [], 0
        if chunks and not self._sink.cancelled:
            await self._sink.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if self._held and self._size <= limits.RUNTIME_API_STREAM_BYTES:
            self._held = False
            self._peer.release()

    def _finish(self) -> None:
        if self._runtime.over:
            return
        self._tell(self._trailers)
        self._runtime.sent(self._event)
        if self._trailers is not None:
            self._peer.reply(answers.ACCEPTED)

    def _tell(self, trailers: Mapping[bytes, bytes] | None) -> None:
        if trailers is None:
            self._sink.fail(failures.TRUNCATED, failures.TRUNCATED_BODY)
        elif failures.TYPE in trailers:
            error = failures.trailer(trailers.get(failures.BODY, b""))
            self._sink.fail(failures.kind(trailers[failures.TYPE]), error)
        else:
            self._sink.end()
