"""The grammar of trust policies, and what AWS says of one that breaks it.

They are read by another parser of AWS than permissions policies are, with other words for the same faults:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.kernel import policy
from lambent.kernel.arn import Arn
from lambent.kernel.policy import PolicyFault

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACTIONS: Final = (
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
)
_DOCUMENT_FIELDS: Final = frozenset(("Version", "Id", "Statement"))
_STATEMENT_FIELDS: Final = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition", "Resource", "NotResource")
)
_PRINCIPALS: Final = ("AWS", "Service", "Federated")
_SERVICE = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")
_ACCOUNT = re.compile(r"\d{12}")
_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")
_ASTERISKS = re.compile(r"\*+")


def check_trust(text: str) -> None:
    """Check the grammar of a role's trust policy. Raises PolicyFault."""
    document = _parsed(text)
    _check_fields(document, _DOCUMENT_FIELDS)
    if document.get("Version", policy.VERSIONS[0]) not in policy.VERSIONS:
        raise PolicyFault("The policy must contain a valid version string")
    statements = document.get("Statement", [])
    if not statements:
        raise PolicyFault("Could not parse the policy: Statement is empty!")
    listed = statements if isinstance(statements, list) else [statements]
    for statement in listed:
        _check_statement(statement)
    sids = [statement["Sid"] for statement in listed if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        raise PolicyFault("The Statement Ids in the policy are not unique")


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise PolicyFault("This policy contains invalid Json")
    return document


def _check_fields(element: dict[str, Any], known: frozenset[str]) -> None:
    for name in element:
        if name not in known:
            raise PolicyFault(f"Unknown field {name}")


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise PolicyFault(policy.SYNTAX)
    _check_fields(statement, _STATEMENT_FIELDS)
    if not isinstance(statement.get("Sid", ""), str):
        raise PolicyFault(policy.SYNTAX)
    _check_effect(statement)
    _check_principal(statement)
    _check_actions(statement)
    for field in ("Resource", "NotResource"):
        if field in statement:
            raise PolicyFault(f"Has prohibited field {field}")
    _check_condition(statement.get("Condition", {}))


def _check_effect(statement: dict[str, Any]) -> None:
    if "Effect" not in statement:
        raise PolicyFault("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise PolicyFault(f"Invalid effect: {statement['Effect']}")


def _check_principal(statement: dict[str, Any]) -> None:
    if "NotPrincipal" in statement:
        allow = statement["Effect"] == "Allow"
        raise PolicyFault(
            "Allow with NotPrincipal is not allowed."
            if allow
            else "AssumeRole policy must not contain NotPrincipal field."
        )
    if "Principal" not in statement:
        raise PolicyFault("Missing required field Principal")
    principal = statement["Principal"]
    if not isinstance(principal, dict):
        raise PolicyFault("Principal must be a JSON object.")
    if not principal:
        raise PolicyFault("Missing required field Principal cannot be empty!")
    for kind, values in principal.items():
        _check_principals(kind, values)


def _check_principals(kind: str, values: Any) -> None:
    if kind not in _PRINCIPALS:
        raise PolicyFault(f'Invalid principal in policy: "{kind}"')
    for value in _strings(values):
        if not _is_principal(kind, value):
            raise PolicyFault(f'Invalid principal in policy: "{kind.upper()}":"{value}"')


def _is_principal(kind: str, value: str) -> bool:
    if kind == "Service":
        return _SERVICE.fullmatch(value) is not None
    if kind == "Federated" or value == "*":
        return bool(value)
    return bool(_ACCOUNT.fullmatch(value) or _UNIQUE_ID.fullmatch(value)) or _names_somebody(value)


def _names_somebody(text: str) -> bool:
    try:
        named = Arn.parse(text)
    except ValueError:
        return False
    return named.service in ("iam", "sts") and _ACCOUNT.fullmatch(named.account) is not None and "*" not in text


def _check_actions(statement: dict[str, Any]) -> None:
    given = [statement[field] for field in ("Action", "NotAction") if field in statement]
    if len(given) > 1:
        raise PolicyFault(policy.SYNTAX)
    actions = _strings(given[0]) if given else []
    if not actions:
        raise PolicyFault("Missing required field Action")
    if not all(map(_is_assuming, actions)):
        raise PolicyFault("AssumeRole policy may only specify STS AssumeRole actions.")


def _is_assuming(action: str) -> bool:
    pattern = _ASTERISKS.sub("*", action.lower())
    return pattern.startswith("sts:") and any(_is_like(known, pattern) for known in _ACTIONS)


def _is_like(text: str, pattern: str) -> bool:
    """Whether `text` is what `pattern` says, in which `*` stands for any characters and `?` for one.

    The work is bounded by the length of `text`, however long the pattern is: it ends where nothing can match any more.
    """
    places: Sequence[int] = (0,)
    for symbol in pattern:
        if symbol == "*":
            places = range(places[0], len(text) + 1)
        else:
            places = [place + 1 for place in places if place < len(text) and symbol in ("?", text[place])]
        if not places:
            return False
    return places[-1] == len(text)


def _check_condition(condition: Any) -> None:
    try:
        sound = policy.condition_is_sound(msgspec.convert(condition, policy.Condition))
    except msgspec.ValidationError:
        sound = False
    if not sound:
        raise PolicyFault(policy.SYNTAX)


def _strings(values: Any) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str) for value in listed):
        raise PolicyFault(policy.SYNTAX)
    return listed
