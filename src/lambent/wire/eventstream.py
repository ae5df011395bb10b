"""Event streams, `application/vnd.amazon.eventstream`: framed messages, and events of the model laid out in them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.wire.scalars import EPOCH, Unreadable

if TYPE_CHECKING:
    from lambent.wire.shapes import Shape

CONTENT_TYPE = "application/vnd.amazon.eventstream"
HeaderValue = bool | int | bytes | str | datetime | UUID
Event = Mapping[str, Any]
"""One member of the stream's shape with its value."""


class Message(msgspec.Struct, frozen=True):
    """One frame of a stream."""

    headers: Mapping[str, HeaderValue]
    payload: bytes = b""


def pack(message: Message) -> bytes:
    """The bytes of a frame: lengths, their checksum, headers, payload, the checksum of it all."""
    headers = b"".join(_pack_header(name, value) for name, value in message.headers.items())
    prelude = struct.pack(">II", _OVERHEAD + len(headers) + len(message.payload), len(headers))
    frame = b"".join((prelude, struct.pack(">I", zlib.crc32(prelude)), headers, message.payload))
    return frame + struct.pack(">I", zlib.crc32(frame))


def unpack(buffer: bytearray) -> Iterator[Message]:
    """Take the whole frames off the front of `buffer`. Raises Unreadable where one is damaged."""
    while len(buffer) >= _PRELUDE:
        length, headers_length, checksum = struct.unpack_from(">III", buffer)
        if zlib.crc32(buffer[:8]) != checksum:
            raise Unreadable("The checksum of an event's prelude does not match")
        if not _OVERHEAD + headers_length <= length <= limits.EVENT_BYTES:
            raise Unreadable("The length of an event is out of range")
        if len(buffer) < length:
            return
        frame = bytes(buffer[:length])
        del buffer[:length]
        if zlib.crc32(frame[:-4]) != struct.unpack(">I", frame[-4:])[0]:
            raise Unreadable("The checksum of an event does not match")
        payload_at = _PRELUDE + headers_length
        yield Message(_unpack_headers(frame[_PRELUDE:payload_at]), frame[payload_at:-4])


def _pack_header(name: str, value: HeaderValue) -> bytes:
    key = name.encode()
    return bytes((len(key),)) + key + _pack_value(value)


def _pack_value(value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case int():
            return struct.pack(">Bi", 4, value) if -(1 << 31) <= value < 1 << 31 else struct.pack(">Bq", 5, value)
        case datetime():
            return struct.pack(">Bq", 8, (value - EPOCH) // timedelta(milliseconds=1))
        case UUID():
            return b"\x09" + value.bytes
        case bytes():
            return struct.pack(">BH", 6, len(value)) + value
        case _:
            text = value.encode()
            return struct.pack(">BH", 7, len(text)) + text


def _unpack_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name, kind, at = data[at + 1 : end].decode(), data[end], end + 1
            if kind in _FIXED:
                layout, convert = _FIXED[kind]
                values = struct.unpack_from(layout, data, at)
                headers[name] = convert(*values)
                at += struct.calcsize(layout)
            else:
                (length,) = struct.unpack_from(">H", data, at)
                value = data[at + 2 : at + 2 + length]
                if len(value) != length:
                    raise Unreadable("A header of an event is cut short")
                headers[name] = value if kind == 6 else value.decode()
                at += 2 + length
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Unreadable("The headers of an event are damaged") from error
    return headers


def _instant(milliseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise Unreadable("A timestamp of an event is out of range") from error


class Format(Protocol):
    """How the payloads of events are written."""

    content_type: str

    def writer(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """Writes a payload that holds `members` of `shape`."""

    def payload_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        """Writes a payload that is one value of `shape`."""


class Frames:
    """A stream on its way out. Closing it closes the events too, be it read or not begun: a client may have gone."""

    def __init__(self, frames: AsyncGenerator[bytes, None], events: AsyncIterable[Event]) -> None:
        self._frames = frames
        self._events = events

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._frames)

    async def aclose(self) -> None:
        """Write no more, and let the events go."""
        await self._frames.aclose()
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()


class EventWriter:
    """Writes the events of one stream of the model."""

    def __init__(self, stream: Shape, format_: Format) -> None:
        content_type = format_.content_type if format_.content_type != "application/xml" else "text/xml"
        self._writers = {
            name: _event_writer(name, shape, format_, content_type) for name, shape in stream.members.items()
        }
        self._exceptions = {name: shape for name, shape in stream.members.items() if shape.has("exception")}

    def frames(self, events: AsyncIterable[Event], first: bytes = b"") -> Frames:
        """The frames of `events` after `first`. An AwsError that the iterator raises ends the stream as AWS ends it."""
        return Frames(self._written(events, first), events)

    async def _written(self, events: AsyncIterable[Event], first: bytes) -> AsyncGenerator[bytes, None]:
        if first:
            yield first
        try:
            async for event in events:
                ((name, value),) = event.items()
                yield pack(self._writers[name](value))
        except AwsError as error:
            yield pack(self._failure(error))

    def _failure(self, error: AwsError) -> Message:
        shape = self._exceptions.get(error.code)
        if shape is None:
            return Message({":message-type": "error", ":error-code": error.code, ":error-message": error.message})
        key = "Message" if "Message" in shape.members else "message"
        return self._writers[error.code]({key: error.message, **error.members})


def initial_response(payload: bytes, content_type: str) -> bytes:
    """The frame in which the RPC protocols send the members beside the stream."""
    headers = {":message-type": "event", ":event-type": "initial-response", ":content-type": content_type}
    return pack(Message(headers, payload))


def _event_writer(name: str, shape: Shape, format_: Format, content_type: str) -> Callable[[Any], Message]:
    if shape.has("exception"):
        fixed = {":message-type": "exception", ":exception-type": name}
    else:
        fixed = {":message-type": "event", ":event-type": name}
    in_headers = [key for key, member in shape.members.items() if member.has("eventheader")]
    payload = next((key for key, member in shape.members.items() if member.has("eventpayload")), None)
    if payload is None:
        members = {key: member for key, member in shape.members.items() if key not in in_headers}
        write, kind = format_.writer(shape, members), content_type if members else ""
    else:
        write, kind = _payload_writer(shape.members[payload], payload, format_, content_type)

    def write_event(value: Any) -> Message:
        headers: dict[str, HeaderValue] = dict(fixed)
        if kind:
            headers[":content-type"] = kind
        headers.update({key: value[key] for key in in_headers if value.get(key) is not None})
        inside = {key: item for key, item in value.items() if key not in in_headers}
        return Message(headers, write(inside) if kind else b"")

    return write_event


def _payload_writer(member: Shape, name: str, format_: Format, content_type: str) -> tuple[Callable[[Any], bytes], str]:
    if member.kind == "blob":
        return lambda inside: inside.get(name, b""), "application/octet-stream"
    if member.kind == "string":
        return lambda inside: inside.get(name, "").encode(), "text/plain"
    write = format_.payload_writer(member)
    return lambda inside: write(inside.get(name, {})), content_type


_PRELUDE = 12
_OVERHEAD = 16
_FIXED: Mapping[int, tuple[str, Callable[..., HeaderValue]]] = {
    0: ("", lambda: True),
    1: ("", lambda: False),
    2: (">b", int),
    3: (">h", int),
    4: (">i", int),
    5: (">q", int),
    8: (">q", _instant),
    9: (">16s", lambda raw: UUID(bytes=raw)),
}
