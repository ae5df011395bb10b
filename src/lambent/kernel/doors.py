"""The road of doors: web requests to addresses of their own, which are no calls of an AWS operation.

A function URL is such an address. Its form on every machine is a host name, `NAME.KIND.REGION.localhost`, which
browsers and most clients resolve to this machine without any DNS; below the endpoint there is a path for all others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.kernel.authority import Principal

Headers = list[tuple[str, str]]

PATHS = "/_lambent/"
"""What the path of an address below the endpoint starts with; the kind and the name follow."""

_LOCAL = "localhost"
_HOST = re.compile(r"([a-z0-9-]{1,63})\.([a-z0-9-]{1,63})\.([a-z0-9-]{1,32})\.([a-z0-9.-]{1,128}?)\.?(?::\d{1,5})?")
_PATH = re.compile(re.escape(PATHS) + r"([a-z0-9-]{1,63})/([a-z0-9-]{1,63})(/.*)?", re.DOTALL)


class Caller(msgspec.Struct, frozen=True):
    """Who signed a web request, and with which key."""

    principal: Principal
    access_key_id: str


class Address(msgspec.Struct, frozen=True):
    """What a web request is addressed to."""

    kind: str
    """`lambda-url`."""
    name: str
    region: str | None = None
    """None where the address is a path, which names no region."""


class Visit(Protocol):
    """A web request, as the wire hands it over."""

    request_id: str
    method: str
    path: str
    """Below the address, as it was sent: still encoded, not normalised."""
    query: str
    """As it was sent, without the question mark."""
    headers: Headers
    """Names in lower case, in the order in which they came; some may repeat."""
    source: str
    """The IP address of whoever is at the other end of the connection."""

    async def read(self, limit: int) -> bytes:
        """The whole body, as often as it is asked for. Raises BodyTooLarge, BodyBroken; AwsError where the bodies of
        other requests take all the memory there is."""

    async def caller(self, service: str, region: str, limit: int) -> Caller | None:
        """Who signed the request for `service` in `region`; None where it is not signed.

        The body is read only once all else is in order. Raises as `read` does, and AwsError in the words of AWS for
        a signature that does not hold.
        """


class Reply(msgspec.Struct):
    """The answer to a visit. Of a body that is an iterator the `aclose` is called in the end, be it read or not."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes] = b""


class Door(Protocol):
    """A service that answers at the addresses of one kind."""

    async def answer(self, address: Address, visit: Visit) -> Reply:
        """The answer to `visit`. Raises BodyBroken where the client went away."""


class Doors:
    """The doors by the kind of their addresses, and the URLs of these."""

    def __init__(self, public_url: str = "") -> None:
        """`public_url` is the URL, without a path, below whose host the addresses are found by other machines."""
        self._doors: dict[str, Door] = {}
        self._public = urlsplit(public_url)
        self._domains = {_LOCAL, "on.aws"} | ({self._public.hostname} if self._public.hostname else set())

    def register(self, kind: str, door: Door) -> None:
        """Let `door` answer at every address of `kind`."""
        if kind in self._doors:
            raise ValueError(f"{kind} has a door already")
        self._doors[kind] = door

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have a door."""
        return tuple(self._doors)

    def door(self, address: Address) -> Door:
        """Who answers at an address that was found here."""
        return self._doors[address.kind]

    def at_host(self, header: str) -> Address | None:
        """The address that a Host header is, if any."""
        found = _HOST.fullmatch(header.lower())
        if found is None or found[2] not in self._doors or found[4] not in self._domains:
            return None
        return Address(found[2], found[1], found[3])

    def at_path(self, path: str) -> tuple[Address, str] | None:
        """The address that a path names, if any, and the path below it."""
        found = _PATH.fullmatch(path)
        if found is None or found[1] not in self._doors:
            return None
        return Address(found[1], found[2]), found[3] or "/"

    def host(self, kind: str, name: str, region: str) -> str:
        """The host name of an address."""
        return f"{name}.{kind}.{region}.{self._public.hostname or _LOCAL}"

    def url(self, endpoint: str, kind: str, name: str, region: str) -> str:
        """The URL of an address, for a client that found this server at `endpoint`."""
        base = self._public if self._public.hostname else urlsplit(endpoint)
        port = "" if base.port is None else f":{base.port}"
        return f"{base.scheme}://{self.host(kind, name, region)}{port}/"

    def front(self, host: str) -> tuple[str, str]:
        """Scheme and port by which a client that sends `host` in its Host header has come, as far as can be known."""
        name, _, port = host.lower().rpartition(":")
        if not port.isdecimal():
            name, port = host.lower(), ""
        public = self._public
        if public.hostname and name.endswith(f".{public.hostname}"):
            return public.scheme, str(public.port or (443 if public.scheme == "https" else 80))
        return "http", port or "80"
