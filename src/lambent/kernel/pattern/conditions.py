"""The conditions of event patterns on a single value: equality, and the operators in objects of one key."""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

Condition = Callable[[Any], bool]
"""Whether a value without parts is wanted; the value is ABSENT where the event does not have it."""

ABSENT: Final = object()

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class BadPattern(Exception):
    """Text that is no event pattern."""


def compile_condition(value: Any) -> Condition:
    """The condition that one element of a field's list is. Raises BadPattern."""
    if isinstance(value, list):
        raise BadPattern("a list within a list")
    if not isinstance(value, dict):
        return _equal(value)
    if len(value) != 1:
        raise BadPattern("a condition has one operator")
    ((name, operand),) = value.items()
    if name not in _OPERATORS:
        raise BadPattern(f"there is no operator {name}")
    return _OPERATORS[name](operand)


def _equal(wanted: Any) -> Condition:
    """JSON tells booleans from numbers; Python does not."""
    return lambda value: value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _of_text(test: Callable[[str], bool]) -> Condition:
    return lambda value: isinstance(value, str) and test(value)


def _text(operand: Any) -> str:
    if not isinstance(operand, str):
        raise BadPattern("text is wanted")
    return operand


def _number(operand: Any) -> float:
    if isinstance(operand, bool) or not isinstance(operand, int | float) or abs(operand) > limits.PATTERN_NUMBER:
        raise BadPattern("a number is wanted")
    return operand


def _affix(test: Callable[[str, str], bool], operand: Any) -> Condition:
    """A prefix or a suffix, which may be one in any case."""
    if isinstance(operand, dict):
        if operand.keys() != {"equals-ignore-case"}:
            raise BadPattern("an affix is text or equals-ignore-case")
        folded = _text(operand["equals-ignore-case"]).casefold()
        return _of_text(lambda value: test(value.casefold(), folded))
    wanted = _text(operand)
    return _of_text(lambda value: test(value, wanted))


def _prefix(operand: Any) -> Condition:
    return _affix(str.startswith, operand)


def _suffix(operand: Any) -> Condition:
    return _affix(str.endswith, operand)


def _ignore_case(operand: Any) -> Condition:
    folded = _text(operand).casefold()
    return _of_text(lambda value: value.casefold() == folded)


def _wildcard(operand: Any) -> Condition:
    """`*` stands for any characters; a backslash takes its meaning from the character after it."""
    parts = list(_literals(_text(operand)))
    if "" in parts[1:-1]:
        raise BadPattern("two wildcards in a row")
    return _of_text(lambda value: _spells(value, parts))


def _literals(text: str) -> Iterator[str]:
    """What stands between the wildcards of `text`."""
    literal = ""
    characters = iter(text)
    for character in characters:
        if character == "*":
            yield literal
            literal = ""
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in ("*", "\\"):
                raise BadPattern("a backslash escapes a wildcard or itself")
            literal += escaped
        else:
            literal += character
    yield literal


def _spells(value: str, parts: list[str]) -> bool:
    """Whether `value` consists of `parts` with any characters between them. Its work grows with the value only."""
    if len(parts) == 1:
        return value == parts[0]
    end = len(value) - len(parts[-1])
    at = len(parts[0])
    if at > end or not value.startswith(parts[0]) or not value.endswith(parts[-1]):
        return False
    for part in parts[1:-1]:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _numeric(operand: Any) -> Condition:
    """One comparison, or a lower and an upper bound in this order."""
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise BadPattern("a comparison and a number, once or twice")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    if not all(isinstance(sign, str) and sign in _COMPARISONS for sign, _ in pairs):
        raise BadPattern("there is no such comparison")
    bounds = [(sign, _number(bound)) for sign, bound in pairs]
    if len(bounds) == 2 and not _is_range(*bounds[0], *bounds[1]):
        raise BadPattern("it is not a range")
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and all(_COMPARISONS[sign](value, bound) for sign, bound in bounds)
    )


def _is_range(low_sign: str, low: float, high_sign: str, high: float) -> bool:
    return low_sign in (">", ">=") and high_sign in ("<", "<=") and low < high


def _exists(operand: Any) -> Condition:
    if not isinstance(operand, bool):
        raise BadPattern("true or false is wanted")
    return lambda value: (value is not ABSENT) == operand


def _cidr(operand: Any) -> Condition:
    try:
        network = ipaddress.ip_network(_text(operand), strict=False)
    except ValueError as error:
        raise BadPattern("it is no range of addresses") from error
    if "/" not in operand:
        raise BadPattern("it is no range of addresses")
    return _of_text(lambda value: _within(value, network))


def _within(value: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


def _anything_but(operand: Any) -> Condition:
    """Every value but those named, or those that an operator holds for; what the event does not have is no value."""
    if isinstance(operand, dict):
        unwanted = [_negated(operand, one) for one in _several(operand)]
    else:
        unwanted = [_equal(one) for one in _named(operand)]
    return lambda value: value is not ABSENT and not any(holds(value) for holds in unwanted)


def _named(operand: Any) -> list[Any]:
    """The values that anything-but excludes: texts only, or numbers only."""
    named = operand if isinstance(operand, list) else [operand]
    if not named:
        raise BadPattern("an empty list")
    wanted = _text if isinstance(named[0], str) else _number
    return [wanted(one) for one in named]


def _several(operand: dict[str, Any]) -> list[Any]:
    """The operands of the operator in anything-but, which takes one or a list."""
    if len(operand) != 1:
        raise BadPattern("a condition has one operator")
    (value,) = operand.values()
    several = value if isinstance(value, list) else [value]
    if not several:
        raise BadPattern("an empty list")
    return several


def _negated(operand: dict[str, Any], one: Any) -> Condition:
    (name,) = operand
    if name not in _NEGATED:
        raise BadPattern(f"anything-but does not take {name}")
    return _NEGATED[name](one)


_NEGATED: Final[dict[str, Callable[[Any], Condition]]] = {
    "equals-ignore-case": _ignore_case,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_OPERATORS: Final[dict[str, Callable[[Any], Condition]]] = _NEGATED | {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "exists": _exists,
    "numeric": _numeric,
}
