"""Tags: what a resource may carry.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_.errors import tags as errors

if TYPE_CHECKING:
    from collections.abc import Iterable

_SYSTEM = "aws:"


def check(tags: Iterable[str]) -> None:
    """Raise AWS's errors unless a caller may give a resource tags with these keys, and no others."""
    keys = list(tags)
    if len(keys) > limits.TAGS:
        raise errors.too_many()
    if any(key.lower().startswith(_SYSTEM) for key in keys):
        raise errors.reserved()


def added(held: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """`held` with the tags that TagResource gives. Raises AWS's errors."""
    if not given:
        raise errors.nothing_given()
    check(given)
    tags = held | given
    if len(tags) > limits.TAGS:
        raise errors.too_many()
    return tags
