"""Whole policies as callers give them: whether they are policies, and for the resource that they are given to.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import access, limits, policy, wildcards
from lambent.services.lambda_.errors import permissions as errors
from lambent.services.lambda_.rules import permissions

if TYPE_CHECKING:
    from lambent.kernel.policy import Statement
    from lambent.services.lambda_.records import FunctionKey

_KINDS = frozenset(("AWS", "Service", "Federated", "CanonicalUser"))
_AWS = re.compile(r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:.+")
_ACTION = re.compile(r"\*|lambda:.+", re.IGNORECASE)


def checked(text: str, key: FunctionKey, qualifier: str | None) -> str:
    """`text` as it is kept, without white space. Raises AWS's errors where it is not a policy for the function, or
    for its version or alias `qualifier`."""
    try:
        document = policy.check_resource_policy(text)
        for statement in document.statements:
            _check_principals(statement)
            _check_reach(statement, key, qualifier)
    except policy.PolicyFault as fault:
        raise errors.malformed(str(fault)) from None
    kept = permissions.text_of(msgspec.json.decode(text))
    if len(kept.encode()) > limits.RESOURCE_POLICY_BYTES:
        raise errors.too_long(len(kept.encode()))
    return kept


def _check_principals(statement: Statement) -> None:
    for raw in (statement.principal, statement.not_principal):
        try:
            named = access.principals(raw)
        except msgspec.ValidationError:
            raise policy.PolicyFault(policy.SYNTAX) from None
        if not named.keys() <= _KINDS or not all(map(_AWS.fullmatch, named.get("AWS", ()))):
            raise errors.bad_principal()


def _check_reach(statement: Statement, key: FunctionKey, qualifier: str | None) -> None:
    """A policy speaks of Lambda's actions, on what it is attached to; that of a function of its versions as well."""
    for action in statement.actions:
        if _ACTION.fullmatch(action) is None:
            raise policy.PolicyFault(f"Action {action} does not apply to this resource.")
    for resource in statement.resources:
        if resource != "*" and not _is_within(resource, key, qualifier):
            raise policy.PolicyFault(f"Resource {resource} is not the resource of this policy.")


def _is_within(resource: str, key: FunctionKey, qualifier: str | None) -> bool:
    own = qualifier is None and resource.startswith(f"{key.arn()}:")
    return own or wildcards.arn_matches(wildcards.pattern(resource), key.arn(qualifier))
