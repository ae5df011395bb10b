"""A client's connection in a front: plain requests one after the other, and whatever else handed on with every byte.

What is not whole within FRONT_PATIENCE_S, is too large, comes in an unusual framing or is not let through by the screen
goes back to the server, which answers it as if it had read it itself.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol, cast

import httptools

from lambent.kernel import limits
from lambent.kernel.clock import Alarm
from lambent.wire import heads
from lambent.wire.http import HttpRequest
from lambent.wire.patience import Patience, reading

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.wire.fronts.screen import Passed, Screen, Wanted
    from lambent.wire.http import HttpResponse
    from lambent.wire.patience import Kind, Wait

log = logging.getLogger(__name__)

_HEAD_END = b"\r\n\r\n"


class Owner(Protocol):
    """The front, as its connections see it."""

    clock: Clock
    screen: Screen

    def ask(self, connection: FrontConnection, passed: Passed, host: str) -> None:
        """Ask the server; `answer` follows."""

    def hand_back(self, connection: FrontConnection, descriptor: int, read: bytes) -> None:
        """Give the connection to the server, with what was read of it and not answered."""

    def closed(self, connection: FrontConnection) -> None:
        """The connection is closed."""

    def stamp(self) -> bytes:
        """The Date and Server header lines."""


class FrontConnection(asyncio.Protocol):
    """`read` is what was read of it before it came here."""

    _transport: asyncio.Transport

    def __init__(self, owner: Owner, read: bytes) -> None:
        self._owner = owner
        self._unread = read
        self._parser: Any = httptools.HttpRequestParser(self)
        self._alarm = Alarm(owner.clock)
        self._patience: Patience | None = None
        # The request that is being received: where it ends, and what its head says.
        self._end = 0
        self._body_at = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._wanted: Wanted | None = None
        self._timed = False
        self._messages = 0
        # How things stand.
        self._asked = False
        self._clogged = False
        self._last = False
        self._held_back = False
        self._half_closed = False
        self._given = False

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        transport.set_write_buffer_limits(high=0)  # what is written must be on its way before the connection is given
        self._patience = Patience(self._owner.clock, self._waiting_for, self._give_up)
        if self._unread:
            self._read()

    def data_received(self, data: bytes) -> None:
        self._unread = self._unread + data if self._unread else data
        if not self._asked and not self._clogged:
            self._read()
        elif len(self._unread) > limits.HTTP_BODY_BUFFER_BYTES:
            self._held_back = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._half_closed = True
        return self._asked or self._clogged

    def connection_lost(self, _exception: Exception | None) -> None:
        if self._patience is not None:
            self._patience.stop()
        self._alarm.stop()
        self._parser = None
        if not self._given:
            self._given = True
            self._owner.closed(self)

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        self._go_on()

    # What the front asks.

    def finish(self) -> None:
        """Answer what has been asked, then close."""
        self._last = True
        if not self._asked:
            self._transport.close()

    def answer(self, response: HttpResponse) -> None:
        """Send the answer to what was asked, and read on."""
        self._asked = False
        if self._given or self._transport.is_closing():
            return
        try:
            lines = heads.lines(response.headers)
        except ValueError:
            log.exception("an answer cannot be written")
            response, lines = heads.plain(500)
        self._write(response, lines)
        if self._last:
            self._transport.close()
        else:
            self._go_on()

    # Bytes to requests.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def _go_on(self) -> None:
        if self._asked or self._clogged or self._transport.is_closing():
            return
        if self._unread:
            self._read()
            if self._held_back:
                self._let_go()
        elif self._half_closed:
            self._transport.close()

    def _let_go(self) -> None:
        """Read on, unless what was read already is enough for now."""
        enough = self._asked and len(self._unread) > limits.HTTP_BODY_BUFFER_BYTES
        if not (enough or self._half_closed or self._given):
            self._held_back = False
            self._transport.resume_reading()

    def _read(self) -> None:
        """Take the next request where it is whole; hand the connection on where it is none for a front."""
        if self._wanted is None and not self._read_head():
            return
        data, wanted = self._unread, self._wanted
        if len(data) < self._end or wanted is None:
            self._wait()
            return
        self._alarm.clear()
        self._timed = False
        body = data[self._body_at : self._end]
        passed = self._owner.screen.let_through(wanted, body)
        if passed is None:
            self._give()
            return
        if body:
            self._parser.feed_data(body)
        self._wanted = None
        self._unread = data[self._end :]
        self._asked = True
        self._messages += 1
        self._owner.ask(self, passed, wanted.http.fields["host"])

    def _read_head(self) -> bool:
        """Whether there is a whole head, and it is one for a front. Where it is not, the connection is given away."""
        end = self._unread.find(_HEAD_END)
        if end < 0:
            if len(self._unread) > limits.HTTP_HEAD_BYTES:
                self._give()
            else:
                self._wait()
            return False
        self._body_at = end + len(_HEAD_END)
        self._url, self._headers = b"", []
        try:
            self._parser.feed_data(self._unread[: self._body_at])
            self._wanted = self._look()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, heads.Refused):
            self._wanted = None
        if self._wanted is None:
            self._give()
        return self._wanted is not None

    def _look(self) -> Wanted | None:
        """The request whose head was read, where a front may answer it. Raises heads.Refused."""
        parser, headers = self._parser, heads.headers(self._headers)
        if parser.get_http_version() != "1.1" or parser.get_method() != b"POST":
            return None
        heads.check_size(self._url, headers, self._body_at)
        request = HttpRequest("POST", *heads.target("POST", self._url, headers), headers)
        heads.check_framing(request, "1.1")
        fields = request.fields
        length = int(fields.get("content-length") or 0)
        if "expect" in fields or "transfer-encoding" in fields or length > limits.FRONT_BODY_BYTES:
            return None
        self._last = self._last or not parser.should_keep_alive()
        self._end = self._body_at + length
        return self._owner.screen.wants(request)

    def _wait(self) -> None:
        if not self._timed:  # from a request's first byte on: who sends byte after byte has no more time than others
            self._timed = True
            self._alarm.set(self._owner.clock.monotonic() + limits.FRONT_PATIENCE_S, self._give)

    def _give(self) -> None:
        """Hand the connection on, as far as it is not answered."""
        if self._given or self._transport.is_closing():
            return
        self._given = True
        self._transport.pause_reading()
        self._owner.hand_back(self, self._transport.get_extra_info("socket").fileno(), self._unread)
        self._transport.abort()

    # Answers to bytes.

    def _write(self, response: HttpResponse, lines: bytes) -> None:
        body = response.body
        assert isinstance(body, bytes), "no hot operation streams"
        framing = b"" if response.status in heads.BODYLESS else b"Content-Length: %d\r\n" % len(body)
        end = heads.connection(closing=self._last, modern=True)
        head = b"".join((heads.status_line(response.status), lines, framing, self._owner.stamp(), end))
        if not framing:
            self._transport.write(head)
        elif len(body) <= limits.HTTP_SLICE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    # Time.

    def _waiting_for(self) -> Wait | None:
        if unread := reading(self._transport):
            return unread
        return None if self._asked or self._unread else ("idle", self._messages)

    def _give_up(self, kind: Kind) -> None:
        if kind == "idle":
            self._transport.close()
        else:
            self._transport.abort()
