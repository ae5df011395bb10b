"""What Lambent cannot run yet, though it can be stored: refused by name, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.services.lambda_.records.configuration import Configuration


def check_runs(held: Configuration) -> None:
    """Raise the not-built error where a function of this configuration is stored, and cannot be run yet."""
    member = _unbuilt(held)
    if member is not None:
        raise errors.not_built("Invoke", member)


def runs(held: Configuration) -> bool:
    """Whether `check_runs` would raise nothing."""
    return _unbuilt(held) is None


def _unbuilt(held: Configuration) -> str | None:
    if held.image is not None:
        return "PackageType Image"
    return None if held.customer_runtime is None else "RuntimeConfig"
