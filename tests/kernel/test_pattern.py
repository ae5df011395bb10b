"""Event patterns: what AWS takes for one, and which events they want."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import limits
from lambent.kernel.pattern import BadPattern, parse

JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-10, 10) | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)

WANTED: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("equals", ["a", "b"], ["a", "b", ["x", "a"]], ["c", "A", 1, None, [], {"a": 1}]),
    ("number", [1], [1, 1.0, [2, 1]], ["1", True, 2]),
    ("boolean", [True], [True], [1, False, "true"]),
    ("null", [None], [None], ["", 0, False]),
    ("empty", [""], [""], [None, " "]),
    ("prefix", [{"prefix": "us-"}], ["us-east-1"], ["eu-us-", 1, None]),
    ("prefix in any case", [{"prefix": {"equals-ignore-case": "EventB"}}], ["EVENTBridge"], ["event"]),
    ("suffix", [{"suffix": ".png"}], ["a.png"], [".png.jpg", 1]),
    ("suffix in any case", [{"suffix": {"equals-ignore-case": ".PnG"}}], ["a.png"], ["a.jpg"]),
    ("in any case", [{"equals-ignore-case": "Alice"}], ["ALICE", "alice"], ["alicex", 1]),
    ("less", [{"numeric": ["<", 100]}], [99, -5.5], [100, "99", True, None]),
    ("equal number", [{"numeric": ["=", 3.018e2]}], [301.8], [301]),
    ("range", [{"numeric": [">", 0, "<=", 5]}], [1, 5], [0, 6]),
    ("other than a text", [{"anything-but": "init"}], ["x", 1, None, ["init", "x"]], ["init", ["init"]]),
    ("other than numbers", [{"anything-but": [1, 2]}], [3, "1"], [1, 2.0]),
    ("other than prefixes", [{"anything-but": {"prefix": ["a", "b"]}}], ["c", 1], ["ab", "b"]),
    ("other than in any case", [{"anything-but": {"equals-ignore-case": "A"}}], ["b"], ["a", "A"]),
    ("other than a wildcard", [{"anything-but": {"wildcard": "*/lib/*"}}], ["/var/lib"], ["/var/lib/x"]),
    ("exists", [{"exists": True}], [1, None, "", [1]], [{"b": 1}, []]),
    ("address", [{"cidr": "10.0.0.0/24"}], ["10.0.0.255"], ["10.0.1.0", "x", 10, "::1"]),
    ("address of six", [{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
    ("wildcard", [{"wildcard": "dir/*.p*g"}], ["dir/a.png", "dir/.pg"], ["dir/a.gif", "xdir/a.png", "dir/a.pngx"]),
    ("wildcards that overlap", [{"wildcard": "ab*ba"}], ["abba", "abxba"], ["aba"]),
    ("escaped wildcard", [{"wildcard": r"a\*\\*"}], ["a*\\", "a*\\b"], ["ab\\", "a*"]),
    ("escaped before a wildcard", [{"wildcard": r"a\**"}], ["a*", "a*b"], ["ab"]),
    ("either", ["a", {"numeric": [">", 1]}], ["a", 2], ["b", 1]),
]


@pytest.mark.parametrize(
    ("conditions", "wanted", "unwanted"), [case[1:] for case in WANTED], ids=[c[0] for c in WANTED]
)
def test_a_condition_tells_values_apart(conditions: Any, wanted: list[Any], unwanted: list[Any]) -> None:
    pattern = parse(json.dumps({"a": conditions}))
    for value in wanted:
        assert pattern.matches({"a": value}), value
        assert pattern.matches([{"b": 1}, {"a": value}]), value
    for value in unwanted:
        assert not pattern.matches({"a": value}), value
    assert not pattern.matches({})


def test_every_field_must_match() -> None:
    pattern = parse('{"body": {"city": ["X"], "size": [{"numeric": [">", 1]}]}, "source": ["s"]}')
    assert pattern.matches({"body": {"city": "X", "size": 2, "more": 1}, "source": "s"})
    assert not pattern.matches({"body": {"city": "X", "size": 1}, "source": "s"})
    assert not pattern.matches({"body": {"city": "X", "size": 2}})
    assert not pattern.matches({"body": "X", "source": "s"})
    assert not pattern.matches("X")


def test_elements_of_a_list_match_as_wholes() -> None:
    pattern = parse('{"items": {"kind": ["a"], "size": [1]}}')
    assert pattern.matches({"items": [{"kind": "b"}, {"kind": "a", "size": 1}]})
    assert not pattern.matches({"items": [{"kind": "a", "size": 2}, {"kind": "b", "size": 1}]})


def test_what_shall_not_exist() -> None:
    pattern = parse('{"a": {"b": [{"exists": false}]}}')
    for event in ({}, {"a": {}}, {"a": 1}, {"a": {"b": {"c": 1}}}):
        assert pattern.matches(event), event
    assert not pattern.matches({"a": {"b": None}})


def test_alternatives() -> None:
    pattern = parse('{"a": [1], "$or": [{"b": [2]}, {"c": {"d": [3]}}]}')
    assert pattern.matches({"a": 1, "b": 2})
    assert pattern.matches({"a": 1, "c": {"d": 3}})
    assert not pattern.matches({"a": 1, "b": 3})
    assert not pattern.matches({"b": 2})


BAD = [
    "",
    "null",
    '"simple string"',
    "[]",
    "{}",
    "{",
    '{"a": "b"}',
    '{"a": 1}',
    '{"a": []}',
    '{"a": {}}',
    '{"a": [["b"]]}',
    '{"a": [{}]}',
    '{"a": [{"prefix": "a", "suffix": "b"}]}',
    '{"a": [{"unknown": "a"}]}',
    '{"a": [{"prefix": 1}]}',
    '{"a": [{"prefix": {"wildcard": "a"}}]}',
    '{"a": [{"equals-ignore-case": ["a"]}]}',
    '{"a": [{"numeric": []}]}',
    '{"a": [{"numeric": ["<"]}]}',
    '{"a": [{"numeric": ["<", "1"]}]}',
    '{"a": [{"numeric": ["<", true]}]}',
    '{"a": [{"numeric": ["!=", 1]}]}',
    '{"a": [{"numeric": [["<"], 1]}]}',
    '{"a": [{"numeric": ["<", 1, ">", 0]}]}',
    '{"a": [{"numeric": [">", 2, "<", 1]}]}',
    '{"a": [{"numeric": ["=", 5000000001]}]}',
    '{"a": [{"numeric": "< 1"}]}',
    '{"a": [{"exists": "true"}]}',
    '{"a": [{"cidr": "10.0.0.1"}]}',
    '{"a": [{"cidr": "10.0.0.0/40"}]}',
    '{"a": [{"wildcard": "a**"}]}',
    '{"a": [{"wildcard": "a\\\\b"}]}',
    '{"a": [{"wildcard": "a\\\\"}]}',
    '{"a": [{"anything-but": []}]}',
    '{"a": [{"anything-but": ["a", 1]}]}',
    '{"a": [{"anything-but": [1, "a"]}]}',
    '{"a": [{"anything-but": null}]}',
    '{"a": [{"anything-but": {"numeric": ["<", 1]}}]}',
    '{"a": [{"anything-but": {"prefix": []}}]}',
    '{"a": [{"anything-but": {}}]}',
    '{"$or": [{"a": [1]}]}',
    '{"$or": {"a": [1]}}',
    '{"$or": [{"a": [1]}, 2]}',
    '{"a":' * (limits.NESTING_DEPTH + 1) + "[1]" + "}" * (limits.NESTING_DEPTH + 1),
    '{"a":' * 5_000 + "[1]" + "}" * 5_000,
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        parse(text)


def test_the_deepest_pattern() -> None:
    depth = limits.NESTING_DEPTH
    event: Any = 1
    for _ in range(depth):
        event = {"a": event}
    assert parse('{"a":' * depth + "[1]" + "}" * depth).matches(event)


@given(JSON)
def test_nothing_but_a_pattern_is_parsed_and_nothing_breaks_it(value: Any) -> None:
    try:
        pattern = parse(json.dumps(value))
    except BadPattern:
        return
    assert isinstance(value, dict)
    assert pattern.matches(value) in (True, False)


@given(some.dictionaries(some.text(min_size=1, max_size=3), some.text(max_size=5), min_size=1, max_size=4), JSON)
def test_what_is_named_is_found_whatever_else_there_is(named: dict[str, str], more: Any) -> None:
    named.pop("$or", None)
    if named:
        pattern = parse(json.dumps({name: [value] for name, value in named.items()}))
        event = {**(more if isinstance(more, dict) else {}), **named}
        assert pattern.matches(event)
        assert not pattern.matches({name: value + "x" for name, value in named.items()})
