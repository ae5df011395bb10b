"""What a guest writes to its standard output and error: lines, and whole messages framed by the runtime client."""

from __future__ import annotations

from lambent.compute.channel import SECRET_BYTES
from lambent.kernel import limits

_HEAD = SECRET_BYTES + 3


class Output:
    """Cuts the bytes of one process's output into log messages, in the order in which they were written.

    A line ends at its newline; a frame holds one message of any number of lines. Frames carry the environment's secret
    and are written whole, so that neither lines nor other frames can tear or forge them. A mark is a frame that ends
    an invocation's share; it is written where something else in the process may print on.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._held = b""
        self._line = b""
        self._framed = bytearray()
        self.messages: list[str] = []
        """What `take` would give."""
        self._behind: list[str] = []
        self._behind_bytes = 0
        self._coming = self.messages
        self.mark = -1
        """The sequence number of the last mark that has come."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere. OUTPUT_BEHIND_BYTES behind a mark are too many to wait for its passing."""
        if self._coming is self._behind:
            self._behind_bytes += len(data)
            if self._behind_bytes > limits.OUTPUT_BEHIND_BYTES:
                self.pass_mark()
        if self._held:
            data, self._held = self._held + data, b""
        start = 0
        while (found := data.find(self._secret, start)) >= 0:
            head = found + _HEAD
            end = head + int.from_bytes(data[head - 2 : head], "big")
            self._lines(data[start:found])
            start = found
            if len(data) < head or len(data) < end:
                self._held = data[found:]
                return
            self._frame(data[head - 3], data[head:end])
            start = end
        cut = len(data) - self._begun(data, start)
        self._held = data[cut:]
        self._lines(data[start:cut])

    def end(self) -> None:
        """Nothing more will come for now: an unended line is a message too."""
        if self._held:
            held, self._held = self._held, b""
            self._lines(held)
        if self._line:
            line, self._line = self._line, b""
            self._say(line)

    def take(self) -> list[str]:
        """The messages that have come since the last time, up to the mark where one has come."""
        messages = self.messages
        self.messages = []
        if self._coming is messages:
            self._coming = self.messages
        return messages

    def pass_mark(self) -> None:
        """Let `take` go on behind the mark."""
        if self._coming is self.messages:
            return
        self.messages += self._behind
        self._behind = []
        self._behind_bytes = 0
        self._coming = self.messages

    def _begun(self, data: bytes, start: int) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret."""
        for size in range(min(SECRET_BYTES - 1, len(data) - start), 0, -1):
            if data.endswith(self._secret[:size]):
                return size
        return 0

    def _frame(self, kind: int, body: bytes) -> None:
        if kind == ord("M"):
            if self._line:
                line, self._line = self._line, b""
                self._say(line)
            self.mark = int.from_bytes(body, "big")
            self._coming = self._behind
        elif len(self._framed) < limits.LOG_LINE_BYTES:
            self._framed += body
        if kind == ord("L"):
            message = self._framed[: limits.LOG_LINE_BYTES]
            self._framed.clear()
            self._coming.append(message.decode("utf-8", "replace"))

    def _lines(self, data: bytes) -> None:
        if not data:
            return
        *whole, self._line = (self._line + data).split(b"\n")
        for line in whole:
            self._say(self._cut(line))
        self._line = self._cut(self._line)

    def _cut(self, line: bytes) -> bytes:
        """What is left of a line without the parts of it that fill messages of their own."""
        while len(line) > limits.LOG_LINE_BYTES:
            self._coming.append(line[: limits.LOG_LINE_BYTES].decode("utf-8", "replace"))
            line = line[limits.LOG_LINE_BYTES :]
        return line

    def _say(self, line: bytes) -> None:
        """One message of a line; a carriage return within it stands for a line break, by AWS's convention."""
        text = line.decode("utf-8", "replace")
        if "\r" in text:
            text = text.removesuffix("\r").replace("\r", "\n")
        self._coming.append(text + "\n")
