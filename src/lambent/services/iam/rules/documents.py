"""Policy documents on their way in and out: counted against a quota, checked by kind, encoded as AWS answers them.

They are counted first, so that nobody parses what is too long to be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from lambent.kernel import limits, policy
from lambent.services.iam import errors
from lambent.services.iam.rules.trust_policy import check_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def trust(document: str) -> str:
    """`document`, fit to be a trust policy. Raises AwsError."""
    _check_quota(document, "ACLSizePerRole", limits.TRUST_POLICY_CHARACTERS)
    _check(check_trust, document)
    return document


def managed(document: str) -> str:
    """`document`, fit to be a managed policy. Raises AwsError."""
    _check_quota(document, "PolicySize", limits.POLICY_CHARACTERS)
    _check(policy.check_permissions, document)
    return document


def inline(document: str, role: str) -> str:
    """`document`, fit to be one of the own policies of `role`, which have a quota together. Raises AwsError."""
    check_together([document], role)
    _check(policy.check_permissions, document)
    return document


def check_together(documents: Iterable[str], role: str) -> None:
    """Raise AwsError where the own policies of `role` are too long together."""
    if sum(map(policy.characters, documents)) > limits.ROLE_POLICIES_CHARACTERS:
        raise errors.inline_too_large(role)


def encoded(document: str) -> str:
    """The document as answers carry it: percent-encoded, as RFC 3986 has it."""
    return quote(document, safe="")


def _check(check: Callable[[str], None], document: str) -> None:
    try:
        check(document)
    except policy.PolicyFault as fault:
        raise errors.malformed(str(fault)) from None


def _check_quota(document: str, quota: str, limit: int) -> None:
    if policy.characters(document) > limit:
        raise errors.over_quota(quota, limit)
