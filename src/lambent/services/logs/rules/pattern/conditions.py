"""Patterns for events that are JSON: conditions on the values that selectors reach.

    condition := all { "||" all }
    all       := one { "&&" one }
    one       := "(" condition ")" | selector test
    selector  := "$" { "." name | "." "*" | [ "." ] "[" ( index | "*" | quoted ) "]" }
    test      := comparison | "IS" ( "NULL" | "TRUE" | "FALSE" ) | "NOT" "EXISTS"

With a wildcard a selector reaches several values, one of which has to pass. A comparison is false of what is missing,
null, an object or an array, also with `!=`; an event that is not JSON matches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.kernel import limits
from lambent.services.logs.rules.pattern.scanner import BadPattern
from lambent.services.logs.rules.pattern.values import comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambent.services.logs.rules.pattern.scanner import Scanner

    Test = Callable[[Any], bool]
    Step = Callable[[Any], Iterator[Any]]

_NAME: Final = re.compile(r"[\w@#-]+")
_INDEX: Final = re.compile(r"\d{1,9}")
_IS: Final = re.compile(r"IS\s+(NULL|TRUE|FALSE)\b")
_NOT_EXISTS: Final = re.compile(r"NOT\s+EXISTS\b")
_CONSTANTS: Final = {"NULL": None, "TRUE": True, "FALSE": False}


def parse(scanner: Scanner) -> Callable[[str], bool]:
    """What decides whether a message matches. Raises BadPattern."""
    holds = _condition(scanner, 0)
    if not scanner.done:
        raise BadPattern

    def matches(message: str) -> bool:
        if "{" not in message:
            return False
        try:
            document = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return isinstance(document, dict) and holds(document)

    return matches


def _condition(scanner: Scanner, depth: int) -> Test:
    parts = [_all(scanner, depth)]
    while scanner.take("||"):
        parts.append(_all(scanner, depth))
    return parts[0] if len(parts) == 1 else lambda document: any(part(document) for part in parts)


def _all(scanner: Scanner, depth: int) -> Test:
    parts = [_one(scanner, depth)]
    while scanner.take("&&"):
        parts.append(_one(scanner, depth))
    return parts[0] if len(parts) == 1 else lambda document: all(part(document) for part in parts)


def _one(scanner: Scanner, depth: int) -> Test:
    if not scanner.take("("):
        return _tested(scanner)
    if depth == limits.NESTING_DEPTH:
        raise BadPattern
    inner = _condition(scanner, depth + 1)
    scanner.expect(")")
    return inner


def _tested(scanner: Scanner) -> Test:
    steps = _selector(scanner)
    scanner.blanks()
    if scanner.match(_NOT_EXISTS):
        return lambda document: not any(True for _ in _reached(document, steps))
    constant = scanner.match(_IS)
    if constant is not None:
        wanted = _CONSTANTS[constant[1]]
        return lambda document: any(value is wanted for value in _reached(document, steps))
    compare = comparison(scanner)
    return lambda document: any(_compared(value, compare) for value in _reached(document, steps))


def _compared(value: Any, compare: Callable[[str, int | float | None], bool]) -> bool:
    match value:
        case str():
            return compare(value, None)
        case bool():
            return compare("true" if value else "false", None)
        case int() | float():
            return compare(msgspec.json.encode(value).decode(), value)
    return False


def _selector(scanner: Scanner) -> list[Step]:
    scanner.expect("$")
    steps: list[Step] = []
    while True:
        dot = scanner.text.startswith(".", scanner.place)
        scanner.place += dot
        if scanner.text.startswith("[", scanner.place):
            scanner.place += 1
            steps.append(_bracket(scanner))
        elif dot:
            steps.append(_member(scanner))
        elif steps:
            return steps
        else:
            raise BadPattern


def _member(scanner: Scanner) -> Step:
    name = scanner.match(_NAME)
    if name is not None:
        return _named(name[0])
    if scanner.text.startswith("*", scanner.place):
        scanner.place += 1
        return _every
    raise BadPattern


def _bracket(scanner: Scanner) -> Step:
    scanner.blanks()
    step: Step
    if (index := scanner.match(_INDEX)) is not None:
        step = _element(int(index[0]))
    elif scanner.take("*"):
        step = _every
    elif (name := scanner.quoted() or _single_quoted(scanner)) is not None:
        step = _named(name)
    else:
        raise BadPattern
    scanner.expect("]")
    return step


_SINGLE: Final = re.compile(r"'([^']+)'")


def _single_quoted(scanner: Scanner) -> str | None:
    found = scanner.match(_SINGLE)
    return None if found is None else found[1]


def _named(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _element(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and index < len(value):
            yield value[index]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _reached(document: Any, steps: list[Step]) -> Iterator[Any]:
    """The values that a selector reaches; it goes as deep as the selector has steps."""
    if not steps:
        yield document
        return
    for value in steps[0](document):
        yield from _reached(value, steps[1:])
