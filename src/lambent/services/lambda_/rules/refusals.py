"""What Lambent does not have yet, in members of requests and in functions: refused by name, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.configuration import Configuration

CONFIGURATION = (
    "AcceleratorConfig",
    "RuntimeConfig",
)


def check(operation: str, request: Request, members: tuple[str, ...]) -> None:
    """Raise the not-built error for the first of `members` that asks for something.

    An empty member asks for nothing: deploy tools send `VpcConfig={"SubnetIds": []}` to say that there is none.
    """
    for member in members:
        if _asks(request.get(member)):
            raise errors.not_built(operation, member)


def check_runs(held: Configuration) -> None:
    """Raise the not-built error where a function of this configuration is stored, and cannot be run yet."""
    if held.image is not None:
        raise errors.not_built("Invoke", "PackageType Image")


def _asks(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_asks(part) for part in value.values())
    return bool(value)
