"""The words that AWS has for how a function or version is, and for why it is not active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.records import Version

if TYPE_CHECKING:
    from lambent.services.lambda_.records import Function

_REASON_CODES = frozenset(
    {
        "CapacityProviderScalingLimitExceeded",
        "EFSMountFailure",
        "FunctionError",
        "FunctionError.ExtensionInitError",
        "FunctionError.InitResourceExhausted",
        "FunctionError.InitTimeout",
        "FunctionError.InvalidEntryPoint",
        "FunctionError.InvalidWorkingDirectory",
        "FunctionError.PermissionDenied",
        "FunctionError.RuntimeInitError",
        "FunctionError.TooManyExtensions",
        "InvalidRuntime",
    }
)


def shown(one: Function | Version) -> str:
    """Its State. On managed instances only what is published can be invoked.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html
    """
    if one.state == "Active" and one.configuration.instances is not None and not isinstance(one, Version):
        return "ActiveNonInvocable"
    return one.state


def reason_code(code: str) -> str:
    """The StateReasonCode for an initialisation that was refused with the error `code`: its own where AWS has that
    word, without the ending that errors have."""
    word = code.removesuffix("Exception")
    return word if word in _REASON_CODES else "InternalError"
