"""Regular expressions of filter patterns: the same language as Python's, without its worst cases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.services.logs.rules.regex import BadRegex, Regex

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

CHARACTERS = "ab1_ \n"


def pieces() -> SearchStrategy[str]:
    atoms = st.sampled_from(
        ["a", "b", "1", "_", ".", "[ab]", "[^a]", "[a-b1]", r"\d", r"\w", r"\S", r"\x61", r"\.", " "]
    )
    times = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,}", "{0,2}", "{1,3}"])
    return st.one_of(st.builds(str.__add__, atoms, times), st.just("^"))


def expressions() -> SearchStrategy[str]:
    ends = st.sampled_from(["", "", "$"])
    branch = st.builds(str.__add__, st.lists(pieces(), min_size=1, max_size=5).map("".join), ends)
    return st.lists(branch, min_size=1, max_size=3).map("|".join)


@settings(max_examples=1000, deadline=None)
@given(expressions(), st.text(CHARACTERS, max_size=12))
def test_it_finds_what_pythons_engine_finds(source: str, text: str) -> None:
    assert Regex(source).search(text) is (re.search(source, text, re.ASCII) is not None)


@pytest.mark.parametrize(
    "source",
    ["(a)", "a)", "something!", "a**b*?c+?", "[", "[]", "a{3,1}", "a{99999}", "*a", "é", "[z-a]", "[a--b]", "a\\"],
)
def test_what_is_outside_the_grammar_is_refused(source: str) -> None:
    with pytest.raises(BadRegex):
        Regex(source)


def test_an_expression_that_grows_too_large_is_refused() -> None:
    with pytest.raises(BadRegex):
        Regex("a{4000}b{4000}")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "source", ["a*a*a*a*a*a*a*a*b", "a?" * 30 + "a" * 30 + "b", "[a-z]+[a-z]+[a-z]+[a-z]+1", ".*.*.*.*.*b"]
)
def test_no_expression_takes_more_than_one_pass_over_the_message(source: str) -> None:
    assert not Regex(source).search("a" * 200_000)


def test_the_end_is_before_a_final_newline_too() -> None:
    assert Regex("done$").search("all done\n")
    assert Regex("^$").search("")
    assert not Regex("done$").search("done \n\n")
