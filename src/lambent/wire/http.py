"""HTTP as the rest of `wire` sees it: a request, a response, and the handler between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from lambent.kernel.body import Body, WholeBody

Headers = list[tuple[str, str]]


class HttpRequest:
    """One request. Header names are lower case; `path` and `query` are as they were sent, still encoded."""

    __slots__ = ("body", "fields", "headers", "method", "path", "query", "source")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: Body | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body: Body = _NOTHING if body is None else body
        self.source = ""
        """The IP address that it came from; empty where it came from no network."""
        self.fields = dict(headers)
        """The headers by name; repeated ones are joined by a comma."""
        if len(self.fields) < len(headers):
            self.fields = _joined(headers)

    def header(self, name: str, default: str = "") -> str:
        """The value of a header by its lower-case name."""
        return self.fields.get(name, default)


class HttpResponse:
    """One response; the server adds Content-Length or chunked framing, Date and Connection."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes | AsyncIterator[bytes] = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


def _joined(headers: Headers) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in headers:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


_NOTHING = WholeBody()

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
