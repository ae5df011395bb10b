"""The door for Lambent's own runtime clients: events and answers as packets, and the output that belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lambent.compute.channel import Channel
from lambent.compute.output import Output
from lambent.compute.pipe import Pipe
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.function import Invocation
    from lambent.compute.sandbox.api import Cell
    from lambent.kernel.clock import Clock


class Listener(Protocol):
    """Who is told what the first guest of a cell says."""

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        """The client has sent a message; what was printed before it stands in `output`."""

    def printed(self) -> None:
        """There is something to `take`."""

    def hung_up(self) -> None:
        """The client's end of the channel is closed: by its death, or by the function itself."""


class Client:
    """The server's end of a cell's channel and output; takes both over. Works without a client at the other end as
    well: a custom runtime only prints."""

    def __init__(self, cell: Cell, clock: Clock, listener: Listener, secret: bytes) -> None:
        self._listener = listener
        self.output = Output(secret)
        """What has been printed; what came after an answer waits there for the passing of its mark."""
        self._pipe = Pipe(cell.output, self.output, clock, listener.printed)
        self._channel = Channel(cell.channel, secret, self, limits.INVOKE_PAYLOAD_BYTES)

    def event(self, sequence: int, invocation: Invocation, deadline_ms: int) -> None:
        """Send one event; `deadline_ms` is of the epoch."""
        head = (
            f"{invocation.request_id}\n{deadline_ms}\n{invocation.invoked_arn}\n{invocation.trace_id or ''}\n"
            f"{invocation.tenant_id or ''}\n"
        ).encode()
        if invocation.cognito_identity:
            head += invocation.cognito_identity.replace(b"\n", b" ")  # JSON has no line breaks but between its parts
        head += b"\n"
        if invocation.client_context:
            head += invocation.client_context
        self._channel.event(sequence, head, invocation.payload)

    def drain(self) -> None:
        """Take in what the client, which has been killed, has printed until now; it stands in `output`."""
        self._pipe.drain()
        self.output.end()

    def close(self) -> None:
        """Hear what has arrived to the end, then let go of the channel and the output."""
        self._channel.drain()
        self._channel.close()
        self.drain()
        self._pipe.close()

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        """Of the channel. Output and answer travel apart: what was printed before the answer is in the pipe by now."""
        self._pipe.drain(lambda: self.output.mark == sequence)
        if self.output.mark != sequence:
            self.output.end()
        self._listener.heard(kind, sequence, body)

    def hung_up(self) -> None:
        """Of the channel."""
        self._listener.hung_up()
