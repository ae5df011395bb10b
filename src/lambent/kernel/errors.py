"""AWS's errors as values: what an operation raises when the caller, not the program, is wrong."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error that AWS documents. The HTTP status comes from the service model, or its overlay.

    `code` is the error shape's name or code (`ResourceNotFoundException`); `members` are further members of the
    error shape (`Type`, `Reason`); `status` is set only where neither the model nor the overlay knows the error.
    Any exception that is not an `AwsError` is a bug and answers 500.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def not_built(service: str, operation: str | None = None) -> AwsError:
    """The answer for what AWS has and Lambent does not have yet, an operation or a whole service: 501, naming it."""
    name = service if operation is None else f"{service}:{operation}"
    return AwsError("NotImplemented", f"{name} is not built in Lambent yet.", status=501)
