"""The endpoints of an invocation: /runtime/invocation/next, and /response and /error below its request id.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers, failures
from lambent.compute.runtime_api.api import Refusal
from lambent.compute.runtime_api.request import Dropped
from lambent.compute.runtime_api.response import Failure, Result, Streamed
from lambent.compute.runtime_api.runtime import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.runtime_api.api import Event
    from lambent.compute.runtime_api.parts import Machine, Parts
    from lambent.compute.runtime_api.request import Intake, Peer, Request

_NONCE = b"lambda-runtime-invocation-id"
_MODE = b"lambda-runtime-function-response-mode"
_STREAM_TYPE = "application/octet-stream"


class Asking:
    """Takes a request that waits for what the runtime is to do next; `ask` is where it waits."""

    __slots__ = ("_ask", "_peer", "_runtime")

    def __init__(self, runtime: Machine, peer: Peer, ask: Callable[[Peer], None]) -> None:
        self._runtime = runtime
        self._peer = peer
        self._ask = ask

    def feed(self, chunk: bytes) -> None:
        """A question has no body; one that comes all the same says nothing."""

    def done(self, trailers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 an intake's shape
        try:
            self._ask(self._peer)
        except Refusal as refused:
            self._peer.reply(answers.refusal(refused))

    def lost(self) -> None:
        self._runtime.leave(self._peer)


def ask(parts: Parts, request: Request) -> Intake:
    """GET .../invocation/next."""
    return Asking(parts.runtime, request.peer, parts.runtime.ask)


def respond(parts: Parts, request: Request, request_id: bytes) -> Intake:
    """POST .../invocation/{id}/response: a result, whole or, with the response mode `streaming`, as it is written."""
    runtime = parts.runtime
    event = runtime.answer(request_id, request.fields.get(_NONCE), State.RESPONDING)
    mode = request.fields.get(_MODE)
    if not mode:
        return Result(runtime, request.peer, event)
    if mode.lower() != b"streaming":
        return _unknown_mode(runtime, request, event)
    if not event.streaming:
        return Result(runtime, request.peer, event)
    # Not as text: a header of the answer is made of it, which then has the same bytes.
    content_type = request.fields.get(b"content-type", b"").decode("latin-1")
    sink = runtime.listener.streaming(event.sequence, content_type or _STREAM_TYPE)
    streamed = Streamed(runtime, request.peer, event, sink)
    runtime.passes_on(parts.tasks.start("runtime-api-stream", streamed.run()))
    return streamed


def fail(parts: Parts, request: Request, request_id: bytes) -> Intake:
    """POST .../invocation/{id}/error."""
    runtime = parts.runtime
    event = runtime.answer(request_id, request.fields.get(_NONCE), State.FAILING)
    content_type = request.fields.get(b"content-type", b"")
    return Failure(runtime, request.peer, event, content_type, failures.kind(request.fields.get(failures.TYPE, b"")))


def _unknown_mode(runtime: Machine, request: Request, event: Event) -> Intake:
    runtime.listener.broken(event.sequence, failures.INVALID_MODE_BODY, failures.INVALID_MODE)
    runtime.sent(event)
    return Dropped(request.peer, answers.UNKNOWN_MODE)
