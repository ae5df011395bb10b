"""Filter patterns: the examples of AWS's page, and what must hold of any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.services.logs.rules.pattern import BadPattern, parse
from lambent.services.logs.rules.pattern.columns import split

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MESSAGES = (
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[INFO] REQUEST FAILED",
)
TRAIL = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "ThisFlag": True,
        "latency": 120.5,
        "errorCode": 400,
        "empty": "",
    }
)
USERS = json.dumps(
    {
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    }
)
ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
REPORT = "REPORT RequestId: 6f3e\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t\n"


def matches(pattern: str, message: str) -> bool:
    test = parse(pattern)
    return test is None or test(message)


@pytest.mark.parametrize("pattern", ["", "   ", "\n"])
def test_an_empty_pattern_matches_every_event(pattern: str) -> None:
    assert parse(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ERROR", (0, 1, 2)),
        ("error", ()),
        ("ERROR ARGUMENTS", (2,)),
        ("?ERROR ?FAILED", (0, 1, 2, 3)),
        ("ERROR -ARGUMENTS", (0, 1)),
        ('ERROR - "BAD REQUEST"', (1, 2)),
        ("-ERROR", (3,)),
        ('"BAD REQUEST"', (0,)),
        ('?"BAD REQUEST" ?"REQUEST FAILED"', (0, 3)),
        ("?ERROR ?ARGUMENTS FAILED", (3,)),
        ("%AUTHORIZED%", (1,)),
        (r"%ERROR 4[01][01]\]%", (0, 1)),
        (r"ERROR -%4\d9%", (0, 1)),
        ("?%^.INFO% ?MISSING", (2, 3)),
    ],
)
def test_terms(pattern: str, found: tuple[int, ...]) -> None:
    assert tuple(number for number, message in enumerate(MESSAGES) if matches(pattern, message)) == found


@pytest.mark.parametrize(
    "condition",
    [
        '$.eventType = "UpdateTrail"',
        "$.eventType = UpdateTrail",
        "$.eventType = Update*",
        "$.eventType = *Trail",
        '$.eventType = "*dateT*"',
        "$.eventType = *",
        "$.eventType = %Trail$%",
        "$.eventType != %^Trail%",
        "$.sourceIPAddress != 123.123.*",
        '$.arrayKey[0] = "value"',
        '$.arrayKey[*] = "another value"',
        "$.objectList[1].id = 2",
        "$.objectList[*].id = 2",
        "$.SomeObject IS NULL",
        "$.SomeOtherObject NOT EXISTS",
        "$.objectList[7] NOT EXISTS",
        "$.ThisFlag IS TRUE",
        "$.ThisFlag = true",
        '$.["cluster.name"] = c',
        "$['cluster.name'] = c",
        "$.* = UpdateTrail",
        "$.latency > 100",
        "$.latency >= 120.5",
        "$.latency < 1.3e2",
        "$.errorCode = 400",
        "$.errorCode = 4e2",
        "$.errorCode = 4*",
        "$.errorCode != 500",
        '$.errorCode = "400"',
        '$.empty = ""',
        "$.errorCode > +399 && $.latency <= 55.5 || $.ThisFlag IS TRUE",
        "$.errorCode=400&&($.latency>1000||$.eventType=UpdateTrail)",
    ],
)
def test_conditions_that_hold(condition: str) -> None:
    assert matches(f"{{ {condition} }}", TRAIL)
    assert matches(f"{{{condition}}}", TRAIL + "\n")


@pytest.mark.parametrize(
    "condition",
    [
        '$.eventType = "updatetrail"',
        "$.eventType = Trail",
        '$.eventType = "Update*Trail"',
        "$.eventType = %^Trail%",
        "$.missing = *",
        "$.missing != x",
        "$.missing > 1",
        "$.SomeObject = *",
        "$.SomeObject NOT EXISTS",
        "$.missing IS NULL",
        "$.objectList = 1",
        "$.objectList != 1",
        "$.eventType[0] = U",
        "$.ThisFlag IS FALSE",
        "$.eventType > 1",
        "$.errorCode = 401",
        "$.errorCode = 400 && $.latency < 100",
    ],
)
def test_conditions_that_do_not_hold(condition: str) -> None:
    assert not matches(f"{{ {condition} }}", TRAIL)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('($.user.id = 1) && ($.users[0].email = "John.Doe@example.com")', True),
        ('($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET"', False),
        ('$.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch', True),
        (
            '($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch',
            False,
        ),
        ("$.coordinates[*][1] = 8", True),
        ("$.*.id = 1", True),
    ],
)
def test_compound_conditions(condition: str, holds: bool) -> None:
    assert matches(f"{{ {condition} }}", USERS) is holds


@pytest.mark.parametrize(
    "message", ["plain text", "[1, 2]", '{"a": ', '"{"', "{" * 5000, '{"a":' * 5000 + "1" + "}" * 5000]
)
def test_what_is_no_json_object_matches_no_condition(message: str) -> None:
    assert not matches("{ $.a NOT EXISTS }", message)


@pytest.mark.parametrize(
    "columns",
    [
        "ip, user, username, timestamp, request, status_code, bytes",
        "ip, user, ...",
        "..., status_code, bytes",
        "ip, ..., bytes",
        "...",
        "..., request=*.html*, status_code=4*,",
        "ip, user, username, timestamp, request, status_code = 404, bytes > 1000",
        "ip, user, username, timestamp, request = *html*, status_code = 4*, bytes",
        "ip, user, username, timestamp, request, status_code = 4* && status_code != 403, bytes",
        "ip, user, username = frank || username = alice, ...",
        r"ip=%127\.0\.0\.[1-9]%, user, ...",
        "ip, user, username, timestamp = *2000*, ...",
        'ip, user, username, timestamp, request = "GET /index.html HTTP/1.0", ...',
    ],
)
def test_columns_that_match(columns: str) -> None:
    assert matches(f"[{columns}]", ACCESS)


@pytest.mark.parametrize(
    "columns",
    [
        "ip, user",
        "a, b, c, d, e, f, g, h",
        "a, b, c, d, ..., e, f, g, h",
        "..., status_code != 404, bytes",
        "..., status_code =! 404, bytes",
        "..., bytes > 1534",
        "ip > 1, ...",
        "ip, user, username = alice, ...",
    ],
)
def test_columns_that_do_not_match(columns: str) -> None:
    assert not matches(f"[{columns}]", ACCESS)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("", []),
        (" \t\n", []),
        ('a "b c" [d e] f', ["a", "b c", "d e", "f"]),
        ('"" [] "', ["", "", '"']),
        ('"a b"c d', ['"a', 'b"c', "d"]),
        ("[a b]c d] e", ["[a", "b]c", "d]", "e"]),
        ("[a [b c] d", ["a [b c", "d"]),
        ('"a [b" c]', ["a [b", "c]"]),
        ('x"a b" y[a b]', ['x"a', 'b"', "y[a", "b]"]),
        ("[a\n", ["[a"]),
    ],
)
def test_an_event_comes_apart_at_its_blanks(message: str, fields: list[str]) -> None:
    assert split(message) == fields


@pytest.mark.timeout(20)
@pytest.mark.parametrize("start", ["[ ", '" ', "[ x]y ", '"x ', '[" ', "[" * 9 + " "])
@pytest.mark.parametrize("end", ["", "]x", '"x'])
def test_a_long_event_takes_time_that_grows_with_its_length_only(start: str, end: str) -> None:
    assert split(start * (2**20 // len(start)) + end)


def test_the_report_line_of_a_function_has_columns() -> None:
    label = 'label="REPORT", id_label="RequestId:", id, duration_label="Duration:", duration'
    assert matches(f"[{label} > 12, unit=ms, ...]", REPORT)
    assert not matches(f"[{label} > 13, unit=ms, ...]", REPORT)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("{", "If a filter pattern starts with '{' it must end with '}'"),
        ("[a, b", "If a filter pattern starts with '[' it must end with ']'"),
        ("foo-bar", "Invalid character(s) in term 'foo-bar'"),
        ('""', "Invalid character(s) in term '\"\"'"),
        ('"open', "Invalid character(s) in term '\"open'"),
        ("ERROR -", "Invalid character(s) in term ''"),
        ("%(a)%", "Invalid character(s) in term '%(a)%'"),
        ("%a% %b% %c%", "A filter pattern can have at most 2 regular expressions"),
        ("{}", "Invalid filter pattern"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $ = 1 }", "Invalid filter pattern"),
        ("{ $.a }", "Invalid filter pattern"),
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a > b }", "Invalid filter pattern"),
        ("{ $.a = 1 && }", "Invalid filter pattern"),
        ("{ ($.a = 1 }", "Invalid filter pattern"),
        ("{ $.a = 1) }", "Invalid filter pattern"),
        ("{ $.a = b c }", "Invalid filter pattern"),
        ("{ " + "(" * 200 + "$.a = 1" + ")" * 200 + " }", "Invalid filter pattern"),
        ("[..., a, ...]", "Invalid filter pattern"),
        ("[status = 4* && bytes > 1000]", "Invalid filter pattern"),
        ("[a b]", "Invalid filter pattern"),
        ("[a = 1 &&]", "Invalid filter pattern"),
    ],
)
def test_what_is_no_pattern_is_refused_with_awss_words(pattern: str, message: str) -> None:
    with pytest.raises(BadPattern) as caught:
        parse(pattern)
    assert str(caught.value) == message


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_pattern_or_refused(pattern: str, message: str) -> None:
    try:
        matches(pattern, message)
    except BadPattern:
        return


SYMBOLS = [
    "$",
    ".",
    "a",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    '"',
    "%",
    "=",
    "!=",
    "<",
    "&&",
    "||",
    "1",
    "*",
    "...",
    ",",
    " ",
    "IS",
    "NULL",
    "NOT",
    "EXISTS",
    "?",
    "-",
    "\\",
]


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(["{}", "[]", "  "]), st.lists(st.sampled_from(SYMBOLS), max_size=12).map("".join))
def test_any_row_of_symbols_is_a_pattern_or_refused(around: str, inside: str) -> None:
    try:
        test = parse(around[0] + inside + around[1])
    except BadPattern:
        return
    if test is not None:
        for message in ("", "a 1", '{"a": 1}', '{"a": [{"a": null}]}'):
            assert test(message) in (True, False)


def words() -> SearchStrategy[str]:
    return st.text("abcXYZ019_", min_size=1, max_size=5)


@given(st.lists(words(), max_size=4), st.lists(words(), max_size=3), words())
def test_terms_are_all_of_and_none_of(needed: list[str], forbidden: list[str], message: str) -> None:
    pattern = " ".join(needed + [f"-{word}" for word in forbidden])
    expected = all(word in message for word in needed) and not any(word in message for word in forbidden)
    assert matches(pattern, message) is expected


@given(st.text(min_size=1), st.text(), st.text())
def test_any_phrase_can_be_quoted(phrase: str, before: str, after: str) -> None:
    quoted = phrase.replace("\\", "\\\\").replace('"', '\\"')
    assert matches(f'"{quoted}"', before + phrase + after)


class Tree:
    """A random condition on two fields, as a pattern and as a function."""

    def __init__(self, text: str, holds: Any) -> None:
        self.text = text
        self.holds = holds


def leaves() -> SearchStrategy[Tree]:
    comparisons = {
        "=": int.__eq__,
        "!=": int.__ne__,
        "<": int.__lt__,
        "<=": int.__le__,
        ">": int.__gt__,
        ">=": int.__ge__,
    }

    def leaf(name: str, sign: str, bound: int) -> Tree:
        return Tree(f"$.{name} {sign} {bound}", lambda values: comparisons[sign](values[name], bound))

    return st.builds(leaf, st.sampled_from("ab"), st.sampled_from(sorted(comparisons)), st.integers(-3, 3))


def both(left: Tree, right: Tree) -> Tree:
    return Tree(f"({left.text}) && ({right.text})", lambda values: left.holds(values) and right.holds(values))


def either(left: Tree, right: Tree) -> Tree:
    return Tree(f"({left.text}) || ({right.text})", lambda values: left.holds(values) or right.holds(values))


TREES = st.recursive(
    leaves(), lambda inner: st.builds(both, inner, inner) | st.builds(either, inner, inner), max_leaves=8
)


@given(TREES, st.integers(-3, 3), st.integers(-3, 3))
def test_conditions_combine_as_logic_does(tree: Tree, a: int, b: int) -> None:
    values = {"a": a, "b": b}
    assert matches(f"{{ {tree.text} }}", json.dumps(values)) is tree.holds(values)


@given(leaves(), leaves(), leaves(), st.integers(-3, 3), st.integers(-3, 3))
def test_and_binds_stronger_than_or(one: Tree, two: Tree, three: Tree, a: int, b: int) -> None:
    values = {"a": a, "b": b}
    expected = one.holds(values) or (two.holds(values) and three.holds(values))
    assert matches(f"{{ {one.text} || {two.text} && {three.text} }}", json.dumps(values)) is expected
