"""Wildcards and variables as policies write them: `*`, `?`, and `${aws:username}` for what a request knows.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ANY: Final = "**"
_ONE: Final = "??"
_WILD: Final = {"*": _ANY, "?": _ONE}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULTED = re.compile(r"([^,]+),\s*'([^']*)'")

Pattern = list[str]
"""One character per part, or a wildcard."""


class UnknownVariable(Exception):
    """The request knows nothing by this name, and the policy gives no default: its statement applies to nothing."""


def pattern(text: str, value_of: Callable[[str], str | None] | None = None) -> Pattern:
    """`text` as a pattern, with its variables replaced by what `value_of` makes of their names. Without `value_of`,
    as in policies of the older version, a variable is plain text. Raises UnknownVariable."""
    if value_of is None or "${" not in text:
        return [_WILD.get(character, character) for character in text]
    parts: Pattern = []
    for position, part in enumerate(_VARIABLE.split(text)):
        if position % 2:
            parts.extend(part if part in ("*", "?", "$") else _value(part, value_of))
        else:
            parts.extend(_WILD.get(character, character) for character in part)
    return parts


def plain(parts: Pattern) -> str:
    """The text of a pattern where wildcards mean nothing."""
    return "".join(part[0] for part in parts)


def matches(parts: Sequence[str], text: str) -> bool:
    """Whether `text` fits the pattern. Takes time by the product of both lengths at most."""
    here = at = 0
    star, resume = -1, 0
    while at < len(text):
        if here < len(parts) and parts[here] == _ANY:
            star, resume = here, at
            here += 1
        elif here < len(parts) and parts[here] in (_ONE, text[at]):
            here, at = here + 1, at + 1
        elif star >= 0:
            resume += 1
            here, at = star + 1, resume
        else:
            return False
    return all(part == _ANY for part in parts[here:])


def arn_matches(parts: Pattern, text: str) -> bool:
    """Whether the ARN `text` fits the pattern field by field, as AWS compares ARNs: no wildcard reaches past a colon,
    but in the last of the six fields."""
    wanted, given = _fields(parts), text.split(":", 5)
    return len(wanted) == len(given) and all(map(matches, wanted, given))


def _fields(parts: Pattern) -> list[Pattern]:
    fields: list[Pattern] = [[]]
    for part in parts:
        if part == ":" and len(fields) < 6:
            fields.append([])
        else:
            fields[-1].append(part)
    return fields


def _value(variable: str, value_of: Callable[[str], str | None]) -> str:
    defaulted = _DEFAULTED.fullmatch(variable)
    value = value_of((defaulted[1] if defaulted else variable).strip())
    if value is not None:
        return value
    if defaulted is None:
        raise UnknownVariable(variable)
    return defaulted[2]
