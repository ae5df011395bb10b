"""AWS's errors of the Lambda service, one function per situation. `Type: User` is the wire's to add.

Here are those of functions, versions, aliases, layers and invocation; every other noun has a module of its name.
"""

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


def violated(violations: list[tuple[str, str, str]]) -> AwsError:
    """Members, each with its value and the constraint that it fails, in the words of the front door: for what its model
    lacks, or it does not test."""
    said = "; ".join(
        f"Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        for member, value, constraint in violations
    )
    count = len(violations)
    return AwsError("ValidationException", f"{count} validation error{'s' if count > 1 else ''} detected: {said}")


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


def denied(principal: str, action: str, key: FunctionKey, qualifier: str | None) -> AwsError:
    """A policy of the function denies it to somebody of the function's own account."""
    return AwsError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: lambda:{action} on resource: {key.arn(qualifier)}"
        " with an explicit deny in a resource-based policy",
        status=403,
    )


def cross_account_role() -> AwsError:
    """The role belongs to another account."""
    return AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", status=403)


def role_not_assumable() -> AwsError:
    """There is no such role."""
    return invalid("The role defined for the function cannot be assumed by Lambda.")


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
    """The function is still being created, or can never be invoked."""
    return AwsError(
        "ResourceConflictException",
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}",
    )


def snapshot_not_ready() -> AwsError:
    """The version is being initialised for its snapshot."""
    return AwsError(
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.",
    )


def other_code(given: str, current: str) -> AwsError:
    """The caller wants to publish another package than `$LATEST` has; both are sha256 in base64."""
    return invalid(
        f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )


def published_by_number() -> AwsError:
    """Only functions on managed instances are published to `$LATEST.PUBLISHED`. The words are not recorded."""
    return invalid("PublishTo isn't supported for Lambda Default functions.")


def version_in_use(aliases: Iterable[str]) -> AwsError:
    """A version goes only when no alias points to it."""
    return AwsError(
        "ResourceConflictException",
        f"Unable to delete version because the following aliases reference it: [{', '.join(aliases)}]",
    )


def bad_alias_name(name: str) -> AwsError:
    """An alias's name is no version's number. It is said in the words of the front door, which cannot test it."""
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        status=400,
    )


def alias_exists(key: FunctionKey, name: str) -> AwsError:
    """The alias's name is taken."""
    return AwsError("ResourceConflictException", f"Alias already exists: {key.arn(name)}")


def no_alias(key: FunctionKey, name: str) -> AwsError:
    """There is no such alias to look at."""
    return AwsError("ResourceNotFoundException", f"Cannot find alias arn: {key.arn(name)}")


def no_alias_to_update(key: FunctionKey, name: str) -> AwsError:
    """There is no such alias to change."""
    return AwsError("ResourceNotFoundException", f"Alias not found: {key.arn(name)}")


def too_many_aliases(key: FunctionKey) -> AwsError:
    """The function has all the aliases that one may have."""
    text = f"The function {key.arn()} has reached the limit of {limits.FUNCTION_ALIASES} aliases."
    return AwsError("AliasLimitExceededException", text)


def too_many_weights() -> AwsError:
    """An alias points to two versions at most."""
    return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")


def same_version(version: str) -> AwsError:
    """An alias's other version is the one that it points to anyway."""
    return invalid(
        f"Invalid function version {version}. Function version {version} is already included in routing configuration."
    )


def latest_not_split() -> AwsError:
    """`$LATEST` does not share an alias. AWS gives this one no Type."""
    message = "$LATEST is not supported for an alias pointing to more than 1 version"
    return AwsError("InvalidParameterValueException", message, Type=None)


def functions_only() -> AwsError:
    """Reserved concurrency belongs to a function as a whole."""
    return invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN."
    )


def reserves_too_much() -> AwsError:
    """Too little of the account's concurrency would be left. AWS gives this one and the next no Type."""
    message = (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        f"below its minimum value of [{limits.UNRESERVED_MINIMUM}]."
    )
    return AwsError("InvalidParameterValueException", message, Type=None)


def reserved_below_provisioned(executions: int, provisioned: int) -> AwsError:
    """More is wanted ready for the function than it would be allowed to run."""
    message = (
        f" ReservedConcurrentExecutions  {executions} should not be lower than function's total provisioned "
        f"concurrency [{provisioned}]."
    )
    return AwsError("InvalidParameterValueException", message, Type=None)


def provisions_above_reserved() -> AwsError:
    """More would be ready for the function than it is allowed to run."""
    return invalid(
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    )


def provisions_above_account(limit: int) -> AwsError:
    """More would be ready than the account may run. AWS gives this one and the next no Type."""
    message = f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{limit}]."
    return AwsError("InvalidParameterValueException", message, Type=None)


def provisions_too_much() -> AwsError:
    """Too little of the account's concurrency would be left."""
    message = (
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        f"below its minimum value of [{limits.UNRESERVED_MINIMUM}]."
    )
    return AwsError("InvalidParameterValueException", message, Type=None)


def provisions_unpublished() -> AwsError:
    """`$LATEST` is never kept ready."""
    return invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")


def provisions_snapshots() -> AwsError:
    """A version that starts from a snapshot is not kept ready as well."""
    return invalid("Provisioned Concurrency is not supported for SnapStart enabled functions.")


def published_only() -> AwsError:
    """`$LATEST` has no provisioned concurrency to look at."""
    return invalid("The function resource provided must be an alias or a published version.")


def not_provisioned() -> AwsError:
    """Nothing is wanted ready for this version or alias."""
    message = "No Provisioned Concurrency Config found for this function"
    return AwsError("ProvisionedConcurrencyConfigNotFoundException", message)


def version_provisioned() -> AwsError:
    """What the alias points to is kept ready already."""
    message = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    return AwsError("ResourceConflictException", message)


def alias_provisioned() -> AwsError:
    """The version is kept ready already through an alias."""
    return AwsError("ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias")


def no_layer_version() -> AwsError:
    """There is no such layer version to look at."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def layer_number_too_low() -> AwsError:
    """Layer versions count from 1."""
    return invalid("Layer Version Cannot be less than 1")


def too_many_layers() -> AwsError:
    """A function uses a few layers at most."""
    return invalid(f"Cannot reference more than {limits.FUNCTION_LAYERS} layers.")


def unknown_layer(arn: str) -> AwsError:
    """A function names a layer version that is not there."""
    return invalid(f"Layer version {arn} does not exist.")


def layer_of_other_region(region: str) -> AwsError:
    """A function names a layer version of another region than its own, which is `region`."""
    return invalid(f"Layers are not in the same region as the function. Layers are expected to be in region {region}.")


def layer_of_other_account(principal: str, action: str, arn: str) -> AwsError:
    """The layer belongs to another account, which has not shared it."""
    return AwsError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: lambda:{action} on resource: {arn}"
        f" because no resource-based policy allows the lambda:{action} action",
        status=403,
    )


def same_layer(first: str, second: str) -> AwsError:
    """A function names two versions of one layer."""
    return invalid(
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{first} and {second} are versions of the same layer."
    )


def foreign_marker(operation: str) -> AwsError:
    """A pagination token that `operation` did not give."""
    return invalid(f"The Marker is not one that {operation} gave.")


def stale_revision() -> AwsError:
    """The caller's RevisionId is not the one that holds."""
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


def payload_too_large() -> AwsError:
    """The event of a synchronous invocation is over the limit; the front door says the same of a larger body."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {limits.INVOKE_REQUEST_BYTES} bytes for the InvokeFunction operation",
        status=413,
    )


def event_too_large(size: int) -> AwsError:
    """The event of an asynchronous invocation has `size` bytes, which is over the limit."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"{size} byte payload is too large for the Event invocation type (limit {limits.EVENT_INVOKE_BYTES} bytes)",
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


def function_failed(payload: bytes) -> AwsError:
    """A caller on the road of targets asked for an answer and the function raised; `payload` is its error JSON."""
    return AwsError("Unhandled", payload.decode("utf-8", "replace"))


def not_built(operation: str, what: str) -> AwsError:
    """501 for a part of an operation that Lambent does not have yet, naming it."""
    return errors.not_built("lambda", f"{operation} with {what}")
