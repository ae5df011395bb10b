"""Positions: the total order of events, and the ids and tokens that carry a position.

A position is one integer: timestamp, then the number of the chunk, then the place in the chunk. Events are ordered by
their time and within it by when they came, as AWS orders them. An id is the position in 56 digits, as AWS's ids are.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

_TIME: Final = 144
_CHUNK: Final = 64
_DIGITS: Final = 56
_LAST: Final = (1 << 62 + _TIME) - 1

Direction = Literal["f", "b"]


def position(timestamp: int, chunk: int, index: int) -> int:
    """Where the event number `index` of `chunk` stands."""
    return timestamp << _TIME | chunk << _CHUNK | index


def timestamp_of(place: int) -> int:
    """The timestamp of the event at a position."""
    return place >> _TIME


def event_id(place: int) -> str:
    """The id of the event at a position."""
    return f"{place:0{_DIGITS}d}"


class Window(msgspec.Struct, frozen=True):
    """The positions from `low` to `high`, both included."""

    low: int = 0
    high: int = _LAST

    @classmethod
    def of_times(cls, first: int, last: int | None) -> Window:
        """The events with timestamps from `first` to `last`, both included; no end where `last` is None."""
        high = _LAST if last is None else min(((last + 1) << _TIME) - 1, _LAST)
        return cls(min(max(first, 0) << _TIME, _LAST), high)

    def beyond(self, direction: Direction, place: int) -> Window:
        """What is left of the window after `place` (`f`) or before it (`b`)."""
        if direction == "f":
            return Window(max(self.low, place + 1), self.high)
        return Window(self.low, min(self.high, place - 1))

    @property
    def empty(self) -> bool:
        return self.low > self.high


class BadToken(Exception):
    """A token that this service did not give."""


def token(direction: Direction, place: int) -> str:
    """The token that goes on from a position, in the form of AWS's: `f/56 digits/s`."""
    return f"{direction}/{place:0{_DIGITS}d}/s"


def read_token(text: str) -> tuple[Direction, int]:
    """The direction and position in a token. Raises BadToken."""
    match text.split("/"):
        case ["f" | "b" as direction, digits, "s"] if digits.isascii() and digits.isdigit() and len(digits) <= 64:
            place = int(digits)
            if place <= _LAST:
                return ("f" if direction == "f" else "b"), place
    raise BadToken(text)


def upload_token(chunk: int) -> str:
    """The `nextSequenceToken` after `chunk`: 56 digits; nobody has to give it back."""
    return f"49{chunk:0{_DIGITS - 2}d}"
