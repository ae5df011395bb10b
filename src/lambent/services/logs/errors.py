"""The errors of CloudWatch Logs, one function per situation."""

from __future__ import annotations

from lambent.kernel.errors import AwsError
from lambent.services.logs.rules.retention import DAYS


def group_exists() -> AwsError:
    return AwsError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> AwsError:
    return AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")


def no_group() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def no_resource() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified resource does not exist.")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def reserved_name() -> AwsError:
    return invalid("Log groups starting with AWS/ are reserved for AWS.")


def name_and_identifier() -> AwsError:
    return AwsError("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")


def neither_name_nor_identifier() -> AwsError:
    return AwsError("ValidationException", "Either LogGroup name or LogGroup ARN must be specified.")


def prefix_and_pattern() -> AwsError:
    return invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")


def identifiers_and_other_filters() -> AwsError:
    return invalid("LogGroup identifiers cannot be combined with other filters.")


def time_order_with_prefix() -> AwsError:
    return invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")


def names_and_prefix() -> AwsError:
    return invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")


def bad_token() -> AwsError:
    return invalid("The specified nextToken is invalid.")


def bad_retention() -> AwsError:
    return invalid(f"Invalid retention value. Valid values are: {list(DAYS)}")


def too_early_to_read_backward() -> AwsError:
    return invalid("startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC.")


def protected() -> AwsError:
    return AwsError(
        "ValidationException",
        "The specified log group has deletion protection enabled. Disable it to delete the log group.",
    )


def too_many_tags(resource_arn: str, limit: int) -> AwsError:
    return AwsError(
        "TooManyTagsException",
        f"A resource cannot have more than {limit} tags.",
        resourceName=resource_arn,
    )
