"""AWS's errors of the Lambda service: one function per situation. `Type: User` is the wire's to add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import errors, limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.services.lambda_.records import FunctionKey


def invalid(message: str) -> AwsError:
    """400 for a parameter that the model allows and Lambda does not."""
    return AwsError("InvalidParameterValueException", message)


def not_found(key: FunctionKey, qualifier: str | None = None) -> AwsError:
    """There is no such function, version or alias."""
    return AwsError("ResourceNotFoundException", f"Function not found: {key.arn(qualifier)}")


def other_region(theirs: str, ours: str) -> AwsError:
    """The ARN names a function of another region."""
    message = f"Functions from '{theirs}' are not reachable in this region ('{ours}')"
    return AwsError("ResourceNotFoundException", message)


def other_account(principal: str, action: str, key: FunctionKey, qualifier: str | None) -> AwsError:
    """The ARN names a function of another account."""
    return AwsError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: lambda:{action} on resource: {key.arn(qualifier)}"
        f" because no resource-based policy allows the lambda:{action} action",
        status=403,
    )


def cross_account_role() -> AwsError:
    """The role belongs to another account."""
    return AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", status=403)


def role_not_assumable() -> AwsError:
    """There is no such role."""
    return invalid("The role defined for the function cannot be assumed by Lambda.")


def above(member: str, limit: int) -> AwsError:
    """The model's bound is for functions on capacity providers; that of all others is lower."""
    return invalid(
        f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {limit}"
    )


def name_too_long(name: str) -> AwsError:
    """A new function's name is longer than the model of the ARN forms says."""
    return invalid(
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limits.FUNCTION_NAME_LENGTH}"
    )


def qualifier_mismatch() -> AwsError:
    """The ARN and the Qualifier name different versions."""
    return invalid("The derived qualifier from the function name does not match the specified qualifier.")


def latest_not_deletable() -> AwsError:
    """`$LATEST` goes with the function only."""
    return invalid("$LATEST version cannot be deleted without deleting the function.")


def already_exists(name: str) -> AwsError:
    """The name is taken."""
    return AwsError("ResourceConflictException", f"Function already exist: {name}")


def update_in_progress(key: FunctionKey) -> AwsError:
    """One update at a time."""
    return AwsError(
        "ResourceConflictException",
        f"The operation cannot be performed at this time. An update is in progress for resource: {key.arn()}",
    )


def not_ready(state: str) -> AwsError:
    """The function is still being created."""
    return AwsError(
        "ResourceConflictException",
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}",
    )


def stale_revision() -> AwsError:
    """The caller's RevisionId is not the function's."""
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


def zip_too_large() -> AwsError:
    """The archive itself is over the limit of direct uploads."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"Zipped size must be smaller than {limits.FUNCTION_ZIP_BYTES} bytes",
        status=413,
    )


def payload_too_large() -> AwsError:
    """The event of a synchronous invocation is over the limit; the front door says the same of a larger body."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {limits.INVOKE_REQUEST_BYTES} bytes for the InvokeFunction operation",
        status=413,
    )


def bad_payload(detail: str) -> AwsError:
    """The event is not JSON; `detail` is what AWS's parser says of it."""
    return AwsError(
        "InvalidRequestContentException",
        f"Could not parse request body into json: Could not parse payload into json: {detail}",
    )


def bad_client_context() -> AwsError:
    """The client context does not decode, or is too large to. AWS gives this one no Type."""
    message = "Client context must be a valid Base64-encoded JSON object."
    return AwsError("InvalidRequestContentException", message, Type=None)


def reserved_variables(names: Iterable[str]) -> AwsError:
    """The environment sets what Lambda sets itself."""
    return invalid(
        "Lambda was unable to configure your environment variables because the environment variables you have "
        "provided contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {', '.join(names)}"
    )


def variables_too_large(measured: str) -> AwsError:
    """The environment is over 4 KB as JSON."""
    return invalid(
        "Lambda was unable to configure your environment variables because the environment variables you have "
        f"provided exceeded the 4KB limit. String measured: {measured}"
    )


def levels_without_json() -> AwsError:
    """Log levels filter JSON only."""
    return invalid(
        'LogLevel is not supported when LogFormat is set to "Text". '
        'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
    )


def unknown_runtime(runtime: str, known: Iterable[str]) -> AwsError:
    """No runtime has this name."""
    return invalid(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(known)}] or be a valid ARN"
    )


def retired_runtime(runtime: str) -> AwsError:
    """AWS takes no function for this runtime any more."""
    return invalid(
        f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )


def function_failed(payload: bytes) -> AwsError:
    """A caller on the road of targets asked for an answer and the function raised; `payload` is its error JSON."""
    return AwsError("Unhandled", payload.decode("utf-8", "replace"))


def not_built(operation: str, what: str) -> AwsError:
    """501 for a part of an operation that Lambent does not have yet, naming it."""
    return errors.not_built("lambda", f"{operation} with {what}")
