"""Browsers: which web pages may talk to this server, and the headers that let those read its answers.

A server on a developer's machine is reachable from every page that its browser shows, and development credentials are
known to all. So a page from elsewhere is refused (Origin, Sec-Fetch-Site), and while the server listens on loopback
only, so is a request for a host name that is not this machine's: a page whose name was re-pointed to 127.0.0.1 after
it was loaded (DNS rebinding) would otherwise count as a page from here. AWS clients send neither header.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lambent.kernel import limits
from lambent.kernel.settings import is_loopback
from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambent.wire.http import Headers, HttpRequest

_LOCAL_NAMES = (".localhost", "localhost.localdomain")
_AWS_NAMES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws")
_TOKENS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]*", re.ASCII)
_METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
_EXPOSED = (
    "date, etag, location, x-amz-crc32, x-amz-executed-version, x-amz-function-error, x-amz-id-2, x-amz-log-result, "
    "x-amz-request-id, x-amz-version-id, x-amzn-errortype, x-amzn-query-error, x-amzn-requestid"
)
_MAX_AGE_S = 600


class Browsers:
    """The rules for pages and host names."""

    def __init__(
        self, *, loopback: bool, hosts: Iterable[str] = (), strange: Callable[[str], bool] = lambda _: False
    ) -> None:
        """`loopback`: listening on loopback only. `hosts` are names of this machine besides its own, `strange` tells
        those that some function answers for, whose pages are not this machine's."""
        self._loopback = loopback
        self._strange = strange
        self._hosts = frozenset(host.lower() for host in hosts)
        self._known_host = lru_cache(limits.HOSTS_CACHED)(self._is_known_host)
        self._known_origin = lru_cache(limits.HOSTS_CACHED)(self._is_known_origin)

    def answer(self, http: HttpRequest) -> HttpResponse | None:
        """The refusal of a request that no page may make, or the answer to a preflight; None for all others."""
        fields = http.fields
        if self._loopback and not self._known_host(fields.get("host", "")):
            return _refusal("The Host header names another machine.")
        origin = fields.get("origin")
        if origin:
            if not self._known_origin(origin):
                return _refusal(f"Pages from {origin} may not call this server.")
            if http.method == "OPTIONS" and http.header("access-control-request-method"):
                return HttpResponse(204, _preflight(http, origin))
        elif fields.get("sec-fetch-site") == "cross-site":
            return _refusal("Pages from other sites may not call this server.")
        return None

    def expose(self, http: HttpRequest, response: HttpResponse) -> None:
        """Let the page that asked read `response`."""
        origin = http.fields.get("origin")
        if origin:
            response.headers = [*response.headers, *_allowed(origin), ("Access-Control-Expose-Headers", _EXPOSED)]

    def _is_known_host(self, header: str) -> bool:
        try:
            host = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        return not header or self._is_ours(host) or host.endswith(_AWS_NAMES)

    def _is_known_origin(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            host = parts.hostname or ""
            return parts.scheme in ("http", "https") and self._is_ours(host) and not self._strange(host)
        except ValueError:
            return False

    def _is_ours(self, host: str) -> bool:
        """Whether a name means this machine, as browsers have it: they keep all of .localhost to themselves."""
        host = host.lower().rstrip(".")
        return is_loopback(host) or host.endswith(_LOCAL_NAMES) or host in self._hosts


def _preflight(http: HttpRequest, origin: str) -> Headers:
    headers = [
        *_allowed(origin),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Max-Age", str(_MAX_AGE_S)),
    ]
    wanted = http.header("access-control-request-headers")
    if wanted and _TOKENS.fullmatch(wanted):
        headers.append(("Access-Control-Allow-Headers", wanted))
    if http.header("access-control-request-private-network") == "true":
        headers.append(("Access-Control-Allow-Private-Network", "true"))
    return headers


def _allowed(origin: str) -> Headers:
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


def _refusal(message: str) -> HttpResponse:
    return HttpResponse(403, [("Content-Type", "text/plain; charset=utf-8")], f"{message}\n".encode())
