"""Where a path leads: one table, and the two paths that have a request id in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lambent.compute.runtime_api import answers, extension, initialization, invocation, surroundings, telemetry
from lambent.compute.runtime_api.api import Refusal
from lambent.compute.runtime_api.parts import NotServed
from lambent.compute.runtime_api.request import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.runtime_api.parts import Parts
    from lambent.compute.runtime_api.request import Intake, Request

_INVOCATION = b"/2018-06-01/runtime/invocation/"

_TABLE: Final[Mapping[bytes, tuple[bytes, Callable[[Parts, Request], Intake]]]] = {
    _INVOCATION + b"next": (b"GET", invocation.ask),
    b"/2018-06-01/runtime/init/error": (b"POST", initialization.init_error),
    b"/2018-06-01/runtime/restore/next": (b"GET", initialization.restore_next),
    b"/2018-06-01/runtime/restore/error": (b"POST", initialization.restore_error),
    b"/2018-06-01/ping": (b"GET", surroundings.ping),
    b"/2020-01-01/extension/register": (b"POST", extension.register),
    b"/2020-01-01/extension/event/next": (b"GET", extension.event_next),
    b"/2020-01-01/extension/init/error": (b"POST", extension.init_error),
    b"/2020-01-01/extension/exit/error": (b"POST", extension.exit_error),
    b"/2022-07-01/telemetry": (b"PUT", telemetry.telemetry),
    b"/2020-08-15/logs": (b"PUT", telemetry.logs),
    b"/2021-04-23/credentials": (b"GET", surroundings.credentials),
    b"/2026-01-15/metadata/execution-environment": (b"GET", surroundings.metadata),
}

_SNAP_START = frozenset(
    {b"/2018-06-01/runtime/restore/next", b"/2018-06-01/runtime/restore/error", b"/2021-04-23/credentials"}
)
"""What is there with SnapStart only."""


def begin(parts: Parts, request: Request) -> Intake:
    """What takes the body of `request` and answers it."""
    try:
        known = _TABLE.get(request.path)
        if known is None or (request.path in _SNAP_START and not parts.about.snap_start):
            return _answer(parts, request)
        method, endpoint = known
        return endpoint(parts, request) if request.method == method else _not_allowed(request, method)
    except Refusal as refused:
        return Dropped(request.peer, answers.refusal(refused))
    except NotServed:
        return Dropped(request.peer, answers.NOT_FOUND)


def _answer(parts: Parts, request: Request) -> Intake:
    """The answer to an event, whose path names the event."""
    request_id, _, verb = request.path.removeprefix(_INVOCATION).partition(b"/")
    if verb not in (b"response", b"error") or not request.path.startswith(_INVOCATION):
        raise NotServed
    if request.method != b"POST":
        return _not_allowed(request, b"POST")
    if verb == b"response":
        return invocation.respond(parts, request, request_id)
    return invocation.fail(parts, request, request_id)


def _not_allowed(request: Request, method: bytes) -> Intake:
    return Dropped(request.peer, answers.not_allowed(method))
