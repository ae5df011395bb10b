"""Pagination: opaque tokens, and a page cut from rows that were read one beyond it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class BadToken(Exception):
    """A pagination token that this program did not make."""


def token(cursor: list[str | int]) -> str:
    """An opaque, URL-safe token for `cursor`, the key of the last row that was given out."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def cursor(text: str) -> list[str | int]:
    """The cursor in a token. Raises BadToken."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=list[str | int])
    except (binascii.Error, ValueError) as error:
        raise BadToken(text) from error


def cut(rows: Sequence[T], size: int, key: Callable[[T], list[str | int]]) -> tuple[list[T], str | None]:
    """The first `size` of `rows` and the token for the rest; None where nothing is left."""
    page = list(rows[:size])
    return page, token(key(page[-1])) if len(rows) > size and page else None
