"""Event patterns: JSON that says which events are wanted, as EventBridge and event source mappings read it.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.kernel.pattern import conditions
from lambent.kernel.pattern.conditions import ABSENT, BadPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.kernel.pattern.conditions import Condition

__all__ = ["BadPattern", "Pattern", "parse"]

_OR = "$or"


class Pattern:
    """One object of a pattern: every field must match, and one alternative of its `$or` where it has one."""

    def __init__(
        self, fields: Mapping[str, Pattern | tuple[Condition, ...]], alternatives: tuple[Pattern, ...] = ()
    ) -> None:
        self._fields = fields
        self._alternatives = alternatives

    def matches(self, event: Any) -> bool:
        """Whether the decoded JSON `event` is wanted. A list stands for each of its elements."""
        if isinstance(event, list):
            return any(self.matches(element) for element in event)
        held = event if isinstance(event, dict) else {}
        return all(_wanted(part, held.get(name, ABSENT)) for name, part in self._fields.items()) and (
            not self._alternatives or any(alternative.matches(held) for alternative in self._alternatives)
        )


def parse(text: str | bytes) -> Pattern:
    """The pattern in the JSON `text`. Raises BadPattern where AWS would refuse it."""
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadPattern("it is not JSON") from error
    return _object(decoded, limits.NESTING_DEPTH)


def _object(value: Any, depth: int) -> Pattern:
    if not isinstance(value, dict) or not value:
        raise BadPattern("an object with at least one field is wanted")
    if not depth:
        raise BadPattern("it is nested too deeply")
    alternatives = _alternatives(value[_OR], depth) if _OR in value else ()
    return Pattern({name: _field(part, depth) for name, part in value.items() if name != _OR}, alternatives)


def _alternatives(value: Any, depth: int) -> tuple[Pattern, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise BadPattern(f"{_OR} wants a list of at least two objects")
    return tuple(_object(part, depth - 1) for part in value)


def _field(value: Any, depth: int) -> Pattern | tuple[Condition, ...]:
    if isinstance(value, dict):
        return _object(value, depth - 1)
    if not isinstance(value, list) or not value:
        raise BadPattern("a field wants a list of at least one value")
    return tuple(conditions.compile_condition(part) for part in value)


def _wanted(part: Pattern | tuple[Condition, ...], value: Any) -> bool:
    if isinstance(part, Pattern):
        return part.matches(value)
    if isinstance(value, list) and value:
        return any(_wanted(part, element) for element in value)
    leaf = ABSENT if isinstance(value, dict | list) else value
    return any(holds(leaf) for holds in part)
