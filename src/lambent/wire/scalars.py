"""Single values between Python and the wire: timestamps in three formats, numbers, booleans, base64."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.wire.shapes import Shape

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unreadable(Exception):
    """What came over the wire is not what the model says; each protocol has its own error for it."""


BITS = {"integer": 31, "long": 63}
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_FRACTION = re.compile(r"(:\d\d)(\.\d{1,9})( )")


def title(kind: str) -> str:
    """The name that AWS's messages give a kind of value: `Integer`."""
    return kind.capitalize()


def integer(value: int, kind: str) -> int:
    """`value` if it fits its kind. Raises Unreadable."""
    if -(1 << BITS[kind]) <= value < 1 << BITS[kind]:
        return value
    raise Unreadable(f"NUMBER_VALUE cannot be converted to {title(kind)}")


def read_base64(text: str) -> bytes:
    """The bytes in base64 `text`. Raises Unreadable."""
    if len(text) % 4:
        raise Unreadable(
            f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}",
        )
    try:
        if len(text) <= limits.BASE64_PIECE_LENGTH or text.find("=", 0, -2) >= 0:
            return base64.b64decode(text, validate=True)
        # In pieces, because the interpreter lets no other thread run while it decodes one.
        starts = range(0, len(text), limits.BASE64_PIECE_LENGTH)
        return b"".join([base64.b64decode(text[at : at + limits.BASE64_PIECE_LENGTH], validate=True) for at in starts])
    except (binascii.Error, ValueError) as error:
        raise Unreadable("Invalid Base64 character") from error


def write_base64(value: bytes | bytearray | memoryview | str) -> str:
    """The base64 text of a blob; text counts as its UTF-8 bytes."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def read_float_text(text: str) -> float:
    """A number with a fraction, or NaN, Infinity, -Infinity. Raises Unreadable."""
    if text in _NUMBERS:
        return _NUMBERS[text]
    try:
        value = float(text)
    except ValueError as error:
        raise Unreadable("STRING_VALUE cannot be converted to Double") from error
    if not math.isfinite(value):
        raise Unreadable("STRING_VALUE cannot be converted to Double")
    return value


def write_float(value: float) -> float | str:
    """A finite number as it is, the others by their names."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def read_timestamp(text: str, form: str) -> datetime:
    """The instant in `text`, written as `form`. Raises Unreadable."""
    try:
        match form:
            case "unixTimestamp":
                return from_epoch(float(text))
            case "rfc822":
                fraction = _FRACTION.search(text)
                moment = parsedate_to_datetime(_FRACTION.sub(r"\1\3", text))
                return _utc(moment) + timedelta(seconds=float(fraction[2]) if fraction else 0)
            case _:
                return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        raise Unreadable(f"Unable to parse timestamp {text[:64]!r}") from error


def from_epoch(seconds: float) -> datetime:
    """The instant `seconds` after the epoch. Raises Unreadable."""
    try:
        return EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise Unreadable("NUMBER_VALUE cannot be converted to milliseconds since epoch") from error


def to_epoch(value: datetime | float) -> float:
    """Seconds since the epoch, whole where they are whole, else to the millisecond."""
    if isinstance(value, datetime):
        value = (_utc(value) - EPOCH) / timedelta(seconds=1)
    seconds = round(value, 3)
    return int(seconds) if seconds == int(seconds) else seconds


def write_timestamp(value: datetime | float, form: str) -> str:
    """`value` written as `form`; a fraction of a second only where there is one."""
    if form == "unixTimestamp":
        return str(to_epoch(value))
    moment = _utc(value) if isinstance(value, datetime) else EPOCH + timedelta(seconds=value)
    if form == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    milliseconds = moment.microsecond // 1000
    fraction = f".{milliseconds:03d}" if milliseconds else ""
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}Z"


def text_reader(shape: Shape, timestamp: str) -> Callable[[str], Any]:
    """How a single value of `shape` is read from text; `timestamp` is the format where the shape names none."""
    match shape.kind:
        case "integer" | "long":
            kind = shape.kind

            def read_integer(text: str) -> int:
                if _INTEGER.fullmatch(text.strip()) is None:
                    raise Unreadable(f"STRING_VALUE cannot be converted to {title(kind)}")
                return integer(int(text), kind)

            return read_integer
        case "float" | "double":
            return read_float_text
        case "boolean":
            return _read_boolean
        case "timestamp":
            form = shape.traits.get("timestampFormat", timestamp)
            return lambda text: read_timestamp(text, form)
        case "blob":
            return read_base64
        case _:
            return str


def text_writer(shape: Shape, timestamp: str) -> Callable[[Any], str]:
    """How a single value of `shape` is written as text; the inverse of `text_reader`."""
    match shape.kind:
        case "float" | "double":
            return lambda value: str(write_float(value))
        case "boolean":
            return lambda value: "true" if value else "false"
        case "timestamp":
            form = shape.traits.get("timestampFormat", timestamp)
            return lambda value: write_timestamp(value, form)
        case "blob":
            return write_base64
        case _:
            return str


def _read_boolean(text: str) -> bool:
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise Unreadable("STRING_VALUE cannot be converted to Boolean")


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
