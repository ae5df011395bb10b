"""Patterns of terms: what the text of an event contains.

    terms := term { term }
    term  := [ "?" | "-" ] ( word | quoted | "%" regex "%" )

Every plain term must occur, no term after `-` may. Terms after `?` are alternatives, one of which must occur; AWS
takes no notice of them as soon as the pattern has a term of another kind. A word is letters, digits and underscores;
anything else needs quotes. Case matters, and a term may occur within a longer word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lambent.services.logs.rules.pattern.scanner import BadPattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.services.logs.rules.pattern.scanner import Scanner

    Test = Callable[[str], bool]

_SIGN: Final = re.compile(r"[?-]")
_RUN: Final = re.compile(r"\S*")
_WORD: Final = re.compile(r"\w+")


def parse(scanner: Scanner) -> Test:
    """What decides whether a message matches. Raises BadPattern."""
    by_sign: dict[str, list[Test]] = {"": [], "?": [], "-": []}
    while not scanner.done:
        sign = scanner.match(_SIGN)
        scanner.blanks()
        by_sign["" if sign is None else sign[0]].append(_term(scanner))
    return _together(by_sign[""], by_sign["?"], by_sign["-"])


def _term(scanner: Scanner) -> Test:
    regex = scanner.regex()
    if regex is not None:
        return regex.search
    start = scanner.place
    text = scanner.quoted()
    if text is None:
        run = scanner.match(_RUN)
        text = "" if run is None or not _WORD.fullmatch(run[0]) else run[0]
    if not text:
        raise BadPattern(f"Invalid character(s) in term '{scanner.text[start : scanner.place]}'")
    return _contains(text)


def _contains(term: str) -> Test:
    return lambda message: term in message


def _together(needed: list[Test], either: list[Test], none: list[Test]) -> Test:
    if not needed and not none:
        return lambda message: any(test(message) for test in either)
    return lambda message: all(test(message) for test in needed) and not any(test(message) for test in none)
