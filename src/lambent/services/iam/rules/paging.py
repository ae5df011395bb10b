"""Pages of a list that is at hand, with IAM's Marker and IsTruncated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lambent.kernel import limits, page
from lambent.services.iam import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lambent.kernel.call import Request, Response

T = TypeVar("T")


def size(request: Request) -> int:
    """How many items the caller wants at most."""
    return int(request.get("MaxItems", limits.IAM_PAGE_ITEMS))


def after(request: Request) -> str:
    """The key of the last item that the caller has; empty, which precedes every key, at the start."""
    if "Marker" not in request:
        return ""
    try:
        (key,) = page.cursor(request["Marker"])
    except (page.BadToken, ValueError):
        raise errors.bad_marker() from None
    if not isinstance(key, str):
        raise errors.bad_marker()
    return key


def answer(
    member: str, items: Sequence[T], request: Request, key: Callable[[T], str], show: Callable[[T], Any]
) -> Response:
    """The page of `items`, which start behind the marker and may go on beyond the page."""
    shown, marker = page.cut(items, size(request), lambda item: [key(item)])
    return {member: [show(item) for item in shown], "IsTruncated": marker is not None, "Marker": marker}


def behind(items: Sequence[T], request: Request, key: Callable[[T], str]) -> list[T]:
    """Those of `items`, all of them in the order of their keys, that follow the marker."""
    start = after(request)
    return [item for item in items if key(item) > start]


def from_marker(items: Sequence[T], request: Request, key: Callable[[T], str] = str) -> list[T]:
    """Those of `items` that follow the marked one, in an order of their own; all where it has gone."""
    start = after(request)
    position = next((number for number, item in enumerate(items, 1) if key(item) == start), 0)
    return list(items[position:])
