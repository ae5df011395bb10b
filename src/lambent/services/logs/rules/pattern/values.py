"""The right side of a comparison, and what it is true of.

    comparison := ( "=" | "!=" ) value | ( "<" | "<=" | ">" | ">=" ) number
    value      := number | quoted | text | "%" regex "%"

A `*` at the beginning or the end of a text, quoted or not, stands for anything; elsewhere it is an asterisk. A number
is compared as a number with what is one (`400`, `4e2` and `400.0` are equal) and otherwise as text.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Final

from lambent.services.logs.rules.pattern.scanner import BadPattern
from lambent.services.logs.rules.wildcards import like

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.services.logs.rules.pattern.scanner import Scanner

    Number = int | float
    Test = Callable[[str, "Number | None"], bool]

_OPERATOR: Final = re.compile(r"!=|=!|<=|>=|=|<|>")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")
_WHOLE: Final = re.compile(r"[+-]?\d{1,100}")
_TEXT: Final = re.compile(r"[^\s\"%()\[\]{}&|=!<>,$\\]+")
_ORDER: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def number_in(text: str) -> Number | None:
    """The number that `text` spells, if it does."""
    if _NUMBER.fullmatch(text) is None:
        return None
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def comparison(scanner: Scanner) -> Test:
    """A comparison: decides for a value given as text and, where it is one, as a number. Raises BadPattern."""
    scanner.blanks()
    found = scanner.match(_OPERATOR)
    if found is None:
        raise BadPattern
    scanner.blanks()
    if found[0] in _ORDER:
        return _ordered(_ORDER[found[0]], scanner)
    equal = _equal(scanner)
    if found[0] == "=":
        return equal
    # AWS's page writes `!=` and, in its oldest example, `=!`.
    return lambda text, number: not equal(text, number)


def _ordered(holds: Callable[[Number, Number], bool], scanner: Scanner) -> Test:
    found = scanner.match(_TEXT)
    bound = None if found is None else number_in(found[0])
    if bound is None:
        raise BadPattern
    return lambda _text, number: number is not None and holds(number, bound)


def _equal(scanner: Scanner) -> Test:
    regex = scanner.regex()
    if regex is not None:
        return lambda text, _number: regex.search(text)
    quoted = scanner.quoted()
    if quoted is not None:
        fits = like(quoted)
        return lambda text, _number: fits(text)
    found = scanner.match(_TEXT)
    if found is None:
        raise BadPattern
    wanted, fits = number_in(found[0]), like(found[0])
    if wanted is None:
        return lambda text, _number: fits(text)
    return lambda text, number: fits(text) if number is None else number == wanted
