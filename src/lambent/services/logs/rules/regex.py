"""Regular expressions as filter patterns know them, matched by RE2 in time that grows only with the message.

    regex  := branch { "|" branch }
    branch := { atom [ "?" | "*" | "+" | "{" n [ "," [ m ] ] "}" ] | "^" | "$" }
    atom   := character | "." | "[" [ "^" ] { character | range | class } "]" | "\\" class or character | "\\x" hex hex

There are no groups. Python's own engine backtracks, so a short expression such as `a*a*a*b` can keep it busy for hours.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import re
from typing import Final

import re2

from lambent.kernel import limits

_PLAIN: Final = r"[A-Za-z0-9:_#=@/;,\- ]"
_ESCAPE: Final = r"\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[!-/:-@\[-`{-~])"
_INSIDE: Final = rf"(?:{_ESCAPE}|[A-Za-z0-9:_#=@/;,\- ^$?|*+.{{}}])"
_ATOM: Final = rf"(?:\.|{_ESCAPE}|{_PLAIN}|\[\^?{_INSIDE}+\])"
_TIMES: Final = r"(?:[?*+]|\{\d{1,4}(?:,(?:\d{1,4})?)?\})?"
_GRAMMAR: Final = re.compile(rf"(?:{_ATOM}{_TIMES}|[\^$|])*+")


class BadRegex(Exception):
    """An expression outside the grammar, or one that is too large."""


class Regex:
    """A compiled expression. Raises BadRegex."""

    def __init__(self, source: str) -> None:
        if _GRAMMAR.fullmatch(source) is None:
            raise BadRegex(source)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = limits.LOG_REGEX_BYTES
        try:
            self._compiled = re2.compile(source, options)
        except re2.error as error:
            raise BadRegex(source) from error

    def search(self, text: str) -> bool:
        """Whether the expression matches somewhere in `text`; `$` matches also before a final newline, as in Java."""
        return bool(self._compiled.search(text) or (text.endswith("\n") and self._compiled.search(text[:-1])))
