"""Steps that operations of IAM share: find what a call names, say who calls, show a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lambent.services.iam import errors, store
from lambent.services.iam.records import AWS
from lambent.services.iam.rules import names

if TYPE_CHECKING:
    from lambent.kernel.call import Call
    from lambent.kernel.errors import AwsError
    from lambent.services.iam.managed import ManagedPolicies
    from lambent.services.iam.parts import Parts
    from lambent.services.iam.records import Policy, Role
    from lambent.store.api import Transaction


def role(tx: Transaction, account: str, name: str) -> Role:
    """The role by its name in any case. Raises AwsError."""
    found = store.find_role(tx, account, name.lower())
    if found is None:
        raise errors.no_role(name)
    return found


def find_policy(tx: Transaction, managed: ManagedPolicies, account: str, policy_arn: str) -> Policy | None:
    """The managed policy of `account` or of AWS by its ARN, or None. Raises AwsError for what is no policy's ARN."""
    parsed = names.named(policy_arn, "policy")
    if parsed is None:
        raise errors.bad_policy_arn(policy_arn)
    if parsed.account == AWS:
        return managed.find(policy_arn)
    if parsed.account != account:
        return None
    found = store.find_policy(tx, account, names.last(parsed).lower())
    return found if found is not None and found.arn == policy_arn else None


def own_policy(tx: Transaction, caller: Caller, policy_arn: str, missing: AwsError | None = None) -> Policy:
    """The customer's managed policy, to be changed. Raises AwsError for AWS's, and `missing` for what is not there."""
    parsed = names.named(policy_arn, "policy")
    if parsed is None:
        raise errors.bad_policy_arn(policy_arn)
    if parsed.account != caller.account:
        raise errors.not_yours(caller.arn, caller.action, policy_arn)
    found = store.find_policy(tx, caller.account, names.last(parsed).lower())
    if found is None or found.arn != policy_arn:
        raise missing or errors.no_policy(policy_arn)
    return found


def check_boundary(tx: Transaction, managed: ManagedPolicies, account: str, policy_arn: str) -> None:
    """Raise AwsError unless a managed policy of this ARN is there to bound a role."""
    if names.named(policy_arn, "policy") is None:
        raise errors.bad_boundary_arn(policy_arn)
    if find_policy(tx, managed, account, policy_arn) is None:
        raise errors.no_boundary(policy_arn)


class Caller(msgspec.Struct, frozen=True):
    """Who asks for which action, for an answer that says so."""

    account: str
    arn: str
    action: str


def caller(call: Call[Parts]) -> Caller:
    """Who asks for what in `call`."""
    return Caller(call.account, call.principal.arn, call.operation)


def moment(seconds: int) -> datetime:
    """A stored time as answers carry it."""
    return datetime.fromtimestamp(seconds, UTC)
