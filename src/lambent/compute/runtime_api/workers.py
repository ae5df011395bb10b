"""The state machine of a runtime that takes several events at a time: its workers ask, and answer, each for itself.

Which worker a request comes from is not known, so an invocation is over with its answer, in whatever order the answers
come, and a worker is free once somebody asks for an event.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-managed-instances
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.api import Listener, Refusal
from lambent.compute.runtime_api.runtime import State

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.runtime_api.api import Event
    from lambent.compute.runtime_api.request import Peer


class Foreman(Listener, Protocol):
    """The environment of a runtime that takes several events at a time."""

    def asked(self) -> None:
        """A worker asks for an event, and there is none."""


class Workers:
    """At most `most` workers of one runtime. `foreman.ready` is told when the first of them asks."""

    def __init__(self, foreman: Foreman, most: int) -> None:
        self.listener: Listener = foreman
        self._foreman = foreman
        self.over = False
        self._most = most
        self._started = self._failed = False
        self._asking: OrderedDict[Peer, None] = OrderedDict()
        self._waiting: OrderedDict[int, Event] = OrderedDict()
        """Events that no worker has asked for yet, by their sequence."""
        self._running: dict[bytes, dict[bytes, Event]] = {}
        """Those that workers have and have not begun to answer, by request id and nonce: an asynchronous invocation is
        repeated by the same id, and what is still at work on it, though its time is up, has another nonce."""
        self._streaming: set[asyncio.Task[None]] = set()

    @property
    def streaming(self) -> asyncio.Task[None] | None:
        """What passes on a streamed answer; None where nothing does."""
        return next(iter(self._streaming), None)

    @property
    def asking(self) -> int:
        """How many workers wait for an event."""
        return len(self._asking)

    # What the environment does.

    def event(self, event: Event) -> None:
        """Hand `event` to a worker that waits, or to the next that asks."""
        self._waiting[event.sequence] = event
        self._give()

    def withdraw(self, sequence: int) -> bool:
        """Take back an event that no worker has; False where one has it."""
        return self._waiting.pop(sequence, None) is not None

    def forget(self, sequence: int) -> None:
        """The worker that has an event will not answer: nothing of it is kept."""
        for request_id, events in list(self._running.items()):
            left = {nonce: event for nonce, event in events.items() if event.sequence != sequence}
            if left:
                self._running[request_id] = left
            else:
                del self._running[request_id]

    def end(self) -> None:
        """Tell nothing more to the listener or a stream."""
        self.over = True
        self._asking.clear()
        self._waiting.clear()
        self._running.clear()
        for streaming in self._streaming:
            streaming.cancel()

    # What the workers do. Each raises Refusal where it may not.

    def ask(self, peer: Peer) -> None:
        """/runtime/invocation/next."""
        if self._failed:
            raise _not_allowed(State.INIT_ERROR, State.READY)
        if len(self._asking) >= self._most:
            message = f"No more than {self._most} requests for an event can wait at a time"
            raise Refusal(429, "Runtime.TooManyIdleRuntimes", message)
        self._asking[peer] = None
        if not self._started:
            self._started = True
            self.listener.ready()
        self._give()
        if peer in self._asking:
            self._foreman.asked()

    def leave(self, peer: Peer) -> None:
        """The connection over which a worker asked has ended."""
        self._asking.pop(peer, None)

    def answer(self, request_id: bytes, nonce: bytes | None, state: State) -> Event:  # noqa: ARG002 a machine's shape
        """The event whose result or error follows; without a nonce, the first of that id. Each is answered once."""
        events = self._running.get(request_id, {})
        event = events.pop(next(iter(events), b"") if nonce is None else nonce, None)
        if event is None:
            raise Refusal(400, "InvalidRequestID", "Invalid request ID")
        if not events:
            del self._running[request_id]
        return event

    def passes_on(self, streaming: asyncio.Task[None]) -> None:
        """An answer is a stream, which that task passes on."""
        self._streaming.add(streaming)
        streaming.add_done_callback(self._streaming.discard)

    def sent(self, event: Event) -> None:
        """The answer to `event` has come: the worker is done with it."""
        if not self.over:
            self.listener.waiting(event.sequence)

    def init_error(self, error: bytes, kind: str) -> None:
        """/runtime/init/error: of one worker, which speaks for them all as long as none has asked for an event."""
        if self._started or self._failed:
            raise _not_allowed(State.READY if self._started else State.INIT_ERROR, State.INIT_ERROR)
        self._failed = True
        self.listener.init_failed(error, kind)

    def ask_restore(self, peer: Peer) -> None:  # noqa: ARG002 a machine's shape
        """/runtime/restore/next: nothing here is made from a snapshot."""
        raise _not_allowed(State.STARTED, State.RESTORE_READY)

    def restore_error(self, error: bytes, kind: str) -> None:  # noqa: ARG002 a machine's shape
        """/runtime/restore/error."""
        raise _not_allowed(State.STARTED, State.RESTORE_ERROR)

    def _give(self) -> None:
        while self._waiting and self._asking:
            _, event = self._waiting.popitem(last=False)
            peer, _ = self._asking.popitem(last=False)
            self._running.setdefault(event.request_id.encode(), {})[event.invocation_id.encode()] = event
            peer.reply(answers.event_head(event), event.payload)


def _not_allowed(held: State, wanted: State) -> Refusal:
    message = (
        f"State transition from {held.value} to {wanted.value} failed for runtime. "
        "Error: State transition is not allowed"
    )
    return Refusal(403, "InvalidStateTransition", message)
