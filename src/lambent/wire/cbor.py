"""CBOR bodies, for the protocol smithy-rpc-v2-cbor."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import cbor2

from lambent.kernel import limits
from lambent.wire.scalars import Unreadable, from_epoch, integer, to_epoch
from lambent.wire.tree import Conversion, Convert, Reader, Writer, unconvertible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.wire.shapes import Shape


class CborFormat:
    """Compiles readers and writers of CBOR bodies; structures are compiled once per service."""

    content_type = "application/cbor"

    def __init__(self) -> None:
        self._reader = Reader(_reading)
        self._writer = Writer(_writing)

    def reader(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[bytes], Any]:
        """Reads a body that holds `members` of `shape`. Raises Unreadable."""
        read = self._reader.body(shape, members)
        return lambda body: read(parse(body))

    def payload_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        """Reads a body that is one value of `shape`. Raises Unreadable."""
        read = self._reader.value(shape)
        return lambda body: read(parse(body))

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
    """The value of a CBOR item. Raises Unreadable."""
    try:
        return cbor2.loads(
            body,
            semantic_decoders=_TAGS,
            max_depth=limits.NESTING_DEPTH,
            strict_hashable_types=True,
        )
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable("Unable to parse request body as CBOR") from error


def dump(tree: Any) -> bytes:
    """`tree` as CBOR."""
    return cbor2.dumps(tree)


def _refuse_tag(_value: Any, _immutable: bool) -> Any:
    raise Unreadable("Unexpected tag")


def _instant(value: Any, _immutable: bool) -> datetime:
    if type(value) not in (int, float):
        raise unconvertible(value, "timestamp")
    return from_epoch(value)


def _reading(shape: Shape) -> Conversion:
    kind = shape.kind
    match kind:
        case "integer" | "long":
            return None, lambda value: _read_integer(value, kind)
        case "float" | "double":
            return float, lambda value: _read_float(value, kind)
        case "timestamp":
            return datetime, _read_timestamp
        case "boolean":
            return bool, lambda value: _refuse(value, kind)
        case "blob":
            return bytes, lambda value: _refuse(value, kind)
        case _:
            return str, lambda value: _refuse(value, "string")


def _writing(shape: Shape) -> Conversion:
    match shape.kind:
        case "float" | "double":
            return float, float
        case "timestamp":
            return None, lambda value: cbor2.CBORTag(1, to_epoch(value))
        case "blob":
            return bytes, _write_blob
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
    raise unconvertible(value, kind)


def _read_float(value: Any, kind: str) -> float:
    if type(value) is int:
        return float(value)
    raise unconvertible(value, kind)


def _read_timestamp(value: Any) -> datetime:
    if type(value) in (int, float):
        return from_epoch(value)
    raise unconvertible(value, "timestamp")


def _write_blob(value: bytes | bytearray | memoryview | str) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


_OTHER_TAGS = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
_TAGS: dict[int, Callable[[Any, bool], Any]] = {1: _instant, **dict.fromkeys(_OTHER_TAGS, _refuse_tag)}
"""cbor2 knows more tags than the protocol, among them shared and cyclic values."""
