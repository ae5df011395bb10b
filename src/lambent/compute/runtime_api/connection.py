"""One connection of a guest to the Runtime API: HTTP/1.1, one request at a time, kept alive, parsed by httptools.

The parser only notes what it sees; what follows from it happens when it is done with what has arrived. A request that
is sent before the last one is answered ends the connection: no client of this API does that, and a queue would be
another thing to bound. Nothing more is read of a guest that leaves too much of its answers unread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

import httptools

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.request import Request
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.runtime_api.request import Intake


class Owner(Protocol):
    """The Runtime API, as its connections see it."""

    def opened(self, connection: Connection) -> bool:
        """Take note of a new connection; False where it cannot be served."""

    def gone(self, connection: Connection) -> None:
        """The connection has ended."""

    def begin(self, request: Request) -> Intake:
        """What takes the request's body and answers it."""


class Connection(asyncio.Protocol):
    """The protocol object of one connection, and the peer of its requests."""

    __slots__ = (
        "_ahead",
        "_chunks",
        "_complete",
        "_fields",
        "_full",
        "_headed",
        "_held",
        "_intake",
        "_last",
        "_method",
        "_owner",
        "_parser",
        "_received",
        "_silent",
        "_trailers",
        "_transport",
        "_unparsed",
        "_url",
    )

    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser: Any = _parser(self)
        self._method = b""
        self._url = b""
        self._fields: dict[bytes, bytes] = {}
        self._trailers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._intake: Intake | None = None
        self._headed = False
        self._complete = False
        self._ahead = False
        self._last = False
        self._silent = False
        self._held = False  # by the intake
        self._full = False  # of answers
        self._received = 0  # of this request
        self._unparsed = 0  # since anything of its body came

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        if not self._owner.opened(self):
            self._silent = True
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self._silent:
            return
        self._received += len(data)
        self._unparsed += len(data)
        if self._parse(data) and self._within_limits():
            self._advance()

    def eof_received(self) -> bool:
        if self._headed and not self._complete and not self._silent:
            self._give_up(answers.TRUNCATED)
        return False

    def pause_writing(self) -> None:
        self._full = True
        self._read_on()

    def resume_writing(self) -> None:
        self._full = False
        self._read_on()

    def connection_lost(self, _exception: Exception | None) -> None:
        self._lose()
        self._silent = True
        self._parser = None  # it knows us too, and such a circle would have to wait for the collector
        self._owner.gone(self)

    # What an intake asks.

    def reply(self, data: bytes, more: bytes = b"") -> None:
        self._intake = None
        self._headed = self._complete = False
        self._received = 0
        if self._silent:
            return
        if self._last:
            data = answers.closing(data)
        if len(more) > limits.HTTP_SLICE_BYTES:
            self._transport.write(data)
            self._transport.write(more)
        else:
            self._transport.write(data + more)
        if self._last:
            self._close()

    def hold(self) -> None:
        self._held = True
        self._read_on()

    def release(self) -> None:
        self._held = False
        self._read_on()

    def abort(self) -> None:
        self._silent = True
        self._intake = None
        self._transport.abort()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._headed:
            self._ahead = True
            return
        self._url = b""
        self._fields = {}
        self._trailers = {}

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        (self._trailers if self._headed else self._fields)[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._headed = True
        self._method = self._parser.get_method()
        self._last = not self._parser.should_keep_alive() or self._parser.get_http_version() != "1.1"

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        if not self._parser.should_upgrade() or not self._has_body():
            self._complete = True

    # From bytes to an answer.

    def _parse(self, data: bytes | memoryview) -> bool:
        """Whether the bytes make sense. Those behind a second request need not."""
        while data and not self._ahead:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = memoryview(data)[upgrade.args[0] :]
                self._refuse_upgrade()
            except httptools.HttpParserCallbackError:
                raise
            except httptools.HttpParserError:
                if self._headed and self._intake is None:
                    self._begin()  # its head was good: it must hear that the rest was not
                self._give_up(answers.BAD_REQUEST)
                return False
            else:
                break
        return True

    def _refuse_upgrade(self) -> None:
        """Go on in HTTP/1.1, as for a client that offers HTTP/2. llhttp takes such a request to end at its head, so
        what follows needs another parser, which is told only how the body is framed."""
        body = self._has_body()
        self._parser = _parser(_AfterHead(self) if body else self)
        if body:
            length = self._fields.get(b"content-length")
            framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: " + length
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")

    def _has_body(self) -> bool:
        return b"transfer-encoding" in self._fields or self._fields.get(b"content-length", b"0") != b"0"

    def _within_limits(self) -> bool:
        if self._ahead or self._received > limits.RUNTIME_API_REQUEST_BYTES:
            self._lose()
            self.abort()
            return False
        if self._chunks:
            self._unparsed = 0
        fields = max(len(self._fields), len(self._trailers))
        unparsed = 0 if self._complete else self._unparsed
        if unparsed > limits.RUNTIME_API_HEAD_BYTES or fields > limits.HTTP_HEADERS:
            self._give_up(answers.HEAD_TOO_LARGE)
            return False
        return True

    def _advance(self) -> None:
        if not self._headed:
            return
        if self._intake is None:
            self._begin()
        intake = self._intake
        assert intake is not None
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                intake.feed(chunk)
        if self._complete:
            self._unparsed = 0
            intake.done(self._trailers)

    def _begin(self) -> None:
        path, _, _ = self._url.partition(b"?")
        self._intake = self._owner.begin(Request(self._method, path, self._fields, self))
        if not self._complete and b"expect" in self._fields:
            self._transport.write(answers.CONTINUE)  # also where nothing is wanted: an answer comes after the body

    def _give_up(self, answer: bytes) -> None:
        """Answer what cannot be read on, and close."""
        self._lose()
        self._transport.write(answers.closing(answer))
        self._close()

    def _lose(self) -> None:
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.lost()

    def _read_on(self) -> None:
        """Read, or not for now."""
        if self._silent or self._transport.is_closing():
            return
        if self._held or self._full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _close(self) -> None:
        self._silent = True
        self._transport.close()


def _parser(protocol: object) -> httptools.HttpRequestParser:
    """One that takes lines without a carriage return as well, as AWS's server does: shell scripts write them."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True, lenient_optional_lf_after_cr=True)
    return parser


class _AfterHead:
    """Tells a connection all but the head that it has already."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = False
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete

    def on_message_begin(self) -> None:
        if self._told:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._told:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._told:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._told:
            self._connection.on_headers_complete()
        self._told = True
