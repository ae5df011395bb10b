"""The patterns of the models (Java's and ECMAScript's) in Python's language, and only those that cannot hang.

Python's matcher backtracks and cannot be interrupted, so a hostile value must never meet a pattern that makes it try
exponentially many ways. Such a pattern is found by its shape: a repeat inside a repeat whose rounds nothing separates.
Where repeats follow each other the work grows with a power of the value's length, so longer values are not tested.
What is not tested passes; the operation behind it still checks what it relies on.
"""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from functools import cache
from itertools import groupby
from re import _constants as codes  # type: ignore[attr-defined]  # the parse tree has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pattern(msgspec.Struct, frozen=True):
    """A pattern that values are tested with as a whole, up to a length."""

    compiled: re.Pattern[str]
    longest: int

    def takes(self, value: str) -> bool:
        return len(value) > self.longest or self.compiled.fullmatch(value) is not None


@cache
def compile_pattern(pattern: str) -> Pattern | None:
    """`pattern` as Python can test it; None where it has no translation or could hang."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            translated = translate(pattern)
            tree = parser.parse(translated, re.ASCII)  # `\w` and `\d` are ASCII in the models' languages
            compiled = re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError, Untranslatable, Warning):
        return None
    if _explodes(tree):
        return None
    power = max(1, _loose_repeats(tree))
    return Pattern(compiled, int(limits.PATTERN_STEPS ** (1 / power)))


class Untranslatable(Exception):
    """Python has nothing that means the same."""


def translate(pattern: str) -> str:
    """The pattern in Python's language. Raises Untranslatable."""
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010ffff")
    pieces: list[str] = []
    inside = False
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        assert token is not None
        at = token.end()
        piece = token[0]
        if token["property"]:
            pieces.append(_property(token["property"], negated=piece[1] == "P", inside=inside))
        elif token["hex"]:
            pieces.append(f"\\U{int(token['hex'], 16):08x}")
        elif piece == r"\z":
            pieces.append(r"\Z")
        elif inside and piece in ("[", "&&"):
            raise Untranslatable(pattern)
        elif inside and piece in _CLASSES and pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] != "]":
            pieces.append(piece + r"\-")
            at += 1
        elif inside and piece in ("|", "&", "~"):
            pieces.append("\\" + piece)
        else:
            inside = piece.startswith("[") or (inside and piece != "]")
            pieces.append(piece)
    return "".join(pieces)


def _property(name: str, *, negated: bool, inside: bool) -> str:
    ranges = _ranges(_PROPERTIES.get(name, name), negated)
    return ranges if inside else f"[{ranges}]"


@cache
def _ranges(category: str, negated: bool) -> str:
    """The characters of a Unicode category, as the inside of a character class."""
    if category in _ASCII:
        spans = [(code, code) for code in range(128) if re.fullmatch(_ASCII[category], chr(code))]
    elif category.isalpha() and len(category) <= 2:
        spans = sorted(span for name, found in _categories().items() if name.startswith(category) for span in found)
    else:
        raise Untranslatable(category)
    if negated:
        ends = [-1, *(end for _, end in spans)]
        starts = [*(start for start, _ in spans), sys.maxunicode + 1]
        spans = [(end + 1, start - 1) for end, start in zip(ends, starts, strict=True) if start - end > 1]
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in spans)


@cache
def _categories() -> dict[str, list[tuple[int, int]]]:
    """The runs of characters of each Unicode category; beyond the scripts only a few are assigned."""
    found: dict[str, list[tuple[int, int]]] = {
        "Cn": [(0x34000, 0xDFFFF), (0xE0200, 0xEFFFF)],
        "Co": [(0xF0000, 0x10FFFF)],
    }
    for block in (range(0x34000), range(0xE0000, 0xE0200)):
        for category, run in groupby(block, lambda code: unicodedata.category(chr(code))):
            members = list(run)
            found.setdefault(category, []).append((members[0], members[-1]))
    return found


# What a parse tree says about the work of matching. A set of characters is one bit each for those below 256 and one
# bit for all others, which is enough to see whether two of them overlap.


def _explodes(tree: Any) -> bool:
    """Whether a repeat holds another repeat and nothing tells its rounds apart."""
    return any(
        (_is_long(node) and _holds_repeat(node[1][2]) and not _separated(node[1][2]))
        or any(_explodes(inner) for inner in _inner(node))
        for node in tree
    )


def _separated(body: Any) -> bool:
    """Whether each round of a repeat has a character that no repeat in the round can take."""
    taken = 0
    for repeat in _repeats(body):
        taken |= _characters(repeat[1][2])
    return any(_mandatory(node) & ~taken == _mandatory(node) != 0 for node in _flat(body))


def _loose_repeats(tree: Any) -> int:
    """How many repeats can give back characters to what follows them: the power of the length that work grows with."""
    nodes = list(_flat(tree))
    count = 0
    for place, node in enumerate(nodes):
        if _is_long(node):
            after = next((_characters([other]) for other in nodes[place + 1 :] if _mandatory(other)), 0)
            count += bool(_characters([node]) & after)
        count += sum(_loose_repeats(inner) for inner in _inner(node) if node[0] is not codes.SUBPATTERN)
    return count


def _flat(tree: Any) -> Iterator[Any]:
    """The nodes of a sequence, with groups opened."""
    for node in tree:
        if node[0] is codes.SUBPATTERN:
            yield from _flat(node[1][3])
        elif node[0] is codes.ATOMIC_GROUP:
            yield from _flat(node[1])
        else:
            yield node


def _is_long(node: Any) -> bool:
    return node[0] in _REPEATS and node[1][1] > _SHORT


def _holds_repeat(tree: Any) -> bool:
    return any(True for _ in _repeats(tree))


def _repeats(tree: Any) -> Iterator[Any]:
    for node in tree:
        if _is_long(node):
            yield node
        for inner in _inner(node):
            yield from _repeats(inner)


def _inner(node: Any) -> list[Any]:
    """The sequences inside a node."""
    code, value = node
    if code in _REPEATS:
        return [value[2]]
    if code is codes.SUBPATTERN:
        return [value[3]]
    if code is codes.BRANCH:
        return list(value[1])
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return [value[1]]
    return [value] if code is codes.ATOMIC_GROUP else []


def _mandatory(node: Any) -> int:
    """The characters of which one must be there for `node`; none where it may be left out."""
    code, value = node
    if code in _REPEATS:
        return _characters(value[2]) if value[0] else 0
    if code is codes.BRANCH:
        return _characters([node])
    return _own(node)


def _characters(tree: Any) -> int:
    """Every character that can be part of a match of `tree`."""
    found = 0
    for node in tree:
        found |= _own(node)
        if node[0] not in (codes.ASSERT, codes.ASSERT_NOT):
            for inner in _inner(node):
                found |= _characters(inner)
    return found


def _own(node: Any) -> int:
    code, value = node
    if code is codes.LITERAL:
        return 1 << min(int(value), 256)
    if code is codes.NOT_LITERAL:
        return _ALL & ~(1 << int(value)) if value < 256 else _ALL
    if code is codes.ANY:
        return _ALL
    if code is codes.IN:
        return _class(value)
    return _ALL if code is codes.GROUPREF else 0


def _class(items: Any) -> int:
    found = 0
    for code, value in items:
        if code is codes.RANGE:
            low, high = value
            found |= sum(1 << bit for bit in range(low, min(high, 255) + 1)) | (1 << 256 if high > 255 else 0)
        elif code is codes.CATEGORY:
            found |= _category(value)
        elif code is codes.LITERAL:
            found |= 1 << min(value, 256)
    return found if (codes.NEGATE, None) not in items else _ALL & ~(found & ~(1 << 256))


@cache
def _category(code: Any) -> int:
    pattern = re.compile({"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[str(code).rpartition("_")[2]])
    found = sum(1 << bit for bit in range(256) if pattern.fullmatch(chr(bit))) | 1 << 256
    inverse: int = _ALL & ~found | 1 << 256
    return inverse if "NOT" in str(code) else found


_TOKEN = re.compile(
    r"\\[pP]\{(?P<property>\w+)\}|\\x\{(?P<hex>[0-9a-fA-F]+)\}|\\.|\[\^?\]?|&&|.",
    re.DOTALL,
)
_CLASSES = ("\\w", "\\d", "\\s", "\\W", "\\D", "\\S")
_PROPERTIES = {"IsWhitespace": "Z", "LD": "L"}
_ASCII = {
    "ASCII": r"[\x00-\x7f]",
    "Alnum": "[A-Za-z0-9]",
    "Alpha": "[A-Za-z]",
    "Blank": "[ \\t]",
    "Cntrl": r"[\x00-\x1f\x7f]",
    "Digit": "[0-9]",
    "Graph": "[!-~]",
    "Lower": "[a-z]",
    "Print": "[ -~]",
    "Punct": r"[!-/:-@\[-`{-~]",
    "Upper": "[A-Z]",
    "XDigit": "[0-9A-Fa-f]",
}
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)
_SHORT = 8
_ALL = (1 << 257) - 1
