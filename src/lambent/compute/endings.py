"""How an invocation and a process end, in the words and the JSON of AWS's platform."""

from __future__ import annotations

import signal

import msgspec

NOT_STARTED = "Runtime could not be started"
"""Where the machine would not have it. What the machine says is for its owner's log."""


def error(kind: str, message: str) -> bytes:
    """The JSON of an error that the platform itself tells; `kind` is its type."""
    return msgspec.json.encode({"errorType": kind, "errorMessage": message})


def of_process(status: int) -> str:
    """How a process ended. `status` is its exit code, or the negated number of the signal that ended it."""
    if status < 0:
        return f"signal: {(signal.strsignal(-status) or str(-status)).lower()}"
    return f"exit status {status}" if status else "exit code 0"


def kind_of_runtime(status: int, *, out_of_memory: bool) -> str:
    """The error type for the end of a runtime; `status` as above. `out_of_memory`: somebody was killed for that."""
    return "Runtime.OutOfMemory" if out_of_memory and status == -signal.SIGKILL else "Runtime.ExitError"


def of_runtime(status: int) -> str:
    """The sentence for the end of a runtime; `status` as above."""
    if status == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: {of_process(status)}"
