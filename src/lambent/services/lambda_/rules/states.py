"""The words that AWS has for why a function or version is not active."""

from __future__ import annotations

_REASON_CODES = frozenset(
    {
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


def reason_code(code: str) -> str:
    """The StateReasonCode for an initialisation that was refused with the error `code`: its own where AWS has that
    word, without the ending that errors have."""
    word = code.removesuffix("Exception")
    return word if word in _REASON_CODES else "InternalError"
