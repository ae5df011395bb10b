"""The scanner that every kind of filter pattern is read with."""

from __future__ import annotations

import re
from typing import Final

from lambent.kernel import limits
from lambent.services.logs.rules.regex import BadRegex, Regex

_BLANKS: Final = re.compile(r"\s*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX: Final = re.compile(r"%((?:[^%\\]|\\.)+)%", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class BadPattern(Exception):
    """A filter pattern that is not one; the text is AWS's."""

    def __init__(self, message: str = "Invalid filter pattern") -> None:
        super().__init__(message)


class Scanner:
    """A pattern and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self._regexes = 0

    @property
    def done(self) -> bool:
        """Whether nothing but blanks is left."""
        self.blanks()
        return self.place == len(self.text)

    def blanks(self) -> None:
        """Pass over blanks."""
        found = _BLANKS.match(self.text, self.place)
        assert found is not None
        self.place = found.end()

    def take(self, symbol: str) -> bool:
        """Pass over blanks and `symbol` if it comes next; whether it did."""
        self.blanks()
        if not self.text.startswith(symbol, self.place):
            return False
        self.place += len(symbol)
        return True

    def expect(self, symbol: str) -> None:
        """Pass over `symbol`. Raises BadPattern where something else comes."""
        if not self.take(symbol):
            raise BadPattern

    def match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        """Pass over what matches here, if it does."""
        found = expression.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
        return found

    def quoted(self) -> str | None:
        """The text of a quoted string, if one comes next; `\\"` is a quote and `\\\\` a backslash in it."""
        found = self.match(_QUOTED)
        return None if found is None else _ESCAPED.sub(r"\1", found[1])

    def regex(self) -> Regex | None:
        """A regular expression between percent signs, if one comes next. Raises BadPattern."""
        found = self.match(_REGEX)
        if found is None:
            return None
        self._regexes += 1
        if self._regexes > limits.LOG_PATTERN_REGEXES:
            raise BadPattern(f"A filter pattern can have at most {limits.LOG_PATTERN_REGEXES} regular expressions")
        try:
            return Regex(found[1])
        except BadRegex as error:
            raise BadPattern(f"Invalid character(s) in term '{found[0]}'") from error
