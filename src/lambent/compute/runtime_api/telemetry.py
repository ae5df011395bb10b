"""The endpoints of the Telemetry API and the older Logs API: an extension subscribes.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.api import Refusal
from lambent.compute.runtime_api.extension import identifier
from lambent.compute.runtime_api.request import Whole
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.runtime_api.api import Version
    from lambent.compute.runtime_api.parts import Parts
    from lambent.compute.runtime_api.request import Intake, Request

_CLOSED: dict[Version, tuple[str, str]] = {
    "2022-07-01/telemetry": ("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed"),
    "2020-08-15/logs": ("Logs.SubscriptionClosed", "Logs API subscription is closed already"),
}


def telemetry(parts: Parts, request: Request) -> Intake:
    """PUT /2022-07-01/telemetry: open until INIT is over."""
    return _subscribe(parts, request, "2022-07-01/telemetry")


def logs(parts: Parts, request: Request) -> Intake:
    """PUT /2020-08-15/logs: open until INIT is over."""
    return _subscribe(parts, request, "2020-08-15/logs")


def _subscribe(parts: Parts, request: Request, version: Version) -> Intake:
    who = identifier(request)

    def handle(body: bytes) -> bytes:
        name = parts.extensions.name(who)
        if parts.extensions.initialised:
            raise Refusal(403, *_CLOSED[version])
        parts.host.subscribe(name, version, body)
        return answers.SUBSCRIBED

    return Whole(request.peer, limits.EXTENSION_BODY_BYTES, handle)
