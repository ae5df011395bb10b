"""The patterns of the models, Java's and ECMAScript's, for RE2, whose work grows only with the length of the value.

A hostile value must never meet an engine that backtracks. RE2 has no look-around and counts to 1,000 only: a pattern
with look-around is not tested, and a larger count has no upper end (the models bound the length besides). What is
not tested passes; the operation behind it still checks what it relies on.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import re2

_MOST = 1000
_TOKEN = re.compile(
    r"\\[pP]\{(?P<property>\w+)\}|\\u(?P<code>[0-9a-fA-F]{4})|\{(?P<low>\d+)(?P<to>,(?P<high>\d*))?\}"
    r"|\\.|\[\^?\]?|&&|.",
    re.DOTALL,
)
_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
"""How ECMAScript spells the characters beyond the first 65,536 inside a class."""
_CLASSES = (r"\w", r"\d", r"\s", r"\W", r"\D", r"\S")
_PROPERTIES = (
    {"IsWhitespace": r"\p{Z}", "LD": r"\p{L}"}
    | {
        name: f"[:{name.lower()}:]"
        for name in ("ASCII", "Alnum", "Alpha", "Blank", "Cntrl", "Digit", "Graph", "Lower", "Print", "Punct", "Upper")
    }
    | {"XDigit": "[:xdigit:]"}
)


class Untranslatable(Exception):
    """RE2 has nothing that means the same."""


@cache
def compile_pattern(pattern: str) -> Any | None:
    """`pattern` compiled, to be used with `fullmatch`; None where RE2 cannot test it."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # nobody asks what a group has met, and each is one more to be counted
    try:
        return re2.compile(translate(pattern), options)
    except (re2.error, Untranslatable):
        return None


def translate(pattern: str) -> str:
    """The pattern in RE2's language. Raises Untranslatable."""
    pattern = pattern.replace(_ASTRAL, r"\x{10000}-\x{10FFFF}")
    pieces: list[str] = []
    inside = False
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        assert token is not None
        piece = token[0]
        if inside and piece in ("[", "[^", "&&"):
            raise Untranslatable(pattern)
        if token["low"] and inside:
            # A brace inside a class stands for itself.
            piece = pattern[at]
        at += len(piece)
        if token["property"]:
            pieces.append(_property(piece, token["property"], inside=inside))
        elif token["code"]:
            pieces.append(f"\\x{{{token['code']}}}")
        elif token["low"] and not inside:
            pieces.append(_count(token))
        elif inside and piece in _CLASSES and pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] != "]":
            pieces.append(piece + r"\-")
            at += 1
        else:
            inside = piece.startswith("[") or (inside and piece != "]")
            pieces.append(piece)
    return "".join(pieces)


def _property(piece: str, name: str, *, inside: bool) -> str:
    known = _PROPERTIES.get(name, piece)
    if piece[1] == "P" and known != piece:
        raise Untranslatable(piece)
    return known if inside or not known.startswith("[:") else f"[{known}]"


def _count(token: re.Match[str]) -> str:
    low = min(int(token["low"]), _MOST)
    if token["to"] is None:
        return f"{{{low}}}"
    high = token["high"]
    return f"{{{low},{high if high and int(high) <= _MOST else ''}}}"
