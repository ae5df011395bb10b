"""AWS's errors of the policies of functions and layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey


def latest_has_none() -> AwsError:
    """A policy belongs to a function, a published version or an alias."""
    return invalid("We currently do not support adding policies for $LATEST.")


def bad_principal() -> AwsError:
    """The principal is neither a service nor an account nor anybody in one."""
    return invalid("The provided principal was invalid. Please check the principal and try again.")


def url_auth_type_elsewhere() -> AwsError:
    """Only the action that function URLs ask for has an AuthType."""
    return invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")


def via_url_elsewhere() -> AwsError:
    """Only the plain invocation can come through a function URL or not."""
    return invalid("InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action")


def token_with_source() -> AwsError:
    """A skill has a token, and no ARN."""
    return invalid("EventSourceToken cannot be used together with SourceArn or SourceAccount.")


def statement_exists(sid: str) -> AwsError:
    """The statement's id is taken in this policy."""
    return AwsError(
        "ResourceConflictException",
        f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing "
        "statement.",
    )


def too_long(size: int) -> AwsError:
    """The policy would be over the limit; `size` is in bytes."""
    text = f"The final policy size ({size}) is bigger than the limit ({limits.RESOURCE_POLICY_BYTES})."
    return AwsError("PolicyLengthExceededException", text)


def malformed(fault: str) -> AwsError:
    """A whole document that is no policy for this resource."""
    return invalid(f"The provided resource policy is not valid: {fault}")


def none_here() -> AwsError:
    """There is no policy to look at, or nothing that could have one."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def none_to_change() -> AwsError:
    """There is no policy to take something from."""
    return AwsError("ResourceNotFoundException", "No policy is associated with the given resource.")


def none_for(key: FunctionKey) -> AwsError:
    """There is not even the function that the policy would belong to."""
    return AwsError("ResourceNotFoundException", f"No policy found for: {key.arn()}")


def no_statement(sid: str) -> AwsError:
    """The policy has no statement with this id."""
    return AwsError("ResourceNotFoundException", f"Statement {sid} is not found in resource policy.")


def no_layer_version(arn: str) -> AwsError:
    """There is no layer version that could have a policy."""
    return AwsError("ResourceNotFoundException", f"Layer version {arn} does not exist.")


def stale(operation: str) -> AwsError:
    """The caller's RevisionId is not the one that holds; `operation` tells which one does."""
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {operation} API to retrieve the latest Revision Id",
    )


def service_refused(service: str, arn: str) -> AwsError:
    """The policy does not let this service invoke the function for what it acts for."""
    return AwsError(
        "AccessDeniedException",
        f"{service} is not authorized to perform: lambda:InvokeFunction on resource: {arn} "
        "because no resource-based policy allows the lambda:InvokeFunction action",
        status=403,
    )
