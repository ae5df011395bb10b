"""AWS's errors of IAM: one function per situation."""

from __future__ import annotations

from lambent.kernel import limits
from lambent.kernel.errors import AwsError


def no_role(name: str) -> AwsError:
    """There is no such role."""
    return AwsError("NoSuchEntity", f"The role with name {name} cannot be found.")


def role_exists(name: str) -> AwsError:
    """The name is taken, in whatever case."""
    return AwsError("EntityAlreadyExists", f"Role with name {name} already exists.")


def role_has_attachments() -> AwsError:
    """Managed policies are on the role that is to go."""
    return AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.")


def role_has_policies() -> AwsError:
    """The role that is to go has policies of its own."""
    return AwsError("DeleteConflict", "Cannot delete entity, must delete policies first.")


def no_role_policy(name: str) -> AwsError:
    """The role has no policy of its own by that name."""
    return AwsError("NoSuchEntity", f"The role policy with name {name} cannot be found.")


def no_policy(policy_arn: str) -> AwsError:
    """There is no such managed policy, or it is not on the role."""
    return AwsError("NoSuchEntity", f"Policy {policy_arn} was not found.")


def not_attachable(policy_arn: str) -> AwsError:
    """There is no such managed policy to put on a role."""
    return AwsError("NoSuchEntity", f"Policy {policy_arn} does not exist or is not attachable.")


def no_version(policy_arn: str, version: str) -> AwsError:
    """There is no such version of the managed policy, or no such policy."""
    return AwsError("NoSuchEntity", f"Policy {policy_arn} version {version} does not exist or is not attachable.")


def no_boundary(policy_arn: str) -> AwsError:
    """There is no such managed policy to bound a role with."""
    return AwsError("NoSuchEntity", f"Scope ARN: {policy_arn} does not exist or is not attachable.")


def bad_boundary_arn(policy_arn: str) -> AwsError:
    """A boundary is not named by the ARN of a policy."""
    return AwsError("InvalidInput", f"ARN {policy_arn} is not valid.")


def bad_policy_arn(policy_arn: str) -> AwsError:
    """A policy is not named by the ARN of one."""
    return AwsError("ValidationError", f"ARN {policy_arn} is not valid.")


def policy_exists(name: str) -> AwsError:
    """The name is taken, in whatever case."""
    message = f"A policy called {name} already exists. Duplicate names are not allowed."
    return AwsError("EntityAlreadyExists", message)


def policy_is_attached() -> AwsError:
    """The policy that is to go is on a role or bounds one."""
    return AwsError("DeleteConflict", "Cannot delete a policy attached to entities.")


def policy_has_versions() -> AwsError:
    """The policy that is to go has more than its default version."""
    return AwsError(
        "DeleteConflict",
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy.",
    )


def default_version() -> AwsError:
    """The default version goes with the policy only."""
    return AwsError("DeleteConflict", "Cannot delete the default version of a policy.")


def too_many_versions() -> AwsError:
    """The policy has all the versions that it may have."""
    return AwsError(
        "LimitExceeded",
        f"A managed policy can have up to {limits.POLICY_VERSIONS} versions. "
        "Before you create a new version, you must delete an existing version.",
    )


def not_yours(caller: str, action: str, policy_arn: str) -> AwsError:
    """AWS's own policies, and those of other accounts, are not changed from here."""
    return AwsError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: iam:{action} on resource: policy {policy_arn}",
    )


def malformed(fault: str) -> AwsError:
    """The document breaks the policy grammar; `fault` says how in AWS's words."""
    return AwsError("MalformedPolicyDocument", fault)


def over_quota(name: str, limit: int) -> AwsError:
    """An account, role or document would be over the quota `name`."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {name}: {limit}")


def inline_too_large(role: str) -> AwsError:
    """A role's own policies would be too long together."""
    limit = limits.ROLE_POLICIES_CHARACTERS
    return AwsError("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for role {role}")


def too_many_tags() -> AwsError:
    """The tags that are there and the new ones are too many together."""
    return AwsError("LimitExceeded", "The number of tags has reached the maximum limit.")


def duplicate_tags(folded: bool) -> AwsError:
    """A key comes twice; `folded` where keys that differ in case count as the same."""
    hint = " Please note that Tag keys are case insensitive." if folded else ""
    return AwsError("InvalidInput", f"Duplicate tag keys found.{hint}")


def bad_marker() -> AwsError:
    """The marker is none that was given out."""
    return AwsError("ValidationError", "Invalid Marker.")
