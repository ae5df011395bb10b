"""The Markers of Lambda's lists, read again: each list's own form, and AWS's error for any other."""

from __future__ import annotations

from lambent.kernel import page
from lambent.services.lambda_ import errors


def name(marker: str | None, operation: str) -> str:
    """The name that the last page ended with; empty on the first page."""
    match _cursor(marker, operation):
        case []:
            return ""
        case [str(last)]:
            return last
    raise errors.foreign_marker(operation)


def number(marker: str | None, operation: str) -> int | None:
    """The number that the last page ended with; None on the first page."""
    match _cursor(marker, operation):
        case []:
            return None
        case [int(last)]:
            return last
    raise errors.foreign_marker(operation)


def numbers(marker: str | None, operation: str) -> tuple[int, int | None]:
    """The number that the last page ended with, and the one that all pages are about, if any; 0 and None on the first
    page."""
    match _cursor(marker, operation):
        case []:
            return 0, None
        case [int(last)]:
            return last, None
        case [int(last), int(about)]:
            return last, about
    raise errors.foreign_marker(operation)


def name_and_number(marker: str | None, operation: str) -> tuple[str, int]:
    """The name and the number that the last page ended with; empty and 0 on the first page."""
    match _cursor(marker, operation):
        case []:
            return "", 0
        case [str(last), int(count)]:
            return last, count
    raise errors.foreign_marker(operation)


def _cursor(marker: str | None, operation: str) -> list[str | int]:
    if not marker:
        return []
    try:
        cursor = page.cursor(marker)
    except page.BadToken as error:
        raise errors.foreign_marker(operation) from error
    if not cursor or any(isinstance(part, int) and abs(part) >> 63 for part in cursor):
        raise errors.foreign_marker(operation)
    return cursor
