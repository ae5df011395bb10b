"""Paging: whatever the size of the pages, every item comes once and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as some

from lambent.services.iam.rules import paging, tags

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = some.lists(some.text(min_size=1, max_size=12), unique=True, max_size=40)


def walk(fetch: Callable[[dict[str, Any]], dict[str, Any]], member: str, size: int) -> list[Any]:
    """All items, page by page."""
    request: dict[str, Any] = {"MaxItems": size}
    found: list[Any] = []
    while True:
        page = fetch(request)
        assert len(page[member]) <= size
        found += page[member]
        assert page["IsTruncated"] == (page["Marker"] is not None)
        if not page["IsTruncated"]:
            return found
        request["Marker"] = page["Marker"]


@given(NAMES, some.integers(1, 50))
def test_a_sorted_list_comes_whole(names: list[str], size: int) -> None:
    ordered = sorted(names)

    def fetch(request: dict[str, Any]) -> dict[str, Any]:
        return paging.answer("Names", paging.behind(ordered, request, str), request, str, str)

    assert walk(fetch, "Names", size) == ordered


@given(NAMES, some.integers(1, 50))
def test_a_list_in_an_order_of_its_own_comes_whole(names: list[str], size: int) -> None:
    def fetch(request: dict[str, Any]) -> dict[str, Any]:
        return paging.answer("Names", paging.from_marker(names, request), request, str, str)

    assert walk(fetch, "Names", size) == names


@given(some.dictionaries(some.text(min_size=1, max_size=8), some.text(max_size=8), max_size=50), some.integers(1, 50))
def test_tags_come_whole(pairs: dict[str, str], size: int) -> None:
    shown = walk(lambda request: tags.page(pairs, request), "Tags", size)
    assert {tag["Key"]: tag["Value"] for tag in shown} == pairs
    assert [tag["Key"] for tag in shown] == sorted(pairs)
