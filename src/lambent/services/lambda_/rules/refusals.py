"""What Lambent cannot run yet, though it can be stored: refused by name, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.services.lambda_.records.configuration import Configuration


def check_runs(held: Configuration) -> None:
    """Raise the not-built error where a function of this configuration is stored, and cannot be run yet."""
    for member, asked in (
        ("PackageType Image", held.image is not None),
        ("RuntimeConfig", held.customer_runtime is not None),
    ):
        if asked:
            raise errors.not_built("Invoke", member)
