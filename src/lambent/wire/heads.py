"""Heads: those of requests checked and taken apart, those of responses written; the part that needs no socket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    from lambent.wire.http import Headers, HttpRequest

BODYLESS = frozenset({204, 304})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_NO_HOST = "\n"
_COMMON = (
    "Accept Accept-Encoding Authorization Connection Content-Encoding Content-Length Content-Type Date Expect Host "
    "Transfer-Encoding User-Agent X-Amz-Client-Context X-Amz-Content-SHA256 X-Amz-Date X-Amz-Invocation-Type "
    "X-Amz-Log-Type X-Amz-Security-Token X-Amz-Target amz-sdk-invocation-id amz-sdk-request"
)
# The headers that AWS clients send, in the two spellings they use, to save the work of decoding them.
_NAMES = {form.encode(): name.lower() for name in _COMMON.split() for form in (name, name.lower())}


class Refused(Exception):
    """The request is not handled but answered with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def headers(received: list[tuple[bytes, bytes]]) -> Headers:
    """Headers as `HttpRequest` holds them."""
    known = _NAMES.get
    return [
        (known(name) or name.lower().decode("latin-1"), value.strip().decode("latin-1")) for name, value in received
    ]


def check_size(url: bytes, headers: Headers, most: int) -> None:
    """Raises Refused for too large a head; `most` is what it can have at most, so that few need counting."""
    if len(headers) > limits.HTTP_HEADERS:
        raise Refused(431)
    if most > limits.HTTP_HEAD_BYTES:
        size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > limits.HTTP_HEAD_BYTES:
            raise Refused(431)


def target(method: str, url: bytes, headers: Headers) -> tuple[str, str]:
    """Path and query of the request target; the authority of an absolute one replaces Host (RFC 9112, 3.2.2)."""
    text = url.decode("ascii")
    if "#" in text or method == "CONNECT":
        raise Refused(400)
    if text.startswith("/") or (text == "*" and method == "OPTIONS"):
        path, _, query = text.partition("?")
        return path, query
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in ("http", "https"):
        raise Refused(400)
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    headers[:] = [header for header in headers if header[0] != "host"]
    headers.append(("host", authority))
    return slash + path or "/", query


def check_framing(request: HttpRequest, version: str) -> None:
    """Raises Refused for what llhttp lets through and what proxies and servers may read differently."""
    if version not in ("1.1", "1.0"):
        raise Refused(505)
    fields = request.fields
    host = fields.get("host", _NO_HOST)
    if "," in host or (host == _NO_HOST and version == "1.1"):
        raise Refused(400)
    coding = fields.get("transfer-encoding")
    if coding and version == "1.0":
        raise Refused(400)
    if coding and coding.lower() != "chunked":
        raise Refused(501)


def status_line(status: int) -> bytes:
    """The first line of a response."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def connection(*, closing: bool, modern: bool) -> bytes:
    """The last header line, where one is due, and the end of the head; `modern` is HTTP/1.1."""
    if closing:
        return b"Connection: close\r\n\r\n"
    return b"\r\n" if modern else b"Connection: keep-alive\r\n\r\n"


def lines(headers: Headers) -> bytes:
    """Header lines. Raises ValueError for a header that would break out of its line, or is not Latin-1."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\r") != len(headers) or text.count("\n") != len(headers) or "\0" in text:
        raise ValueError("a header holds a line break or NUL")
    return text.encode("latin-1")


def plain(status: int) -> tuple[HttpResponse, bytes]:
    """The server's own answer of this status, and its header lines."""
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return HttpResponse(status, headers, HTTPStatus(status).phrase.encode() + b"\n"), lines(headers)
