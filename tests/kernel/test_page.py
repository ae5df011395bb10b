"""Pagination tokens and pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.page import BadToken, cursor, cut, token

KEYS = some.lists(some.text(some.characters(exclude_categories=["Cs"])) | some.integers(-(2**63), 2**63 - 1))


@given(KEYS)
def test_a_cursor_survives_its_token(key: list[str | int]) -> None:
    assert cursor(token(key)) == key
    assert re.fullmatch(r"[A-Za-z0-9_-]*", token(key))


@given(some.text())
def test_no_token_of_a_stranger_does_harm(text: str) -> None:
    try:
        key = cursor(text)
    except BadToken:
        return
    assert all(isinstance(part, str | int) for part in key)


@pytest.mark.parametrize("text", ["", "x", "!!!", "é", "bnVsbA", "e30", "WzEuNV0", "W1tdXQ"])
def test_a_token_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        cursor(text)


@given(rows=some.lists(some.integers(0, 1000), unique=True).map(sorted), size=some.integers(1, 10))
def test_pages_together_are_all_rows_once(rows: list[int], size: int) -> None:
    seen: list[int] = []
    after = -1
    while True:
        read = [row for row in rows if row > after][: size + 1]
        page, following = cut(read, size, lambda row: [row])
        assert len(page) <= size
        seen += page
        if following is None:
            break
        (after,) = cursor(following)
        assert isinstance(after, int)
    assert seen == rows


def test_a_page_that_ends_with_the_rows_has_no_token() -> None:
    assert cut(["a", "b"], 2, lambda row: [row]) == (["a", "b"], None)
    assert cut([], 2, lambda row: [row]) == ([], None)
    assert cut(["a", "b"], 1, lambda row: [row]) == (["a"], token(["a"]))
