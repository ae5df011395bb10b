"""AWS's errors for event source mappings, one function per situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.services.lambda_.records.mappings import EventSourceMapping


def not_found() -> AwsError:
    """There is no such mapping."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def in_use(verb: str) -> AwsError:
    """A change of the mapping is under way; `verb` is what was asked for, as `update`."""
    return AwsError("ResourceInUseException", f"Cannot {verb} the event source mapping because it is in use.")


def unrecognized() -> AwsError:
    """The request names nothing that can be read from."""
    return errors.invalid("Unrecognized event source.")


def other_region(ours: str) -> AwsError:
    """The source is of another region than the function, which is of `ours`."""
    return errors.invalid(f"Event source region must match Lambda region {ours}.")


def no_function() -> AwsError:
    """There is no such function, version or alias."""
    return errors.invalid("Function does not exist")


def no_queue() -> AwsError:
    """The queue does not exist: what SQS says, as Lambda passes it on."""
    return errors.invalid(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
        "SQS Error Message: The specified queue does not exist for this wsdl version."
    )


def no_stream(source: str) -> AwsError:
    """The stream, broker or cluster does not exist."""
    return errors.invalid(f"Stream not found: {source}")


def queue_exists(mapping: EventSourceMapping) -> AwsError:
    """The function reads from the queue already."""
    return AwsError(
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {mapping.source} ") and function (" {_named(mapping)} ") already '
        f"exists. Please update or delete the existing mapping with UUID {mapping.uuid}",
    )


def stream_exists(mapping: EventSourceMapping) -> AwsError:
    """The function reads from the stream already."""
    return AwsError(
        "ResourceConflictException",
        f'The event source arn (" {mapping.source} ") and function (" {_named(mapping)} ") provided mapping already '
        f"exists. Please update or delete the existing mapping with UUID {mapping.uuid}",
    )


def topic_exists(mapping: EventSourceMapping) -> AwsError:
    """The function reads from the topic already."""
    return AwsError(
        "ResourceConflictException",
        f'An event source mapping with event source ("{",".join(mapping.servers)}"), function '
        f'("{mapping.function_arn}"), topics ("{",".join(mapping.settings.topics or ())}") already exists. '
        f"Please update or delete the existing mapping with UUID {mapping.uuid}",
    )


def unsupported(member: str) -> AwsError:
    """The kind of source does not take the member; StartingPosition and DestinationConfig have words of their own."""
    if member == "DestinationConfig":
        return errors.invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    return errors.invalid(f"Unsupported '{_camel(member)}' parameter for given event source mapping type.")


def missing(member: str) -> AwsError:
    """The kind of source needs the member."""
    return errors.invalid(f"Required '{_camel(member)}' parameter is missing.")


def position_with_queue() -> AwsError:
    """Queues are always read from where they are."""
    return errors.invalid("StartingPosition is not valid for SQS event sources.")


def no_position() -> AwsError:
    """Streams are read from where the caller says."""
    return errors.invalid(
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
        "Member must not be null."
    )


def unsupported_position(source: str) -> AwsError:
    """This kind of stream cannot be read from a point in time."""
    return errors.invalid(f"Unsupported starting position for arn type: {source}")


def timestamp_without_position() -> AwsError:
    """The time belongs to AT_TIMESTAMP."""
    return errors.invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")


def no_timestamp() -> AwsError:
    """AT_TIMESTAMP needs a time, which is not to come."""
    return errors.invalid(
        "StartingPosition AT_TIMESTAMP requires a StartingPositionTimestamp that is not in the future."
    )


def negative_timestamp() -> AwsError:
    """There is nothing before the epoch. The words are those in which Lambda passes on its own client's failure."""
    return errors.invalid(
        "Received Exception while reading from provided stream. "
        "class java.lang.Long can not be converted to a Timestamp"
    )


def batch_without_window() -> AwsError:
    """A large batch has to be waited for."""
    return errors.invalid(
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
        f"{limits.MAPPING_UNWINDOWED_BATCH}"
    )


def fifo_window() -> AwsError:
    """Queues that keep order are not waited for."""
    return errors.invalid("Batching window is not supported for FIFO queues")


def fifo_batch() -> AwsError:
    """Queues that keep order give small batches only."""
    return errors.invalid(f"Maximum batch size must be between 1 and {limits.MAPPING_UNWINDOWED_BATCH} inclusive")


def bad_filter() -> AwsError:
    """A filter is no event pattern."""
    return errors.invalid("Invalid filter pattern definition.")


def too_many_filters() -> AwsError:
    """A mapping has a few filters at most."""
    return errors.invalid(f"A maximum of {limits.MAPPING_FILTERS} filters can be defined for an event source mapping.")


def bad_record_age() -> AwsError:
    """The shortest age is above what the model's bound says."""
    return errors.invalid(
        f"MaximumRecordAgeInSeconds must be -1 or at least {limits.MAPPING_RECORD_AGE_S} for an event source mapping."
    )


def bad_pollers(least: int, most: int) -> AwsError:
    """The pollers are out of range, or more are wanted at least than at most."""
    return errors.invalid(
        f"MinimumPollers and MaximumPollers must be between {least} and {most}, "
        "and MinimumPollers must not be greater than MaximumPollers."
    )


def two_scalings() -> AwsError:
    """Pollers and concurrency are not limited both."""
    return errors.invalid("ScalingConfig and ProvisionedPollerConfig cannot be specified together.")


def bad_access(types: Iterable[str]) -> AwsError:
    """The kind of source does not take these types of access."""
    return errors.invalid(f"Unsupported source access configuration types for given event source: {', '.join(types)}.")


def _named(mapping: EventSourceMapping) -> str:
    return mapping.function if mapping.qualifier is None else f"{mapping.function}:{mapping.qualifier}"


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]
