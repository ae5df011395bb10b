"""Wildcards and variables of policies."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import wildcards

KNOWN = {"aws:username": "ann", "aws:userid": "a*b"}
WORDS = some.text(alphabet="ab*?:", max_size=12)


@given(pattern=WORDS, text=some.text(alphabet="ab:", max_size=12))
def test_a_pattern_fits_what_the_same_regular_expression_fits(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    fits = re.fullmatch(expression, text, re.DOTALL) is not None
    assert wildcards.matches(wildcards.pattern(pattern), text) == fits


def test_many_wildcards_take_no_longer_than_the_product_of_the_lengths() -> None:
    started = time.process_time()
    assert not wildcards.matches(wildcards.pattern("*a" * 200 + "*b"), "a" * 2000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("pattern", "arn", "fits"),
    [
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b", True),
        ("arn:aws:lambda:*:1:function:f", "arn:aws:lambda:us-east-1:1:function:f", True),
        ("arn:aws:lambda:us-east-1:1:function:f:*", "arn:aws:lambda:us-east-1:1:function:f:live", True),
        ("arn:aws:lambda:us-east-1:1:function:f:*", "arn:aws:lambda:us-east-1:1:function:f", False),
        ("arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:1:topic", False),
        ("arn:*", "arn:aws:sns:us-east-1:1:topic", False),
        ("bucket", "arn:aws:s3:::bucket", False),
    ],
    ids=["path", "region", "qualifier", "no qualifier", "two fields", "few fields", "no ARN"],
)
def test_arns_are_compared_field_by_field(pattern: str, arn: str, fits: bool) -> None:
    assert wildcards.arn_matches(wildcards.pattern(pattern), arn) is fits


@pytest.mark.parametrize(
    ("text", "fits", "fails"),
    [
        ("home/${aws:username}/*", "home/ann/x", "home/bob/x"),
        ("${aws:userid}", "a*b", "axb"),
        ("${*}${?}${$}", "*?$", "abc"),
        ("${aws:team, 'none'}", "none", "some"),
        ("${aws:username, 'none'}", "ann", "none"),
    ],
    ids=["variable", "no wildcard in a value", "escapes", "default", "default not needed"],
)
def test_variables_stand_for_what_the_request_knows(text: str, fits: str, fails: str) -> None:
    pattern = wildcards.pattern(text, KNOWN.get)
    assert wildcards.matches(pattern, fits)
    assert not wildcards.matches(pattern, fails)


def test_a_variable_that_nobody_knows_is_told() -> None:
    with pytest.raises(wildcards.UnknownVariable):
        wildcards.pattern("${aws:team}", KNOWN.get)


def test_without_variables_they_are_plain_text() -> None:
    assert wildcards.plain(wildcards.pattern("${aws:username}*")) == "${aws:username}*"
