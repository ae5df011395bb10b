"""Patterns for events whose fields stand between blanks.

    columns := column { "," column }
    column  := "..." | [ name [ test ] ]
    test    := all { "||" name all }
    all     := comparison { "&&" name comparison }

A part of the event in double quotes or square brackets is one field. Without an ellipsis the event must have exactly
as many fields as the pattern has columns; an ellipsis, at most one, stands for any number of them. The conditions of a
column are all about that column and repeat its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lambent.services.logs.rules.pattern.scanner import BadPattern
from lambent.services.logs.rules.pattern.values import comparison, number_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.services.logs.rules.pattern.scanner import Scanner

    Test = Callable[[str], bool]

_NAME: Final = re.compile(r"[\w.$-]+")
_ELLIPSIS: Final = re.compile(r"\.\.\.|…")
_RUN: Final = re.compile(r"\S+")
_CLOSING: Final = {'"': '"', "[": "]"}


def parse(scanner: Scanner) -> Callable[[str], bool]:
    """What decides whether a message matches. Raises BadPattern."""
    columns: list[Test | None] = []
    gap: int | None = None
    while True:
        scanner.blanks()
        if scanner.match(_ELLIPSIS):
            if gap is not None:
                raise BadPattern
            gap = len(columns)
        else:
            columns.append(_column(scanner))
        if not scanner.take(","):
            break
    if not scanner.done:
        raise BadPattern
    return _matcher(columns, gap)


def _matcher(columns: list[Test | None], gap: int | None) -> Callable[[str], bool]:
    count = len(columns)
    # With a gap, the columns behind it are counted from the end of the event.
    places = [place if gap is None or place < gap else place - count for place in range(count)]
    tests = [(place, test) for place, test in zip(places, columns, strict=True) if test is not None]

    def matches(message: str) -> bool:
        fields = split(message)
        if len(fields) != count if gap is None else len(fields) < count:
            return False
        return all(test(fields[place]) for place, test in tests)

    return matches


def split(message: str) -> list[str]:
    """The fields of an event, without the quotes or brackets around them."""
    fields: list[str] = []
    # Where each symbol closes next. It is looked for once, not again for everything that opens before it: a message
    # of nothing but brackets would take time that grows with its square.
    ends = dict.fromkeys(_CLOSING.values(), -1)
    place = 0
    while (run := _RUN.search(message, place)) is not None:
        field, (start, place) = run[0], run.span()
        symbol = _CLOSING.get(field[0])
        if symbol is not None:
            if ends[symbol] <= start:
                found = message.find(symbol, start + 1)
                ends[symbol] = len(message) if found < 0 else found
            end = ends[symbol]
            if end < len(message) and not message[end + 1 : end + 2].strip():
                field, place = message[start + 1 : end], end + 1
        fields.append(field)
    return fields


def _column(scanner: Scanner) -> Test | None:
    name = scanner.match(_NAME)
    scanner.blanks()
    if name is None or scanner.text[scanner.place :].startswith(",") or scanner.done:
        return None
    parts = [_all(scanner, name[0])]
    while scanner.take("||"):
        _again(scanner, name[0])
        parts.append(_all(scanner, name[0]))
    return lambda field: any(part(field) for part in parts)


def _all(scanner: Scanner, name: str) -> Test:
    parts = [comparison(scanner)]
    while scanner.take("&&"):
        _again(scanner, name)
        parts.append(comparison(scanner))

    def holds(field: str) -> bool:
        number = number_in(field)
        return all(part(field, number) for part in parts)

    return holds


def _again(scanner: Scanner, name: str) -> None:
    """Pass over the name of the column, which each further condition repeats. Raises BadPattern for another one."""
    scanner.blanks()
    found = scanner.match(_NAME)
    if found is None or found[0] != name:
        raise BadPattern
