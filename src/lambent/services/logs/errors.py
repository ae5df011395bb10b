"""AWS's errors of CloudWatch Logs: one function per situation."""

from __future__ import annotations

from lambent.kernel.errors import AwsError
from lambent.services.logs.rules.retention import DAYS


def group_exists() -> AwsError:
    """The name of a new log group is taken."""
    return AwsError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> AwsError:
    """The name of a new log stream is taken."""
    return AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")


def no_group() -> AwsError:
    """There is no such log group."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    """The log group has no such stream."""
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def no_resource() -> AwsError:
    """The ARN names no log group that is there."""
    return AwsError("ResourceNotFoundException", "The specified resource does not exist.")


def invalid(message: str) -> AwsError:
    """400 for a parameter that the model allows and CloudWatch Logs does not."""
    return AwsError("InvalidParameterException", message)


def reserved_name() -> AwsError:
    """A new log group is named as if it were AWS's own."""
    return invalid("Log groups starting with AWS/ are reserved for AWS.")


def name_and_identifier() -> AwsError:
    """The log group is named twice."""
    return AwsError("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")


def neither_name_nor_identifier() -> AwsError:
    """The log group is not named."""
    return AwsError("ValidationException", "Either LogGroup name or LogGroup ARN must be specified.")


def prefix_and_pattern() -> AwsError:
    """Log groups are asked for in two ways at once."""
    return invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")


def identifiers_and_other_filters() -> AwsError:
    """Log groups are named one by one and filtered as well."""
    return invalid("LogGroup identifiers cannot be combined with other filters.")


def time_order_with_prefix() -> AwsError:
    """Streams of a prefix have no order by time."""
    return invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")


def names_and_prefix() -> AwsError:
    """Streams are named one by one and by a prefix as well."""
    return invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")


def bad_token() -> AwsError:
    """The token is none that was given out."""
    return invalid("The specified nextToken is invalid.")


def bad_retention() -> AwsError:
    """No log group keeps its events for so many days."""
    return invalid(f"Invalid retention value. Valid values are: {list(DAYS)}")


def too_early_to_read_backward() -> AwsError:
    """Events from before 2024 are read forward only."""
    return invalid("startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC.")


def protected() -> AwsError:
    """The log group that is to go is protected from it."""
    return AwsError(
        "ValidationException",
        "The specified log group has deletion protection enabled. Disable it to delete the log group.",
    )


def too_many_tags(resource_arn: str, limit: int) -> AwsError:
    """The tags that are there and the new ones are too many together."""
    return AwsError(
        "TooManyTagsException",
        f"A resource cannot have more than {limit} tags.",
        resourceName=resource_arn,
    )
