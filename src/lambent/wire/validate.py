"""The constraints of the model, checked for every operation alike and answered in AWS's words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.wire.patterns import compile_pattern

if TYPE_CHECKING:
    from lambent.wire.shapes import Shape


class Violation(msgspec.Struct):
    """One constraint that one value fails."""

    value: str
    path: str
    constraint: str

    def below(self, path: str) -> Violation:
        """The same violation seen from the structure above."""
        self.path = f"{path}.{self.path}" if self.path else path
        return self

    def told(self, *, values_shown: bool) -> str:
        """AWS's words for it."""
        value = f"Value {self.value}" if values_shown else "Value"
        return f"{value} at '{self.path}' failed to satisfy constraint: {self.constraint}"


Check = Callable[[Any], list[Violation] | None]
"""The violations of a value and everything below it; None or nothing where there are none."""
Test = Callable[[Any], bool]


def message(violations: list[Violation], *, values_shown: bool = True) -> str:
    """The text of AWS's validation error; it names at most limits.VIOLATIONS_TOLD."""
    told = [violation.told(values_shown=values_shown) for violation in violations[: limits.VIOLATIONS_TOLD]]
    plural = "" if len(told) == 1 else "s"
    return f"{len(told)} validation error{plural} detected: " + "; ".join(told)


class Validator:
    """Compiles the constraints of shapes; structures are compiled once per service."""

    def __init__(
        self, *, elements_not_null: bool = False, enum_orders: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._elements_not_null = elements_not_null
        self._enum_orders = enum_orders or {}
        self._structures: dict[tuple[str, bool], _Structure] = {}

    def compile(self, shape: Shape, unchecked: Collection[str] = ()) -> Check:
        """The check of an operation's input; `unchecked` names members, as paths, that are left alone."""
        if unchecked:
            return self._structure(shape, frozenset(unchecked), sensitive=False)
        return self._known_structure(shape, sensitive=False)

    def _known_structure(self, shape: Shape, *, sensitive: bool) -> Check:
        key = (shape.name, sensitive)
        known = self._structures.get(key)
        if known is None:
            known = self._structures[key] = _Structure()
            known.fill(shape, self._members(shape, frozenset(), sensitive=sensitive))
        return known

    def _structure(self, shape: Shape, unchecked: frozenset[str], *, sensitive: bool) -> Check:
        structure = _Structure()
        structure.fill(shape, self._members(shape, unchecked, sensitive=sensitive), unchecked)
        return structure

    def _members(self, shape: Shape, unchecked: frozenset[str], *, sensitive: bool) -> dict[str, Check | None]:
        checks: dict[str, Check | None] = {}
        for name, member in shape.members.items():
            below = frozenset(path.partition(".")[2] for path in unchecked if path.startswith(f"{name}."))
            if name in unchecked:
                checks[name] = None
            elif below and member.kind == "structure":
                checks[name] = self._structure(member, below, sensitive=sensitive or member.has("sensitive"))
            else:
                checks[name] = self._check(member, sensitive=sensitive)
        return checks

    def _constraints(self, shape: Shape) -> list[tuple[str, Test]]:
        return _constraints(shape, self._enum_orders.get(shape.name))

    def _check(self, shape: Shape, *, sensitive: bool) -> Check | None:
        hidden = sensitive or shape.has("sensitive")
        match shape.kind:
            case "structure":
                return None if shape.has("document") else self._known_structure(shape, sensitive=hidden)
            case "list":
                return self._list(shape, sensitive=hidden)
            case "map":
                return self._map(shape, sensitive=hidden)
            case _:
                return _checker(self._constraints(shape), sensitive=hidden)

    def _list(self, shape: Shape, *, sensitive: bool) -> Check | None:
        own = _checker(self._constraints(shape), sensitive=sensitive)
        elements, inner = self._elements(shape.member, "Member", sensitive=sensitive)
        sparse = shape.has("sparse")

        def check(value: Any) -> list[Violation] | None:
            found = own(value) if own else None
            if elements.fails(value, sparse=sparse):
                found = [*(found or ()), Violation(show(value, sensitive=sensitive), "", elements.text)]
            elif inner is not None:
                for number, item in enumerate(value, 1):
                    if item is not None and (bad := inner(item)):
                        found = [*(found or ()), *(violation.below(f"{number}.member") for violation in bad)]
            return found

        return check

    def _map(self, shape: Shape, *, sensitive: bool) -> Check | None:
        own = _checker(self._constraints(shape), sensitive=sensitive)
        keys, _ = self._elements(shape.key, "Map keys", sensitive=sensitive)
        values, inner = self._elements(shape.value, "Map value", sensitive=sensitive)
        sparse = shape.has("sparse")

        def check(value: Any) -> list[Violation] | None:
            found = own(value) if own else None
            if keys.fails(value, sparse=False):
                found = [*(found or ()), Violation(show(value, sensitive=sensitive), "", keys.text)]
            if values.fails(value.values(), sparse=sparse):
                found = [*(found or ()), Violation(show(value, sensitive=sensitive), "", values.text)]
            elif inner is not None:
                for key, item in value.items():
                    if item is not None and (bad := inner(item)):
                        found = [*(found or ()), *(violation.below(f"{key}.member") for violation in bad)]
            return found

        return check

    def _elements(self, shape: Shape, who: str, *, sensitive: bool) -> tuple[_Elements, Check | None]:
        """AWS reports a bad element of single values, or an element that is too long, at its collection."""
        constraints = self._constraints(shape)
        inner = None
        if shape.kind in ("structure", "list", "map"):
            inner = self._check(shape, sensitive=sensitive)
            constraints = []
        return _Elements(who, constraints, not_null=self._elements_not_null), inner


class _Structure:
    """The check of a structure; it is filled after it exists, so that a structure can contain itself."""

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: list[tuple[str, str, bool, Check | None]] = []

    def fill(self, shape: Shape, checks: Mapping[str, Check | None], unchecked: Collection[str] = ()) -> None:
        required = frozenset(shape.traits.get("required", ())) - frozenset(unchecked)
        self._members = [
            (name, _lower(name), name in required, check)
            for name, check in checks.items()
            if check is not None or name in required
        ]

    def __call__(self, value: Any) -> list[Violation] | None:
        found: list[Violation] = []
        for name, path, required, check in self._members:
            item = value.get(name)
            if item is None:
                if required:
                    found.append(Violation("null", path, "Member must not be null"))
            elif check is not None and (bad := check(item)):
                found += [violation.below(path) for violation in bad]
        return found


class _Elements:
    """The constraints that each element of a collection must satisfy, reported in one piece."""

    def __init__(self, who: str, constraints: list[tuple[str, Test]], *, not_null: bool) -> None:
        self._tests = [test for _, test in constraints]
        words = [text for text, _ in constraints]
        if not_null or not words:
            words.append("Member must not be null")
        self.text = f"{who} must satisfy constraint: [{', '.join(words)}]"

    def fails(self, items: Collection[Any], *, sparse: bool) -> bool:
        if not sparse and None in items:
            return True
        return any(not test(item) for test in self._tests for item in items if item is not None)


def _checker(constraints: list[tuple[str, Test]], *, sensitive: bool) -> Check | None:
    if not constraints:
        return None
    tests = [test for _, test in constraints]

    def violations(value: Any) -> list[Violation]:
        shown = show(value, sensitive=sensitive)
        return [Violation(shown, "", text) for text, test in constraints if not test(value)]

    if len(tests) == 1:
        only = tests[0]
        return lambda value: None if only(value) else violations(value)

    def check(value: Any) -> list[Violation] | None:
        for test in tests:
            if not test(value):
                return violations(value)
        return None

    return check


def _constraints(shape: Shape, enum: tuple[str, ...] | None) -> list[tuple[str, Test]]:
    """AWS's words for each constraint of `shape` and its test, in the order in which AWS tells them.

    `enum` is the order in which it lists the values of an enum, where that is not the model's.
    """
    traits = shape.traits
    low, high = traits.get("min"), traits.get("max")
    found: list[tuple[str, Test]] = []
    if shape.kind in _MEASURED:
        if high is not None:
            found.append((f"Member must have length less than or equal to {high}", lambda value: len(value) <= high))
        if low:
            found.append((f"Member must have length greater than or equal to {low}", lambda value: len(value) >= low))
    elif shape.kind in _NUMBERS:
        if high is not None:
            found.append((f"Member must have value less than or equal to {high}", lambda value: value <= high))
        if low is not None:
            found.append((f"Member must have value greater than or equal to {low}", lambda value: value >= low))
    if shape.kind == "string" and "pattern" in traits and not shape.has("jsonvalue"):
        pattern = traits["pattern"]
        found.append(
            (
                f"Member must satisfy regular expression pattern: {pattern}",
                _pattern_test(pattern, secret=shape.has("sensitive")),
            )
        )
    if shape.kind == "string" and traits.get("enum"):
        names = ", ".join(enum or traits["enum"])
        found.append((f"Member must satisfy enum value set: [{names}]", frozenset(traits["enum"]).__contains__))
    return found


def _pattern_test(pattern: str, *, secret: bool) -> Test:
    """Compiles at the first value, because most patterns never see one, and remembers the names that come again."""

    def test(value: str) -> bool:
        compiled = compile_pattern(pattern)
        return compiled is None or compiled.fullmatch(value) is not None

    if secret:
        return test
    known = lru_cache(limits.VALUES_REMEMBERED)(test)
    return lambda value: known(value) if len(value) <= limits.VALUE_REMEMBERED_LENGTH else test(value)


def show(value: Any, *, sensitive: bool = False) -> str:
    """`value` as AWS's messages print it, quoted; what is sensitive is never shown."""
    text = _SENSITIVE if sensitive else _text(value)
    return f"'{text}'" if len(text) <= limits.VALUE_TOLD_LENGTH else f"'{text[: limits.VALUE_TOLD_LENGTH]}...'"


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
        case datetime():
            return value.ctime()
        case list():
            return f"[{', '.join(map(_text, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}={_text(item)}' for key, item in value.items())}}}"
        case _:
            return str(value)


def _lower(name: str) -> str:
    """A member's name as AWS's messages spell it: `functionName`."""
    return name[:1].lower() + name[1:]


_SENSITIVE = "***Sensitive Data Redacted***"
_MEASURED = frozenset({"string", "blob", "list", "map"})
_NUMBERS = frozenset({"integer", "long", "float", "double"})
