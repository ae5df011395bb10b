"""Reading on after a request that offered an upgrade, which is never taken.

llhttp takes such a request to end at its head. Its body must not be read as the next request, so a new parser is given
a head of its own for it, of which the connection is told nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import httptools

if TYPE_CHECKING:
    from lambent.wire.job import Job


class Listener(Protocol):
    """What a parser tells of requests."""

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class AfterHead:
    """Tells `listener` of the body of a request whose head it knows, and of every request after it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._known = True
        self.on_body = listener.on_body

    def on_message_begin(self) -> None:
        if not self._known:
            self._listener.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._known:
            self._listener.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._known:
            self._listener.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._known:
            self._listener.on_headers_complete()

    def on_message_complete(self) -> None:
        self._known = False
        self._listener.on_message_complete()


def parser_after(job: Job | None, listener: Listener) -> Any:
    """A parser of httptools that has read the head of `job`, whose body comes next; of nothing where there is none."""
    if job is None:
        return httptools.HttpRequestParser(listener)
    length = job.request.header("content-length")
    framing = f"Content-Length: {length}" if length else "Transfer-Encoding: chunked"
    parser = httptools.HttpRequestParser(AfterHead(listener))
    parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
    return parser
