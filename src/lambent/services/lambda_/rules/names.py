"""The ways to name a function (its name, a partial ARN or an ARN, each with or without a qualifier) and a layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.records import LATEST_PUBLISHED, LATEST_PUBLISHED_NUMBER, FunctionKey, LayerKey

if TYPE_CHECKING:
    from lambent.kernel.call import Call

_NAME = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"((?P<account>\d{12}):)?(function:)?(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>.+))?"
)

_ALIAS = re.compile(r"[a-zA-Z0-9_-]+")
_LAYER = re.compile(
    r"arn:(aws[a-zA-Z-]*)?:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]+)"
    r"(:(?P<number>\d+))?"
)


def parse(call: Call[Any], text: str, qualifier: str | None = None) -> tuple[FunctionKey, str | None]:
    """The function that `text`, a FunctionName of the model, names for this caller, and the qualifier asked for.

    Raises the errors for functions of another region or account, and for two qualifiers that differ.
    """
    if ":" not in text:
        return FunctionKey(call.account, call.region, text), qualifier
    key, qualifier = named(call, text, qualifier)
    if key.account != call.account:
        raise errors.other_account(call.principal.arn, action(call.operation), key, qualifier)
    return key, qualifier


def named(call: Call[Any], text: str, qualifier: str | None = None) -> tuple[FunctionKey, str | None]:
    """The same for a function of whatever account."""
    key, own = split(text, FunctionKey(call.account, call.region, ""))
    if key.region != call.region:
        raise errors.other_region(key.region, call.region)
    if qualifier and own and qualifier != own:
        raise errors.qualifier_mismatch()
    return key, qualifier or own


def is_function(text: str) -> bool:
    """Whether `text` names a function in one of the ways. Where a pattern of the model looks ahead, which the front
    door does not test, it may be anything."""
    return ":" not in text or _NAME.fullmatch(text) is not None


def owner(text: str) -> str | None:
    """The account that `text`, a FunctionName or an ARN, names; None where it names none."""
    match = _NAME.fullmatch(text) if ":" in text else None
    return None if match is None else match["account"]


def split(text: str, caller: FunctionKey) -> tuple[FunctionKey, str | None]:
    """The function that `text`, a FunctionName of the model, names, and its qualifier. What it does not say of account
    and region is `caller`'s."""
    if ":" not in text:
        return FunctionKey(caller.account, caller.region, text), None
    match = _NAME.fullmatch(text)
    assert match is not None, "the model's pattern let the name through"
    key = FunctionKey(match["account"] or caller.account, match["region"] or caller.region, match["name"])
    return key, match["qualifier"]


def parse_new(call: Call[Any], text: str) -> FunctionKey:
    """The key of a function to be created. Raises as `parse` does, and for a name that is too long."""
    key, qualifier = parse(call, text)
    if len(key.name) > limits.FUNCTION_NAME_LENGTH:
        raise errors.name_too_long(key.name)
    if qualifier is not None:
        raise errors.invalid(f"Unsupported function name: {text}")
    return key


def check_alias(name: str) -> None:
    """Raise AWS's error for a name that no alias can have. The front door does not test patterns that look ahead."""
    if not is_alias(name):
        raise errors.bad_alias_name(name)


def parse_layer(call: Call[Any], text: str) -> LayerKey:
    """The layer that `text`, a LayerName of the model, names for this caller: a name or an ARN."""
    if ":" not in text:
        return LayerKey(call.account, call.region, text)
    found = parse_layer_arn(text)
    assert found is not None, "the model's pattern let the name through"
    return found[0]


def parse_layer_arn(text: str) -> tuple[LayerKey, int] | None:
    """The layer that the ARN `text` names and the number of its version, 0 where there is none. None for the ARN of
    another form that the model allows, which belongs to AWS itself."""
    match = _LAYER.fullmatch(text)
    if match is None:
        return None
    return LayerKey(match["account"], match["region"], match["name"]), number(match["number"] or "0")


def is_alias(qualifier: str) -> bool:
    """Whether an alias can have the name `qualifier`."""
    return _ALIAS.fullmatch(qualifier) is not None and not is_version(qualifier)


def is_version(qualifier: str) -> bool:
    """Whether `qualifier` names a published version; every other one but `$LATEST` names an alias."""
    return qualifier == LATEST_PUBLISHED or (qualifier.isascii() and qualifier.isdecimal())


def number(qualifier: str) -> int:
    """The number of the version that `qualifier` names; 0, which no version has, where none can have it."""
    if qualifier == LATEST_PUBLISHED:
        return LATEST_PUBLISHED_NUMBER
    if qualifier.startswith("0") or len(qualifier) > limits.VERSION_DIGITS:
        return 0
    return int(qualifier)


def action(operation: str) -> str:
    """What policies call an operation."""
    return "InvokeFunction" if operation in ("Invoke", "InvokeWithResponseStream") else operation
