"""The page for the operator's dead events: who knows the server's key may see, revive and forget them.

The key is new at each start and lies in the data folder only, so that whoever may read that may use the page.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    from lambent.store.dead import DeadEvents
    from lambent.wire.http import HttpRequest

NAME: Final = "dead-events"
PATH: Final = f"/_lambent/{NAME}"
_SCHEME: Final = "Bearer "
_DIGITS: Final = 18
"""More can be more than 64 bits hold."""


class DeadEventsPage:
    """A handler for `PATH` and what lies below: `GET` lists, or reads the one with that id; `POST` revives and `DELETE`
    forgets it, or all of them. A change answers `{"count": N}`."""

    def __init__(self, dead: DeadEvents, key: str) -> None:
        self._dead = dead
        self._key = key.encode()

    async def __call__(self, http: HttpRequest) -> HttpResponse:
        """The answer: 403 without the key, 404 where there is no such event."""
        given = http.header("authorization").removeprefix(_SCHEME)
        if not hmac.compare_digest(given.encode(), self._key):
            return _told(403, "the key of server.json in the data folder is missing")
        rest = http.path.removeprefix(PATH)
        if not rest:
            return await self._all(http)
        number = _number(rest.removeprefix("/"))
        if number is None:
            return _told(404, "not a dead event's number")
        return await self._one(http.method, number)

    async def _all(self, http: HttpRequest) -> HttpResponse:
        if http.method == "GET":
            return _json(200, await self._dead.page(_number(http.query.removeprefix("after=")) or 0))
        if http.method == "POST":
            return _json(200, {"count": await self._dead.revive_all()})
        if http.method == "DELETE":
            return _json(200, {"count": await self._dead.forget_all()})
        return _told(405, "GET, POST and DELETE are what there is")

    async def _one(self, method: str, event_id: int) -> HttpResponse:
        if method == "GET":
            content = await self._dead.content(event_id)
            if content is not None:
                return HttpResponse(200, [("Content-Type", "application/octet-stream")], content)
        changes = {"POST": self._dead.revive, "DELETE": self._dead.forget}
        if method in changes and await changes[method](event_id):
            return _json(200, {"count": 1})
        return _told(404, f"there is no dead event {event_id}")


def _number(text: str) -> int | None:
    """The id that `text` is; None where it is none that the store can have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _told(status: int, message: str) -> HttpResponse:
    return _json(status, {"message": message})


def _json(status: int, value: object) -> HttpResponse:
    return HttpResponse(status, [("Content-Type", "application/json")], msgspec.json.encode(value))
