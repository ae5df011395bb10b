"""AWS's errors of code signing."""

from __future__ import annotations

from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid


def none_here(arn: str) -> AwsError:
    """There is no such configuration to look at or to change. AWS gives this one and the next no Type."""
    message = f"The Lambda code signing configuration {arn} can not be found."
    return AwsError("ResourceNotFoundException", message, Type=None)


def in_use(arn: str) -> AwsError:
    """A configuration goes only when no function uses it."""
    message = f"The Lambda code signing configuration {arn} is in use and can not be deleted."
    return AwsError("ResourceConflictException", message, Type=None)


def none_to_use(arn: str) -> AwsError:
    """There is no such configuration for a function."""
    return AwsError(
        "CodeSigningConfigNotFoundException",
        f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}.",
    )


def images_are_not_signed() -> AwsError:
    """Only packages that are zips are signed."""
    return invalid("Code signing is not supported for functions created with container images.")


def untrusted(function: str) -> AwsError:
    """The package carries no signature of an allowed publisher."""
    return AwsError(
        "CodeVerificationFailedException",
        "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is "
        f"not configured to accept. Check the provided signature for {function}.",
    )
