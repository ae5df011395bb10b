"""AWS's errors for the configuration of asynchronous invocation, one function per situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey


def nothing_given() -> AwsError:
    """The request configures nothing."""
    return errors.invalid("You must specify at least one of error handling or destination setting.")


def no_function() -> AwsError:
    """There is no such function, version or alias to configure."""
    return AwsError("ResourceNotFoundException", "The function doesn't exist.")


def not_configured(key: FunctionKey, qualifier: str) -> AwsError:
    """There is no configuration for this version or alias; the function itself may be missing."""
    return AwsError("ResourceNotFoundException", f"The function {key.arn(qualifier)} doesn't have an EventInvokeConfig")


def bad_destination(arn: str) -> AwsError:
    """The destination is a function that does not exist."""
    return errors.invalid(f"The destination ARN {arn} is invalid.")


def own_destination() -> AwsError:
    """The destination is the function itself."""
    return errors.invalid("You can't specify the function as a destination for itself.")


def bad_destination_config(success: str | None, failure: str | None) -> AwsError:
    """A destination is of a service that takes no such records; AWS shows the whole as Java does."""
    parts = {"onSuccess": ("OnSuccess", success), "onFailure": ("OnFailure", failure)}
    told = ", ".join(
        f"{name}={kind}(destination={arn})" if arn else f"{name}=null" for name, (kind, arn) in parts.items()
    )
    return errors.invalid(f"The provided destination config DestinationConfig({told}) is invalid.")
