"""AWS's errors for recursive loops."""

from __future__ import annotations

from lambent.kernel.errors import AwsError


def stopped() -> AwsError:
    """The invocation belongs to a recursive loop and the function lets none through."""
    return AwsError(
        "RecursiveInvocationException",
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources "
        "and stopped your function's invocation.",
    )
