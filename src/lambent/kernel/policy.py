"""The grammar of policy documents, and what AWS says of a permissions policy that breaks it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html gives the grammar. Which fault is named
when there are several follows the answers of AWS that tests/services/iam/recorded keeps.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSIONS: Final = ("2012-10-17", "2008-10-17")
_PARTITIONS: Final = frozenset(
    ("*", "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
)
_IAM_PATHS: Final = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
_STRING_OPERATORS = (
    "StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike"
)
_NUMERIC_OPERATORS = (
    "NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals"
)
_DATE_OPERATORS = "DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals"
_OTHER_OPERATORS = "Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike"
_DATES: Final = frozenset(_DATE_OPERATORS.lower().split())
_OPERATORS: Final = _DATES.union(
    *(each.lower().split() for each in (_STRING_OPERATORS, _NUMERIC_OPERATORS, _OTHER_OPERATORS))
)
_SETS: Final = frozenset(("forallvalues", "foranyvalue"))

_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[0-9A-Za-z.-]+")
_EPOCH = re.compile(r"[+-]?\d{1,19}")
_DATE = re.compile(
    r"(?:[+-]?\d{1,9}(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?)?"
    r"(?:[Tt](?:(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,]\d{1,9})?)?)?)?"
    r"(?:[Zz]|[+-](?P<zone_hour>\d{2})(?::?(?P<zone_minute>\d{2}))?)?)?"
)
_DATE_FIELDS: Final = {
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 24),
    "minute": (0, 59),
    "second": (0, 59),
    "zone_hour": (0, 23),
    "zone_minute": (0, 59),
}
_INT64: Final = range(-(2**63), 2**63)

SYNTAX: Final = "Syntax errors in policy."
LEGACY: Final = "The policy failed legacy parsing"

Scalar = str | bool | int | float
Condition = dict[str, dict[str, Scalar | list[Scalar]]]


class PolicyFault(Exception):
    """A document that AWS refuses, in AWS's words."""


class Statement(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", frozen=True, kw_only=True):
    """One statement of a permissions policy, as far as its shape goes."""

    effect: str
    sid: str = ""
    action: str | list[str] | UnsetType = UNSET
    not_action: str | list[str] | UnsetType = UNSET
    resource: str | list[str] | UnsetType = UNSET
    not_resource: str | list[str] | UnsetType = UNSET
    condition: Condition = {}
    principal: msgspec.Raw | UnsetType = UNSET
    not_principal: msgspec.Raw | UnsetType = UNSET

    @property
    def actions(self) -> list[str]:
        """What it is about, whichever way round."""
        return _listed(self.action) + _listed(self.not_action)

    @property
    def resources(self) -> list[str]:
        """What it applies to, whichever way round."""
        return _listed(self.resource) + _listed(self.not_resource)


class Document(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", frozen=True, kw_only=True):
    """A permissions policy, as far as its shape goes."""

    statement: Statement | list[Statement]
    version: str = VERSIONS[1]
    id: str = ""

    @property
    def statements(self) -> list[Statement]:
        """The statements, also where there is one that is not in a list."""
        return self.statement if isinstance(self.statement, list) else [self.statement]


_decoder = msgspec.json.Decoder(Document)


def characters(document: str) -> int:
    """The length of a document as IAM's quotas count it, without white space."""
    return len("".join(document.split()))


def check_permissions(text: str) -> None:
    """Check the grammar of an identity or session policy. Raises PolicyFault."""
    document = _shaped(text)
    if document.version != VERSIONS[0]:
        raise PolicyFault(f"Policy document must be version {VERSIONS[0]} or greater.")
    if not all(_passes_legacy(statement) for statement in document.statements):
        raise PolicyFault(LEGACY)
    _check_sids(document.statements)
    for statement in document.statements:
        if (statement.principal, statement.not_principal) != (UNSET, UNSET):
            raise PolicyFault("Policy document should not specify a principal.")
    if not all(statement.actions for statement in document.statements):
        raise PolicyFault("Policy statement must contain actions.")
    if not all(statement.resources for statement in document.statements):
        raise PolicyFault("Policy statement must contain resources.")
    for statement in document.statements:
        _check_resources(statement.resources)
    for statement in document.statements:
        _check_actions(statement.actions)


def check_resource_policy(text: str) -> Document:
    """Check the grammar of a policy that is attached to a resource, and return it. Raises PolicyFault."""
    document = _shaped(text)
    if not all(_passes_legacy(statement) for statement in document.statements):
        raise PolicyFault(LEGACY)
    sids = [statement.sid for statement in document.statements if statement.sid]
    if len(set(sids)) < len(sids):
        raise PolicyFault("Statement IDs (SID) in a single policy must be unique.")
    for statement in document.statements:
        if (statement.principal, statement.not_principal) == (UNSET, UNSET):
            raise PolicyFault("Policy statement must contain principals.")
        if not statement.actions:
            raise PolicyFault("Policy statement must contain actions.")
        if not statement.resources:
            raise PolicyFault("Policy statement must contain resources.")
        _check_actions(statement.actions)
    return document


def condition_is_sound(condition: Condition) -> bool:
    """Whether every operator that compares something exists."""
    return all(not tests or _operator(name) is not None for name, tests in condition.items())


def _shaped(text: str) -> Document:
    try:
        document = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise PolicyFault(SYNTAX) from None
    sound = document.statements and document.version in VERSIONS and all(map(_is_sound, document.statements))
    if not sound:
        raise PolicyFault(SYNTAX)
    return document


def _is_sound(statement: Statement) -> bool:
    return (
        statement.effect.lower() in ("allow", "deny")
        and UNSET in (statement.action, statement.not_action)
        and UNSET in (statement.resource, statement.not_resource)
        and UNSET in (statement.principal, statement.not_principal)
        and condition_is_sound(statement.condition)
    )


def _operator(name: str) -> str | None:
    """The bare operator in lower case: `DateEquals` of `ForAnyValue:DateEqualsIfExists`."""
    prefix, colon, operator = name.lower().rpartition(":")
    if colon and prefix not in _SETS:
        return None
    if operator == "null":
        return operator
    operator = operator.removesuffix("ifexists")
    return operator if operator in _OPERATORS else None


def _passes_legacy(statement: Statement) -> bool:
    return (
        statement.effect in ("Allow", "Deny")
        and all(map(_is_separated, statement.resources))
        and all(map(_is_date, _dates(statement.condition)))
    )


def _is_separated(resource: str) -> bool:
    fields = resource.split(":")
    if len(fields) < 3 or fields[1] not in _PARTITIONS:
        return True
    return fields[2] != "" and (len(fields) > 5 or "" not in fields[3:-1])


def _dates(condition: Condition) -> Iterator[Scalar]:
    for name, tests in condition.items():
        if _operator(name) in _DATES:
            for values in tests.values():
                yield from values if isinstance(values, list) else [values]


def _is_date(value: Scalar) -> bool:
    text = str(value)
    if _EPOCH.fullmatch(text):
        return int(text) in _INT64
    match = _DATE.fullmatch(text)
    if match is None or not text:
        return False
    fields = ((int(match[name]), bounds) for name, bounds in _DATE_FIELDS.items() if match[name] is not None)
    return all(low <= number <= high for number, (low, high) in fields)


def _check_sids(statements: list[Statement]) -> None:
    sids = [statement.sid for statement in statements if statement.sid]
    if not all(map(_SID.fullmatch, sids)):
        raise PolicyFault(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    if len(set(sids)) < len(sids):
        raise PolicyFault("Statement IDs (SID) in a single policy must be unique.")


def _check_resources(resources: Iterable[str]) -> None:
    for resource in resources:
        if resource != "*":
            _check_resource(resource)


def _check_resource(resource: str) -> None:
    fields = resource.split(":")
    if len(fields) == 1:
        raise PolicyFault(f'Resource {resource} must be in ARN format or "*".')
    if fields[1] not in _PARTITIONS:
        shown = ":".join(["arn", *fields[1:], *"*" * (6 - len(fields))])
        raise PolicyFault(f'Partition "{fields[1]}" is not valid for resource "{shown}".')
    if fields[0] != "arn":
        raise PolicyFault(f'Resource {resource} must be in ARN format or "*".')
    if len(fields) == 2 or "*" in fields[2] or "?" in fields[2]:
        raise PolicyFault("Resource vendor must be fully qualified and cannot contain regexes.")
    if len(fields) > 5:
        _check_global(resource, fields)


def _check_global(resource: str, fields: list[str]) -> None:
    service, region, account = fields[2:5]
    path = ":".join(fields[5:])
    if service == "s3" and region and not account:
        raise PolicyFault(f"Resource {resource} can not contain region information.")
    if service == "iam" and region:
        raise PolicyFault(f"IAM resource {resource} cannot contain region information.")
    if service == "iam" and path not in ("*", "root") and not path.startswith(_IAM_PATHS):
        raise PolicyFault(f'IAM resource path must either be "*", root, or start with {", ".join(_IAM_PATHS)}.')


def _check_actions(actions: Iterable[str]) -> None:
    for action in actions:
        if action not in ("*", "*:*"):
            _check_action(action)


def _check_action(action: str) -> None:
    vendor, *rest = action.split(":")
    if not rest:
        raise PolicyFault("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if len(rest) > 1:
        raise PolicyFault("Actions/Condition can contain only one colon.")
    if not _VENDOR.fullmatch(vendor):
        raise PolicyFault(f"Vendor {vendor} is not valid")


def _listed(value: str | list[str] | UnsetType) -> list[str]:
    if isinstance(value, list):
        return value
    return [] if value is UNSET else [value]
