"""The endpoints of a runtime's start: /runtime/init/error, and with SnapStart /runtime/restore/next and /error.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.compute.runtime_api import answers, failures
from lambent.compute.runtime_api.invocation import Asking
from lambent.compute.runtime_api.request import Whole
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.runtime_api.parts import Parts
    from lambent.compute.runtime_api.request import Intake, Request


def init_error(parts: Parts, request: Request) -> Intake:
    """POST .../init/error."""
    return _error(request, parts.runtime.init_error)


def restore_next(parts: Parts, request: Request) -> Intake:
    """GET .../restore/next: answered, with nothing, when the environment is restored."""
    return Asking(parts.runtime, request.peer, parts.runtime.ask_restore)


def restore_error(parts: Parts, request: Request) -> Intake:
    """POST .../restore/error."""
    return _error(request, parts.runtime.restore_error)


def _error(request: Request, tell: Callable[[bytes, str], None]) -> Intake:
    content_type = request.fields.get(b"content-type", b"")
    kind = failures.kind(request.fields.get(failures.TYPE, b""))

    def handle(posted: bytes) -> bytes:
        tell(failures.body(content_type, posted), kind)
        return answers.ACCEPTED

    return Whole(request.peer, limits.RUNTIME_API_ERROR_BYTES, handle)
