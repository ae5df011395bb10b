"""AWS's errors of durable executions, one function per situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.services.lambda_.records.durable import Execution


def not_qualified() -> AwsError:
    """A durable execution stays with one version, so the caller has to say which."""
    return invalid("You cannot invoke a durable function using an unqualified ARN.")


def not_streamed() -> AwsError:
    """The result of an execution is given as a whole. AWS documents that durable functions are invoked synchronously,
    asynchronously or by event sources, and InvokeWithResponseStream has no member for an execution's ARN; what it
    answers, and its words, are not recorded.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
    """
    return invalid("You cannot invoke a durable function with a response stream.")


def too_long_to_wait() -> AwsError:
    """A caller who waits does not wait for that long."""
    return invalid(
        "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
    )


def name_without_durability() -> AwsError:
    """Only durable executions have names. AWS documents the refusal; the words are not recorded."""
    return invalid("You cannot provide a durable execution name for a function that is not durable.")


def already_started(execution: Execution) -> AwsError:
    """The name belongs to an execution of another version or another event."""
    text = f"Execution already started: {execution.arn}"
    return AwsError("DurableExecutionAlreadyStartedException", text)


def not_found() -> AwsError:
    """There is no such execution, or it is gone."""
    return AwsError("ResourceNotFoundException", "Durable Execution does not exist")


def bad_token() -> AwsError:
    """The token was used, belongs to an invocation that is over, or was never given. By these words the SDKs know that
    another invocation has taken over."""
    return invalid("Invalid checkpoint token")


def token_of_another() -> AwsError:
    """The token belongs to another execution than the ARN says."""
    return invalid("Checkpoint token is not valid for the durable execution ARN")


def bad_callback_id() -> AwsError:
    """No callback has an id of this form."""
    return invalid("Invalid callback id")


def callback_over() -> AwsError:
    """Nobody waits for this callback any more."""
    return AwsError("CallbackTimeoutException", "The callback is either timed out or already completed")


def not_running(execution: Execution) -> AwsError:
    """What has ended can be neither paused nor resumed. AWS documents the error; its words are not recorded, here and
    in the next three."""
    return AwsError("ResourceConflictException", f"Durable Execution is not running: {execution.status}")


def already_paused() -> AwsError:
    """One pause at a time."""
    return AwsError("ResourceConflictException", "Durable Execution is already paused")


def not_paused() -> AwsError:
    """There is no pause to end."""
    return AwsError("ResourceConflictException", "Durable Execution is not paused")


def not_ended(execution: Execution) -> AwsError:
    """Only what has ended can be deleted."""
    text = f"Durable Execution must be in a terminal state to be deleted: {execution.status}"
    return AwsError("ResourceConflictException", text)


def call_of_other_account() -> AwsError:
    """A durable execution calls functions of its own account."""
    return invalid("Cannot start a CHAINED_INVOKE on a function in another account.")


def call_of_other_region() -> AwsError:
    """A durable execution calls functions of its own region."""
    return invalid("Cannot start a CHAINED_INVOKE on a function in another region.")


def invocation_unanswered() -> AwsError:
    """Whoever waited for the execution has waited as long as anybody may; it goes on."""
    return AwsError("ServiceException", f"The durable execution did not end within {limits.DURABLE_SYNC_S:.0f} seconds")
