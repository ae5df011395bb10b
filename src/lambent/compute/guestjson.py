"""JSON that guests wrote: it may be anything, and whatever is wrong with it is one error."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Malformed(ValueError):
    """It is no JSON, not of the type that was wanted, no text, or nested too deeply."""


def decoder(kind: type[T]) -> Callable[[bytes | str], T]:
    """What decodes JSON to `kind`, and raises Malformed where it cannot."""
    of_kind = msgspec.json.Decoder(kind)

    def decode(data: bytes | str) -> T:
        try:
            return of_kind.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Malformed(str(error)) from None

    return decode
