"""AWS's errors of function URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import violated

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey


def no_function() -> AwsError:
    """There is no such function or alias to give a URL to."""
    return AwsError("ResourceNotFoundException", "Function does not exist")


def no_url() -> AwsError:
    """There is no such URL, or not even such a function."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def exists(key: FunctionKey, alias: str | None) -> AwsError:
    """A function and each of its aliases have one URL at most."""
    return AwsError(
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {key.arn(alias)}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function",
    )


def unknown() -> AwsError:
    """Nothing answers at this URL."""
    return AwsError("AccessDeniedException", "", status=403, Message=None)


def forbidden() -> AwsError:
    """The caller may not use the URL, or there is nothing behind it any more, which is not theirs to know."""
    text = (
        "Forbidden. For troubleshooting Function URL authorization issues, see: "
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    )
    return AwsError("AccessDeniedException", text, status=403, Message=text)


def said(error: AwsError) -> AwsError | None:
    """An error of an invocation or of a signature as a URL says it; None where it says no more than that it failed."""
    if error.code == "ResourceNotFoundException":
        return forbidden()
    if error.code == "TooManyRequestsException":
        return AwsError(error.code, error.message, status=429, **error.members | {"Type": "User"})
    return error if error.status in (403, 413, 503) else None


def malformed(violations: list[tuple[str, str, str]]) -> AwsError:
    """Members, each with its value and its pattern, that do not match: the front door cannot test patterns that look
    ahead."""
    return violated(
        [
            (member, value, f"Member must satisfy regular expression pattern: {pattern}")
            for member, value, pattern in violations
        ]
    )
