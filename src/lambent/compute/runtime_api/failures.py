"""What runtimes say of failures, brought into the form in which AWS passes it on; and what the platform says of them.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from lambent.compute import endings, guestjson

TYPE = b"lambda-runtime-function-error-type"
BODY = b"lambda-runtime-function-error-body"

TRUNCATED = "Runtime.TruncatedResponse"
INVALID_MODE = "Runtime.InvalidResponseModeHeader"

_KNOWN = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")
_WITH_CAUSE = b"application/vnd.aws.lambda.error.cause+json"


class _WithCause(msgspec.Struct, rename="camel"):
    error_message: str = ""
    error_type: str = ""
    stack_trace: list[str] = []


_with_cause = guestjson.decoder(_WithCause)


def kind(header: bytes) -> str:
    """The error type for what a runtime says in its header: only the platform's own form passes."""
    text = header.decode("latin-1")
    if _KNOWN.fullmatch(text):
        return text
    return "Function.Unknown" if text.startswith("Function.") else "Runtime.Unknown"


def body(content_type: bytes, posted: bytes) -> bytes:
    """The caller's payload for an error that was posted: as it is, or without the cause that only X-Ray is told."""
    if content_type.partition(b";")[0].strip().lower() != _WITH_CAUSE:
        return posted
    try:
        error = _with_cause(posted)
    except guestjson.Malformed:
        return b'"Invalid error body"'
    shown: dict[str, Any] = {"errorMessage": error.error_message, "errorType": error.error_type}
    if error.stack_trace:
        shown["stackTrace"] = error.stack_trace
    return msgspec.json.encode(shown)


def trailer(value: bytes) -> bytes:
    """The error's JSON in the trailer of a streamed answer: base64, or else taken as it is."""
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return value


TRUNCATED_BODY = endings.error(TRUNCATED, "The response ended before it was complete.")
INVALID_MODE_BODY = endings.error(INVALID_MODE, "The response mode is neither missing nor streaming.")
