"""What callers are told where no limit is to blame: this machine cannot, or the server stops."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion

log = logging.getLogger(__name__)


def refusal(function: FunctionVersion, error: AwsError | OSError) -> AwsError:
    """The answer where `error` has kept an environment of `function` from coming. What the system says is logged."""
    if isinstance(error, AwsError):
        return error
    log.warning("no environment of %s could be started: %s", function.arn, error)
    return no_room()


def no_room() -> AwsError:
    """The answer where this machine has no more of what environments take."""
    return AwsError("ServiceException", "This machine cannot start another environment now.", Type="Service")


def ended() -> AwsError:
    """The answer where an environment is gone that nobody has stopped."""
    return AwsError("ServiceException", "The environment has ended.", Type="Service")


def closing() -> AwsError:
    """The answer from the moment on at which the server begins to stop."""
    return AwsError("ServiceException", "The server is stopping.", Type="Service")
