"""Policy documents on their way in and out: checked by kind, counted against a quota, encoded as AWS answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from lambent.kernel import limits, policy
from lambent.services.iam import errors
from lambent.services.iam.rules.trust_policy import check_trust

if TYPE_CHECKING:
    from collections.abc import Callable


def trust(document: str) -> str:
    """`document`, fit to be a trust policy. Raises AwsError."""
    _check(check_trust, document)
    return _within(document, "ACLSizePerRole", limits.TRUST_POLICY_CHARACTERS)


def managed(document: str) -> str:
    """`document`, fit to be a managed policy. Raises AwsError."""
    _check(policy.check_permissions, document)
    return _within(document, "PolicySize", limits.POLICY_CHARACTERS)


def inline(document: str) -> str:
    """`document`, fit to be a role's own policy as far as its grammar goes. Raises AwsError."""
    _check(policy.check_permissions, document)
    return document


def encoded(document: str) -> str:
    """The document as answers carry it: percent-encoded, as RFC 3986 has it."""
    return quote(document, safe="")


def _check(check: Callable[[str], None], document: str) -> None:
    try:
        check(document)
    except policy.PolicyFault as fault:
        raise errors.malformed(str(fault)) from None


def _within(document: str, quota: str, limit: int) -> str:
    if policy.characters(document) > limit:
        raise errors.over_quota(quota, limit)
    return document
