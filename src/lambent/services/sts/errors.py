"""AWS's errors of STS and of signatures with session tokens: one function per situation."""

from __future__ import annotations

from lambent.kernel.errors import AwsError


def invalid_token() -> AwsError:
    """The access key id is unknown, or the session token does not belong to it."""
    return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", status=403)


def expired_token() -> AwsError:
    """The session has ended."""
    return AwsError("ExpiredToken", "The security token included in the request is expired", status=403)


def not_assumable(caller: str, role_arn: str) -> AwsError:
    """There is no such role; AWS does not tell that from one that may not be assumed."""
    return AwsError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
    )


def bad_role_arn(role_arn: str) -> AwsError:
    """The role is not named by an ARN."""
    return AwsError("ValidationError", f"{role_arn} is invalid")


def too_long() -> AwsError:
    """The session would outlast what the role allows."""
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    return AwsError("ValidationError", message)


def too_long_for_chaining() -> AwsError:
    """A session that starts another one may ask for an hour at most."""
    message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    return AwsError("ValidationError", message)


def from_a_session() -> AwsError:
    """GetSessionToken is for long-lived keys."""
    return AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials")


def malformed_policy(fault: str) -> AwsError:
    """The session policy breaks the policy grammar; `fault` says how."""
    return AwsError("MalformedPolicyDocument", fault)


def policy_too_long(limit: int) -> AwsError:
    """Inline policy and policy ARNs together are too long."""
    message = (
        "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )
    return AwsError("ValidationError", message)


def too_many_policies(limit: int) -> AwsError:
    """More managed session policies than AWS takes."""
    message = (
        "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )
    return AwsError("ValidationError", message)


def bad_policy_arn(policy_arn: str) -> AwsError:
    """A managed session policy is not named by the ARN of a policy."""
    return AwsError("ValidationError", f"ARN {policy_arn} is not valid.")


def packed_too_large(percent: int) -> AwsError:
    """Session policies and tags take more than their room in the token."""
    message = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
    return AwsError("PackedPolicyTooLarge", message)


def duplicate_tags() -> AwsError:
    """Two tag keys differ in case only, or not at all."""
    message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    return AwsError("InvalidParameterValue", message)


def unknown_transitive_tag() -> AwsError:
    """A transitive tag key has no tag."""
    message = "The specified transitive tag key must be included in the requested tags."
    return AwsError("InvalidParameterValue", message)


def inherited_tag() -> AwsError:
    """A tag would replace one that the calling session hands down."""
    message = (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
        "the calling session."
    )
    return AwsError("InvalidParameterValue", message)


def source_identity_set(caller: str, role_arn: str) -> AwsError:
    """A source identity stays the same through a chain of roles."""
    return AwsError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: sts:SetSourceIdentity on resource: {role_arn}",
    )


def no_multi_factor() -> AwsError:
    """There are no MFA devices yet, so no code can be right."""
    message = (
        "MultiFactorAuthentication failed, unable to validate MFA code.  "
        "Please verify your MFA serial number is valid and associated with this user."
    )
    return AwsError("AccessDenied", message)


def unknown_access_key(access_key_id: str) -> AwsError:
    """The id does not say whose account it belongs to."""
    return AwsError("ValidationError", f"The access key ID {access_key_id} is not valid.")
