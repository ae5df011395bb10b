"""The framed log descriptor of AWS's runtime clients, taken apart into messages.

A frame is a type (u32), the length of the message (u32) and its time in microseconds since the epoch (u64), all big
endian, and the message. The type says text or JSON, and the level.
https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/lambda_runtime_log_utils.py
"""

from __future__ import annotations

import struct

import msgspec

from lambent.compute.telemetry.levels import Level
from lambent.kernel import limits

_HEAD = struct.Struct(">IIQ")
_MAGIC = b"\xa5\x5a\x00"
_KINDS = (2, 3)
"""JSON and text, the low two bits of a type; the level stands above them."""


class Frame(msgspec.Struct, frozen=True):
    """One message. `level` and `time` (seconds since the epoch) are None where it has none."""

    text: str
    level: Level | None = None
    time: float | None = None


class Frames:
    """Takes the bytes of the descriptor, cut anywhere, and gives the messages in their order.

    What is no frame becomes a message of its own, so that nothing is lost. Messages are cut at LOG_LINE_BYTES, and no
    more than that is held.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._stray = bytearray()
        self._head: tuple[Level | None, float] | None = None
        self._missing = 0
        """How much of the message's part that is kept has still to come."""
        self._surplus = 0
        """How much of the message comes behind that part."""
        self.messages: list[Frame] = []
        """What `take` would give."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data += data
        while self._step():
            pass

    def end(self) -> None:
        """Nothing more will come: what is there of an unended message is a message too."""
        if self._head is not None:
            self._missing = len(self._data)
            self._message(self._head)
        self._stray += self._data
        self._data.clear()
        self._tell_stray()
        self._surplus = 0

    def take(self) -> list[Frame]:
        """The messages that have come since the last time."""
        messages, self.messages = self.messages, []
        return messages

    def _step(self) -> bool:
        """Take one thing off the data; False where more has to come first."""
        if self._head is not None:
            if len(self._data) < self._missing:
                return False
            self._message(self._head)
            return True
        if self._surplus:
            passed = min(self._surplus, len(self._data))
            del self._data[:passed]
            self._surplus -= passed
            return bool(passed)
        return self._begin()

    def _begin(self) -> bool:
        """Find the next frame's head; what stands before it is stray."""
        start = self._data.find(_MAGIC)
        if start < 0:
            self._pass(len(self._data) - _overlap(self._data))
            return False
        self._pass(start)
        if len(self._data) < _HEAD.size:
            return False
        kind, length, microseconds = _HEAD.unpack_from(self._data)
        level, form = (kind & 0xFF) >> 2, kind & 3
        if form not in _KINDS or level > Level.FATAL:
            self._pass(1)
            return True
        self._tell_stray()
        del self._data[: _HEAD.size]
        self._missing = min(length, limits.LOG_LINE_BYTES)
        self._surplus = length - self._missing
        self._head = (Level(level) if level else None, microseconds / 1_000_000)
        return True

    def _message(self, head: tuple[Level | None, float]) -> None:
        text = self._data[: self._missing].decode("utf-8", "replace")
        del self._data[: self._missing]
        self.messages.append(Frame(text, *head))
        self._head = None

    def _pass(self, count: int) -> None:
        self._stray += self._data[:count]
        del self._data[:count]
        while len(self._stray) >= limits.LOG_LINE_BYTES:
            self._say(self._stray[: limits.LOG_LINE_BYTES])
            del self._stray[: limits.LOG_LINE_BYTES]

    def _tell_stray(self) -> None:
        if self._stray:
            self._say(self._stray)
            self._stray.clear()

    def _say(self, stray: bytearray) -> None:
        self.messages.append(Frame(stray.decode("utf-8", "replace")))


def _overlap(data: bytearray) -> int:
    """How many bytes at the end of `data` may be the beginning of a head."""
    return next((size for size in (2, 1) if data.endswith(_MAGIC[:size])), 0)
