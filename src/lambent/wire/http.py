"""HTTP as the rest of `wire` sees it: a request, a response, and the handler between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from lambent.kernel.body import Body, WholeBody

Headers = list[tuple[str, str]]


class HttpRequest:
    """One request. Header names are lower case; `path` and `query` are as they were sent, still encoded."""

    __slots__ = ("_index", "body", "headers", "method", "path", "query", "scheme")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: Body | None = None,
        scheme: str = "http",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body: Body = body if body is not None else WholeBody()
        self.scheme = scheme
        self._index: dict[str, str] | None = None

    def header(self, name: str, default: str = "") -> str:
        """The value of a header by its lower-case name; repeated headers are joined by a comma."""
        if self._index is None:
            index: dict[str, str] = {}
            for key, value in self.headers:
                index[key] = f"{index[key]},{value}" if key in index else value
            self._index = index
        return self._index.get(name, default)


class HttpResponse:
    """One response; the server adds Content-Length or chunked framing, Date and Connection."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes | AsyncIterator[bytes] = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
