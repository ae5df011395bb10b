"""AWS's errors for tags, one function per situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.kernel.arn import Arn


def too_many() -> AwsError:
    """A resource has a few tags at most."""
    return errors.invalid("Number of tags exceeds resource tag limit.")


def reserved() -> AwsError:
    """The keys that AWS itself uses are nobody else's."""
    return errors.invalid("aws: prefixed tag key names are not allowed for external use.")


def nothing_given() -> AwsError:
    """TagResource without a tag; AWS says no more than this."""
    return errors.invalid("An error occurred and the request cannot be processed.")


def functions_only() -> AwsError:
    """Versions and aliases have no tags of their own."""
    return errors.invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")


def not_found() -> AwsError:
    """There is no such resource of the caller's in this region."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def other_account(principal: str, action: str, arn: Arn) -> AwsError:
    """The resource belongs to another account."""
    return AwsError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: lambda:{action} on resource: {arn}"
        f" because no resource-based policy allows the lambda:{action} action",
        status=403,
    )
