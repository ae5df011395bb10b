"""The state machine of a runtime that speaks HTTP: who may say what when, and which event waits for it.

Started -> Ready -> Running -> InvocationResponse | InvocationErrorResponse -> RuntimeResponseSentState -> Ready; from
Started also InitError, and with SnapStart RestoreReady -> Restoring -> Ready | RestoreError.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.api import Refusal

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.runtime_api.api import Event, Listener
    from lambent.compute.runtime_api.request import Peer


class State(enum.Enum):
    """Where a runtime is; the values are AWS's names, which runtimes see in errors."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONDING = "InvocationResponse"
    FAILING = "InvocationErrorResponse"
    SENT = "RuntimeResponseSentState"
    RESTORE_READY = "RestoreReady"
    RESTORING = "Restoring"
    RESTORE_ERROR = "RestoreError"


class Runtime:
    """One runtime process, from its start to its end, that takes one event at a time."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.state = State.STARTED
        self.over = False
        """Whether the environment wants to hear no more of it."""
        self._streaming: asyncio.Task[None] | None = None
        self._event: Event | None = None
        self._answered = 0
        self._request_id = b""
        self._nonce = b""
        self._head = b""
        self._asking: Peer | None = None

    @property
    def streaming(self) -> asyncio.Task[None] | None:
        """What passes on, or has passed on, the last streamed answer; None before any."""
        return self._streaming

    # What the environment does.

    def event(self, event: Event) -> None:
        """Hand over `event`, now or when the runtime asks. The one before must be answered."""
        assert self._event is None
        self._event = event
        self._request_id = event.request_id.encode()
        self._nonce = event.invocation_id.encode()
        self._head = answers.event_head(event)
        if self.state is State.READY:
            self._give()

    def restore(self) -> None:
        """Let the runtime go on that waits in /restore/next."""
        assert self.state is State.RESTORE_READY
        self.state = State.RESTORING
        if self._asking is not None:
            peer, self._asking = self._asking, None
            peer.reply(answers.OK)

    def end(self) -> None:
        """Tell nothing more to the listener or a stream."""
        self.over = True
        self._event = self._asking = None
        if self._streaming is not None:
            self._streaming.cancel()

    # What the runtime does. Each raises Refusal where it may not.

    def ask(self, peer: Peer) -> None:
        """/runtime/invocation/next. An event that is not answered yet is given again."""
        match self.state:
            case State.SENT:
                self._wait(peer)
                self.listener.waiting(self._answered)
            case State.STARTED:
                self._wait(peer)
                self.listener.ready()
            case State.RESTORING:
                self._wait(peer)
                self.listener.restored()
            case State.READY:
                self._wait(peer)
            case State.RUNNING:
                assert self._event is not None
                peer.reply(self._head, self._event.payload)
                return
            case _:
                raise self._not_allowed(State.READY)
        if self._event is not None:
            self._give()

    def leave(self, peer: Peer) -> None:
        """The connection over which the runtime asked has ended."""
        if self._asking is peer:
            self._asking = None

    def answer(self, request_id: bytes, nonce: bytes | None, state: State) -> Event:
        """The event that is answered with a result (`RESPONDING`) or an error (`FAILING`) whose body follows."""
        if not request_id or request_id != self._request_id or (nonce is not None and nonce != self._nonce):
            raise Refusal(400, "InvalidRequestID", "Invalid request ID")
        if self.state is not State.RUNNING:
            raise self._not_allowed(state)
        assert self._event is not None
        self.state = state
        return self._event

    def passes_on(self, streaming: asyncio.Task[None]) -> None:
        """The answer is a stream, which that task passes on."""
        self._streaming = streaming

    def sent(self, event: Event) -> None:
        """The answer to `event` has come, for good or bad, and the listener knows it, who may have ended the
        environment."""
        if self.over:
            return
        self._answered = event.sequence
        self._event = None
        self.state = State.SENT

    def init_error(self, error: bytes, kind: str) -> None:
        """/runtime/init/error, which also a failed restore may use."""
        if self.state is State.RESTORING:
            self.restore_error(error, kind)
            return
        if self.state is not State.STARTED:
            raise self._not_allowed(State.INIT_ERROR)
        self.state = State.INIT_ERROR
        self.listener.init_failed(error, kind)

    def ask_restore(self, peer: Peer) -> None:
        """/runtime/restore/next."""
        match self.state:
            case State.STARTED:
                self._wait(peer, State.RESTORE_READY)
                self.listener.restore_ready()
            case State.RESTORE_READY:
                self._wait(peer, State.RESTORE_READY)
            case State.RESTORING:
                peer.reply(answers.OK)
            case _:
                raise self._not_allowed(State.RESTORE_READY)

    def restore_error(self, error: bytes, kind: str) -> None:
        """/runtime/restore/error."""
        if self.state is not State.RESTORING:
            raise self._not_allowed(State.RESTORE_ERROR)
        self.state = State.RESTORE_ERROR
        self.listener.restore_failed(error, kind)

    def _wait(self, peer: Peer, state: State = State.READY) -> None:
        """Let `peer` wait; one that waited before has been given up by its client."""
        if self._asking is not None:
            self._asking.abort()
        self._asking = peer
        self.state = state

    def _give(self) -> None:
        peer, event = self._asking, self._event
        if peer is None or event is None:
            return
        self._asking = None
        self.state = State.RUNNING
        peer.reply(self._head, event.payload)

    def _not_allowed(self, wanted: State) -> Refusal:
        message = (
            f"State transition from {self.state.value} to {wanted.value} failed for runtime. "
            "Error: State transition is not allowed"
        )
        return Refusal(403, "InvalidStateTransition", message)
