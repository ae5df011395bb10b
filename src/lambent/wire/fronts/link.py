"""The link between the server and a front: messages over a stream socket that nobody else has an end of.

What is written within one turn of the loop leaves in one system call, and so it arrives: under load, many calls share
what the crossing costs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

M = TypeVar("M")

_LENGTH_BYTES = 4


class Link(asyncio.Protocol, Generic[M]):
    """One end of a link. `heard` is told each message of type `kind`, `lost` once that there will be no more."""

    def __init__(self, kind: Any, heard: Callable[[M], None], lost: Callable[[], None]) -> None:
        self._decode: Callable[[bytes], M] = msgspec.msgpack.Decoder(kind).decode
        self._encode_into = msgspec.msgpack.Encoder().encode_into
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = _LENGTH_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def connection_lost(self, _exception: Exception | None) -> None:
        self._transport = None
        self._pieces.clear()
        self._lost()

    def data_received(self, data: bytes) -> None:
        if self._pieces or len(data) < self._wanted:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._wanted:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        rest = self._messages(data)
        if rest:
            self._pieces.append(rest)
            self._size = len(rest)

    def send(self, message: object) -> None:
        """Send `message`; nothing happens where the other end is gone."""
        if self._transport is not None:
            frame = bytearray(_LENGTH_BYTES)
            self._encode_into(message, frame, _LENGTH_BYTES)
            frame[:_LENGTH_BYTES] = (len(frame) - _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "big")
            self._transport.write(frame)

    def close(self) -> None:
        """Hang up at once: the other end may have stopped reading, and would be waited for. Harmless twice."""
        if self._transport is not None:
            self._transport.abort()

    def _messages(self, data: bytes) -> bytes:
        """Tell the whole messages in `data`; returns what has begun after them, and notes how much it will be."""
        start, size = 0, len(data)
        while size - start >= _LENGTH_BYTES:
            body = start + _LENGTH_BYTES
            end = body + int.from_bytes(data[start:body], "big")
            if end - body > limits.FRONT_MESSAGE_BYTES:
                raise ValueError(f"a message of {end - body} bytes over a link")
            if end > size:
                self._wanted = end - start
                return data[start:]
            self._heard(self._decode(data[body:end]))
            start = end
        self._wanted = _LENGTH_BYTES
        return data[start:]
