"""Events are JSON: how that is checked without building the document, and what AWS says where it is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.kernel.errors import AwsError

_syntax = msgspec.json.Decoder(msgspec.Raw)
_blank = re.compile(rb"[ \t\r\n]*")


def checked(payload: bytes) -> bytes:
    """`payload` as a function gets it: an empty one is `{}`. Raises AWS's errors where it is too large or not JSON."""
    if len(payload) > limits.INVOKE_REQUEST_BYTES:
        raise errors.payload_too_large()
    try:
        if not payload.isascii():  # most are, and to decode them would be one copy more
            payload.decode()
        _syntax.decode(payload)
    except UnicodeDecodeError as error:
        raise _not_text(payload, error) from None
    except RecursionError:
        raise errors.bad_payload("Document nesting depth exceeds the maximum allowed") from None
    except msgspec.DecodeError as error:
        if _blank.fullmatch(payload):
            return b"{}"
        if _has_lone_surrogate(payload):
            return payload
        raise _not_json(payload, str(error)) from None
    return payload


def _has_lone_surrogate(payload: bytes) -> bool:
    """Whether all that msgspec objects to is half a pair in an escape, which Jackson and Python let through."""
    if b"\\u" not in payload:
        return False
    try:
        json.loads(payload, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# AWS parses with Jackson and passes its words on; msgspec stops at the same bytes and names them its own way.
_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_WORDS = (
    ("expected ',' or '}'", "was expecting comma to separate Object entries"),
    ("expected ',' or ']'", "was expecting comma to separate Array entries"),
    ("expected ':'", "was expecting a colon to separate field name and value"),
    ("expected '\"'", "was expecting double-quote to start field name"),
    ("trailing comma in object", "was expecting double-quote to start field name"),
    ("trailing characters", "Expected space separating root-level values"),
)
_stop = re.compile(r"\(byte (\d+)\)$")
_token = re.compile(r"[A-Za-z_$][\w$]*")


def _not_text(payload: bytes, error: UnicodeDecodeError) -> AwsError:
    if error.reason == "invalid start byte":
        at, kind = error.start, "start"
    elif error.end < len(payload):
        at, kind = error.end, "middle"
    else:
        return errors.bad_payload(f"Unexpected end-of-input{_place(payload, len(payload))}")
    return errors.bad_payload(f"Invalid UTF-8 {kind} byte 0x{payload[at]:02x}{_place(payload, at)}")


def _not_json(payload: bytes, complaint: str) -> AwsError:
    stop = _stop.search(complaint)
    if stop is None or int(stop[1]) >= len(payload):
        return errors.bad_payload(f"Unexpected end-of-input{_place(payload, len(payload))}")
    at = int(stop[1])
    while payload[at] & 0xC0 == 0x80:  # msgspec may stop within a character
        at -= 1
    # Enough to tell a token or a character; the payload may be large.
    ahead = payload[at : at + limits.PAYLOAD_TOKEN_BYTES].decode("utf-8", "ignore")
    token = _token.match(ahead)
    known = next((words for ours, words in _WORDS if ours in complaint), None)
    if known is None and token is not None and "invalid character" in complaint:
        text = f"Unrecognized token '{token[0]}': was expecting {_VALUES}"
    elif "escape" in complaint:
        text = f"Unrecognized character escape '{ahead[0]}' (code {ord(ahead[0])})"
    elif ahead < " ":
        text = f"Illegal unquoted character ((CTRL-CHAR, code {ord(ahead[0])})): has to be escaped using backslash"
        text += " to be included in string value"
    elif "invalid number" in complaint:
        text = f"Unexpected character ('{ahead[0]}' (code {ord(ahead[0])})) in numeric value"
    else:
        expected = known or f"expected a valid value {_VALUES}"
        text = f"Unexpected character ('{ahead[0]}' (code {ord(ahead[0])})): {expected}"
    return errors.bad_payload(f"{text}{_place(payload, at)}")


def _place(payload: bytes, at: int) -> str:
    line = payload.count(b"\n", 0, at) + 1
    column = at - payload.rfind(b"\n", 0, at)
    source = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
    return f"\n at {source}; line: {line}, column: {column}]"
