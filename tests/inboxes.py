"""A service that takes events on the road of targets and keeps them, in the place of those that are not built."""

from __future__ import annotations

import json
import queue
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from lambent.kernel.targets import NO_ATTRIBUTES, Attribute, Sender
from lambent.services.lambda_ import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.kernel.arn import Arn
    from tests.conftest import Server

PATIENCE_S = 30


class Message(NamedTuple):
    """What came."""

    arn: str
    body: bytes
    trace: str
    sender: Sender | None
    attributes: Mapping[str, Attribute]

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Recipient:
    """A target of events that nobody calls for an answer; `keep` is what becomes of each."""

    def __init__(self, keep: Callable[[Message], None], *, ordered: bool = False) -> None:
        self.ordered = ordered
        self._keep = keep

    async def deliver(
        self,
        arn: Arn,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        self._keep(Message(str(arn), event, trace, sender, attributes))

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:
        raise AssertionError(f"{arn} was called with {event!r}")


class Inbox(Recipient):
    """The messages by the ARN that they were for. Filled by the server's loop, read by tests."""

    def __init__(self, *, ordered: bool = False) -> None:
        super().__init__(lambda message: self._queue(message.arn).put(message), ordered=ordered)
        self._lock = threading.Lock()
        self._queues: defaultdict[str, queue.Queue[Message]] = defaultdict(queue.Queue)

    def take(self, arn: str) -> Message:
        """The next message for `arn`, which is waited for."""
        return self._queue(arn).get(timeout=PATIENCE_S)

    def empty(self, arn: str) -> bool:
        """Whether nothing is there now."""
        return self._queue(arn).empty()

    def _queue(self, arn: str) -> queue.Queue[Message]:
        with self._lock:
            return self._queues[arn]


def inbox(server: Server, service: str = "sqs", *, ordered: bool = False) -> Inbox:
    """Have the server send what is for `service` to an inbox."""
    parts = next(each.parts for each in server.app.services if each.name == "lambda")
    assert isinstance(parts, Parts)
    made = Inbox(ordered=ordered)
    parts.targets.register(service, made)
    return made
