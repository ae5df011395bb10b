"""JSON bodies, for the protocols json 1.0, json 1.1 and rest-json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.wire.scalars import (
    Unreadable,
    from_epoch,
    integer,
    read_base64,
    read_float_text,
    read_timestamp,
    to_epoch,
    write_base64,
    write_float,
    write_timestamp,
)
from lambent.wire.tree import Conversion, Convert, Reader, Writer, check_depth, token, unconvertible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.wire.shapes import Shape


class JsonFormat:
    """Compiles readers and writers of JSON bodies; structures are compiled once per service."""

    def __init__(self, content_type: str = "application/json") -> None:
        self.content_type = content_type
        self._reader = Reader(_reading)
        self._writer = Writer(_writing)

    def reader(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[bytes], Any]:
        """Reads a body that holds `members` of `shape`. Raises Unreadable."""
        return _parser(self._reader.body(shape, members), shape)

    def payload_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        """Reads a body that is one value of `shape`. Raises Unreadable."""
        return _parser(self._reader.value(shape), shape)

    def tree_writer(self, shape: Shape, members: Mapping[str, Shape]) -> Convert:
        """What `dump` writes for `members` of `shape`."""
        return self._writer.body(shape, members)

    def writer(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """Writes a body that holds `members` of `shape`."""
        write = self._writer.body(shape, members)
        return lambda value: dump(write(value))

    def payload_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        """Writes a body that is one value of `shape`."""
        write = self._writer.value(shape)
        return lambda value: dump(write(value))


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises Unreadable."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable("Unable to parse request body as JSON") from error


def dump(tree: Any) -> bytes:
    """`tree` as JSON."""
    return msgspec.json.encode(tree)


def _parser(read: Convert, shape: Shape) -> Callable[[bytes], Any]:
    if not shape.open_ended:
        return lambda body: read(parse(body))

    def parse_shallow(body: bytes) -> Any:
        tree = parse(body)
        check_depth(tree)
        return read(tree)

    return parse_shallow


def _reading(shape: Shape) -> Conversion:
    kind = shape.kind
    match kind:
        case "integer" | "long":
            return None, lambda value: _read_integer(value, kind)
        case "float" | "double":
            return float, lambda value: _read_float(value, kind)
        case "boolean":
            return bool, lambda value: _refuse(value, kind)
        case "timestamp":
            form = shape.traits.get("timestampFormat", "unixTimestamp")
            return None, lambda value: _read_timestamp(value, form)
        case "blob":
            return None, _read_blob
        case _:
            return str, lambda value: _refuse(value, "string")


def _writing(shape: Shape) -> Conversion:
    match shape.kind:
        case "float" | "double":
            return int, write_float
        case "timestamp":
            form = shape.traits.get("timestampFormat", "unixTimestamp")
            if form == "unixTimestamp":
                return None, to_epoch
            return None, lambda value: write_timestamp(value, form)
        case "blob":
            return None, write_base64
        case "integer" | "long":
            return int, int
        case "boolean":
            return bool, bool
        case _:
            return str, str


def _refuse(value: Any, kind: str) -> Any:
    raise unconvertible(value, kind)


def _read_integer(value: Any, kind: str) -> int:
    if type(value) is int:
        return integer(value, kind)
    if type(value) is float:
        return integer(int(value), kind)
    raise unconvertible(value, kind)


def _read_float(value: Any, kind: str) -> float:
    if type(value) is int and abs(value) < 1 << 1023:
        return float(value)
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        return read_float_text(value)
    raise unconvertible(value, kind)


def _read_timestamp(value: Any, form: str) -> Any:
    if type(value) in (int, float):
        return from_epoch(value)
    if type(value) is str and form != "unixTimestamp":
        return read_timestamp(value, form)
    if type(value) in (dict, list):
        raise unconvertible(value, "timestamp")
    raise Unreadable(f"{token(value)} cannot be converted to milliseconds since epoch")


def _read_blob(value: Any) -> bytes:
    if type(value) is str:
        return read_base64(value)
    if type(value) in (dict, list):
        raise unconvertible(value, "blob")
    raise Unreadable("only base-64-encoded strings are convertible to bytes")
