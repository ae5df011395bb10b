"""The endpoints of extensions: /extension/register, /event/next, /init/error and /exit/error.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.api import Refusal
from lambent.compute.runtime_api.request import Whole
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.extensions.registry import Extensions
    from lambent.compute.runtime_api.parts import Parts
    from lambent.compute.runtime_api.request import Intake, Peer, Request

_IDENTIFIER = b"lambda-extension-identifier"
_NAME = b"lambda-extension-name"
_FEATURES = b"lambda-extension-accept-feature"
_ERROR_TYPE = b"lambda-extension-function-error-type"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Next:
    """Takes an extension's request for its next event, and waits with it."""

    __slots__ = ("_extensions", "_identifier", "_peer")

    def __init__(self, extensions: Extensions, peer: Peer, identifier: str) -> None:
        self._extensions = extensions
        self._peer = peer
        self._identifier = identifier

    def feed(self, chunk: bytes) -> None:
        """A question has no body; one that comes all the same says nothing."""

    def done(self, trailers: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 an intake's shape
        try:
            self._extensions.ask(self._identifier, self)
        except Refusal as refused:
            self._peer.reply(answers.refusal(refused))

    def lost(self) -> None:
        self._extensions.leave(self)

    def deliver(self, event_identifier: str, body: bytes) -> None:
        header = f"Lambda-Extension-Event-Identifier: {event_identifier}\r\n"
        self._peer.reply(answers.answer(200, body, headers=header.encode()))


def identifier(request: Request) -> str:
    """Who asks. Raises Refusal where the header is missing or is not an identifier."""
    value = request.text(_IDENTIFIER)
    if not value:
        raise Refusal(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    if _UUID.fullmatch(value) is None:
        raise Refusal(403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    return value.lower()


def register(parts: Parts, request: Request) -> Intake:
    """POST .../register."""
    name = request.text(_NAME)
    features = {feature.strip() for feature in request.text(_FEATURES).split(",")}

    def handle(body: bytes) -> bytes:
        given, answer = parts.extensions.register(name, body, account="accountId" in features)
        header = f"Lambda-Extension-Identifier: {given}\r\n"
        return answers.answer(200, answer, headers=header.encode())

    return Whole(request.peer, limits.EXTENSION_BODY_BYTES, handle)


def event_next(parts: Parts, request: Request) -> Intake:
    """GET .../event/next."""
    return _Next(parts.extensions, request.peer, identifier(request))


def init_error(parts: Parts, request: Request) -> Intake:
    """POST .../init/error."""
    return _error(request, parts.extensions.init_error)


def exit_error(parts: Parts, request: Request) -> Intake:
    """POST .../exit/error."""
    return _error(request, parts.extensions.exit_error)


def _error(request: Request, tell: Callable[[str, str, bytes], None]) -> Intake:
    who = identifier(request)
    kind = request.text(_ERROR_TYPE)
    if not kind:
        raise Refusal(403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")

    def handle(posted: bytes) -> bytes:
        tell(who, kind, posted)
        return answers.ACCEPTED

    return Whole(request.peer, limits.EXTENSION_BODY_BYTES, handle)
