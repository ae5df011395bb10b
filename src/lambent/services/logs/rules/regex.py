"""Regular expressions as filter patterns know them, matched in time that grows only with the message.

    regex  := branch { "|" branch }
    branch := { atom [ "?" | "*" | "+" | "{" n [ "," [ m ] ] "}" ] | "^" | "$" }
    atom   := character | "." | "[" [ "^" ] { character | range | class } "]" | "\\" class or character | "\\x" hex hex

There are no groups. A backtracking engine, Python's own among them, can be made to work for hours by a short
expression such as `a*a*a*b`; here every branch becomes a row of items, a state is the set of items that could come
next, and each character leads from one state to another. States are made when they are first needed and kept.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN: Final = r"[A-Za-z0-9:_#=@/;,\- ]"
_ESCAPE: Final = r"\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[!-/:-@\[-`{-~])"
_INSIDE: Final = rf"(?:{_ESCAPE}|[A-Za-z0-9:_#=@/;,\- ^$?|*+.{{}}])"
_ATOM: Final = re.compile(rf"\.|{_ESCAPE}|{_PLAIN}|\[\^?{_INSIDE}+\]")
_TIMES: Final = re.compile(r"[?*+]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}")


class BadRegex(Exception):
    """An expression outside the grammar, or one that is too large."""


class Regex:
    """A compiled expression. Raises BadRegex."""

    def __init__(self, source: str) -> None:
        self._items, self._ends = _parse(source)
        self._skips = _bits(number for number, item in enumerate(self._items) if item.skips)
        self._loops = _bits(number for number, item in enumerate(self._items) if item.loops)
        self._heads = _bits(number for number, item in enumerate(self._items) if item.atom == "^")
        self._tails = _bits(number for number, item in enumerate(self._items) if item.atom == "$")
        starts = [0] + [end + 1 for end in self._ends[:-1]]
        self._starts, self._accepts = _bits(starts), _bits(self._ends)
        self._classes = {
            item.atom: re.compile(item.atom, re.ASCII) for item in self._items if item.atom not in ("", "^", "$")
        }
        self._masks: dict[str, int] = {}
        self._states: dict[int, _State] = {}

    def search(self, text: str) -> bool:
        """Whether the expression matches somewhere in `text`; `$` matches also before a final newline, as in Java."""
        first = self._closure(self._starts, self._heads)
        state = self._state(first)
        last = len(text) - text.endswith("\n")
        for place, character in enumerate(text):
            if state.accepts or (place == last and self._ends_at(state, place)):
                return True
            state = state.following.get(character) or self._step(state, character)
        return state.accepts or self._ends_at(state, len(text))

    def _ends_at(self, state: _State, place: int) -> bool:
        passable = self._tails if place else self._tails | self._heads
        return bool(self._closure(state.members, passable) & self._accepts)

    def _step(self, state: _State, character: str) -> _State:
        if len(self._states) > limits.LOG_REGEX_CACHE or len(self._masks) > limits.LOG_REGEX_CACHE:
            self._states.clear()
            self._masks.clear()
        mask = self._masks.get(character)
        if mask is None:
            fitting = {atom for atom, one in self._classes.items() if one.match(character)}
            mask = _bits(number for number, item in enumerate(self._items) if item.atom in fitting)
            self._masks[character] = mask
        taken = state.members & mask
        following = self._state(self._closure(taken << 1 | taken & self._loops | self._starts))
        state.following[character] = following
        return following

    def _closure(self, members: int, passable: int = 0) -> int:
        """`members` and what follows items that need nothing: those that may be skipped, and anchors that hold."""
        free = self._skips | passable
        while (more := members | (members & free) << 1) != members:
            members = more
        return members

    def _state(self, members: int) -> _State:
        state = self._states.get(members)
        if state is None:
            state = _State(members, bool(members & self._accepts))
            self._states[members] = state
        return state


class _Item(msgspec.Struct, frozen=True):
    """A place in a branch: what it takes (nothing, at a branch's end), and whether it may take it never or again."""

    atom: str
    skips: bool = False
    loops: bool = False


class _State:
    """A set of items that could come next, and where characters lead from it."""

    __slots__ = ("accepts", "following", "members")

    def __init__(self, members: int, accepts: bool) -> None:
        self.members = members
        self.accepts = accepts
        self.following: dict[str, _State] = {}


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _parse(source: str) -> tuple[list[_Item], list[int]]:
    """The items of all branches in one row, each branch closed by an empty item, and the numbers of those."""
    items: list[_Item] = []
    ends: list[int] = []
    place = 0
    while True:
        if place == len(source) or source[place] == "|":
            ends.append(len(items))
            items.append(_Item(""))
            if place == len(source):
                break
            place += 1
        elif source[place] in "^$":
            items.append(_Item(source[place]))
            place += 1
        else:
            place = _piece(source, place, items)
        if len(items) > limits.LOG_REGEX_STATES:
            raise BadRegex(source)
    return items, ends


def _piece(source: str, place: int, items: list[_Item]) -> int:
    """Append one atom as often as it is asked for; where the next piece begins."""
    found = _ATOM.match(source, place)
    if found is None:
        raise BadRegex(source)
    atom = found[0]
    if "--" in atom or "||" in atom:
        # Python warns that it may read these as operators on classes one day.
        raise BadRegex(source)
    try:
        re.compile(atom)
    except re.error as error:
        raise BadRegex(source) from error
    times = _TIMES.match(source, found.end())
    if times is None:
        items.append(_Item(atom))
        return found.end()
    least, most = _count(times)
    if most is not None and most < least:
        raise BadRegex(source)
    if max(least, most or 0) > limits.LOG_REGEX_STATES:
        raise BadRegex(source)
    items.extend([_Item(atom)] * least)
    if most is None:
        items.append(_Item(atom, skips=True, loops=True))
    else:
        items.extend([_Item(atom, skips=True)] * (most - least))
    return times.end()


def _count(times: re.Match[str]) -> tuple[int, int | None]:
    """The least and the most repetitions; None for no end."""
    match times[0]:
        case "?":
            return 0, 1
        case "*":
            return 0, None
        case "+":
            return 1, None
    least = int(times[1])
    if times[2] is None:
        return least, least
    return least, None if times[3] is None else int(times[3])
