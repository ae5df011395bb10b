"""The conditions of policy statements: whether they hold for what a request knows.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from lambent.kernel import wildcards

if TYPE_CHECKING:
    from lambent.kernel.policy import Condition, Scalar

Context = Mapping[str, str | tuple[str, ...]]
"""What is known of a request, by condition key in lower case: `aws:sourcearn`. A tuple is a key with several values."""

_EPOCH = re.compile(r"[+-]\d{1,19}|\d{5,19}")
_YEAR = re.compile(r"\d{4}(-\d\d)?$")
_MISSING: Final = {len("2026"): "-01-01", len("2026-11"): "-01"}

_Test = Callable[[str, wildcards.Pattern], bool]
"""Of a value of the request and one of the policy. Raises ValueError where one is not of the operator's type."""


def hold(condition: Condition, context: Context, *, variables: bool) -> bool:
    """Whether every test of `condition` holds. Raises UnknownVariable where `variables` are to be replaced."""
    value_of = (lambda name: _variable(name, context)) if variables else None
    return all(
        _holds(name, _several(context.get(key.lower())), [wildcards.pattern(text, value_of) for text in _texts(wanted)])
        for name, tests in condition.items()
        for key, wanted in tests.items()
    )


def _holds(name: str, given: tuple[str, ...], wanted: list[wildcards.Pattern]) -> bool:
    prefix, _, bare = name.lower().rpartition(":")
    if bare == "null":
        return any((wildcards.plain(each).lower() == "true") == (not given) for each in wanted)
    optional = bare.endswith("ifexists")
    test, negated = _OPERATORS[bare.removesuffix("ifexists")]
    if not given:
        return optional or prefix == "forallvalues" or (negated and not prefix)
    outcomes = [{_passes(test, value, each) for each in wanted} - {None} for value in given]
    if wanted and not all(outcomes):
        return False
    fits = [(True in outcome) != negated for outcome in outcomes]
    every = prefix == "forallvalues" or (negated and not prefix)
    return all(fits) if every else any(fits)


def _passes(test: _Test, given: str, wanted: wildcards.Pattern) -> bool | None:
    """None where one of them is not of the operator's type: where that is so of all that is wanted, nothing holds."""
    try:
        return test(given, wanted)
    except ValueError:
        return None


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _texts(values: Scalar | list[Scalar]) -> list[str]:
    return [_text(value) for value in (values if isinstance(values, list) else [values])]


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _variable(name: str, context: Context) -> str | None:
    value = context.get(name.lower())
    return value if isinstance(value, str) else None


def _equal(given: str, wanted: wildcards.Pattern) -> bool:
    return given == wildcards.plain(wanted)


def _alike(given: str, wanted: wildcards.Pattern) -> bool:
    return given.casefold() == wildcards.plain(wanted).casefold()


def _like(given: str, wanted: wildcards.Pattern) -> bool:
    return wildcards.matches(wanted, given)


def _arn(given: str, wanted: wildcards.Pattern) -> bool:
    return wildcards.arn_matches(wanted, given)


def _address(given: str, wanted: wildcards.Pattern) -> bool:
    return ip_address(given) in ip_network(wildcards.plain(wanted), strict=False)


def _by_number(compare: Callable[[float, float], bool]) -> _Test:
    return lambda given, wanted: compare(float(given), float(wildcards.plain(wanted)))


def _by_date(compare: Callable[[float, float], bool]) -> _Test:
    return lambda given, wanted: compare(_seconds(given), _seconds(wildcards.plain(wanted)))


def _seconds(text: str) -> float:
    """Seconds since the epoch, as they are given or of a moment in ISO 8601: in UTC where it names no zone, at the
    beginning of the year or month where it names no more. Raises ValueError."""
    if _EPOCH.fullmatch(text):
        return int(text)
    missing = _MISSING.get(len(text), "") if _YEAR.match(text) else ""
    moment = datetime.fromisoformat(text + missing)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


_ORDERS: Final = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}
_OPERATORS: Final[Mapping[str, tuple[_Test, bool]]] = {
    "stringequals": (_equal, False),
    "stringnotequals": (_equal, True),
    "stringequalsignorecase": (_alike, False),
    "stringnotequalsignorecase": (_alike, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "bool": (_alike, False),
    "binaryequals": (_equal, False),
    "ipaddress": (_address, False),
    "notipaddress": (_address, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
    **{f"numeric{name}": (_by_number(order), False) for name, order in _ORDERS.items()},
    **{f"date{name}": (_by_date(order), False) for name, order in _ORDERS.items()},
    "numericnotequals": (_by_number(operator.eq), True),
    "datenotequals": (_by_date(operator.eq), True),
}
"""Each operator's test, and whether it is negated: then it holds where no value of the policy passes the test."""
