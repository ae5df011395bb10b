"""What the endpoints of one environment work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.extensions.registry import Extensions
    from lambent.compute.runtime_api.api import About, Event, Host, Listener
    from lambent.compute.runtime_api.request import Peer
    from lambent.compute.runtime_api.runtime import State
    from lambent.kernel.tasks import Supervisor


class NotServed(Exception):
    """This environment does not have the path: 404."""


class Machine(Protocol):
    """A runtime's state machine, as the endpoints see it. Where a request is not allowed, it raises Refusal."""

    listener: Listener
    over: bool
    """Whether the environment wants to hear no more of it."""

    def ask(self, peer: Peer) -> None:
        """/runtime/invocation/next."""

    def leave(self, peer: Peer) -> None:
        """The connection over which the runtime asked has ended."""

    def answer(self, request_id: bytes, nonce: bytes | None, state: State) -> Event:
        """The event that is answered with a result (`RESPONDING`) or an error (`FAILING`) whose body follows."""

    def passes_on(self, streaming: asyncio.Task[None]) -> None:
        """The answer is a stream, which that task passes on."""

    def sent(self, event: Event) -> None:
        """The answer to `event` has come, for good or bad, and the listener knows it, who may have ended the
        environment."""

    def init_error(self, error: bytes, kind: str) -> None:
        """/runtime/init/error."""

    def ask_restore(self, peer: Peer) -> None:
        """/runtime/restore/next."""

    def restore_error(self, error: bytes, kind: str) -> None:
        """/runtime/restore/error."""

    @property
    def streaming(self) -> asyncio.Task[None] | None:
        """What passes on, or has passed on, a streamed answer; None before any."""

    def end(self) -> None:
        """Tell nothing more to the listener or a stream."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime, its extensions, and what they may learn."""

    about: About
    host: Host
    runtime: Machine
    extensions: Extensions
    tasks: Supervisor
