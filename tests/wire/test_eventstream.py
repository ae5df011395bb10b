"""Event streams: frames that the botocore client reads, and the ends that a stream can come to."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from lambent.kernel.errors import AwsError
from lambent.wire.eventstream import CONTENT_TYPE, Message, pack, unpack
from lambent.wire.models import Models
from lambent.wire.scalars import EPOCH, Unreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.wire.http import HttpResponse

values = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(max_size=100),
    st.text(max_size=100),
    st.uuids(),
    st.integers(0, 1 << 47).map(lambda milliseconds: EPOCH + timedelta(milliseconds=milliseconds)),
)
messages = st.builds(
    Message,
    st.dictionaries(st.text("abc:-é", min_size=1, max_size=20), values, max_size=5),
    st.binary(max_size=300),
)


@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_frames_are_read_back_however_they_are_cut(sent: list[Message], size: int) -> None:
    data = b"".join(map(pack, sent))
    buffer, found = bytearray(), []
    for at in range(0, len(data), size):
        buffer += data[at : at + size]
        found += unpack(buffer)
    assert found == sent
    assert not buffer


@given(messages)
def test_botocore_reads_our_frames(message: Message) -> None:
    reader = EventStreamBuffer()
    reader.add_data(pack(message))
    (read,) = reader
    assert read.payload == message.payload
    for name, value in message.headers.items():
        if isinstance(value, datetime):
            value = (value - EPOCH) // timedelta(milliseconds=1)
        if isinstance(value, UUID):
            value = value.bytes
        assert read.headers[name] == value


@given(messages, st.data())
def test_a_damaged_frame_is_noticed(message: Message, data: st.DataObject) -> None:
    frame = bytearray(pack(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unreadable):
        assert list(unpack(frame)) == []
        raise Unreadable("a frame whose length has grown is never complete")


@given(st.binary(max_size=200))
def test_rubbish_with_right_checksums_is_refused(headers: bytes) -> None:
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    frame += struct.pack(">I", zlib.crc32(frame))
    try:
        (message,) = unpack(bytearray(frame))
    except Unreadable:
        return
    assert pack(Message(message.headers, b""))


async def chunks(*parts: bytes) -> AsyncIterator[dict[str, Any]]:
    for part in parts:
        yield {"PayloadChunk": {"Payload": part}}
    yield {"InvokeComplete": {"ErrorCode": "Unhandled", "LogResult": "bG9n"}}


async def read(response: HttpResponse) -> list[Message]:
    assert not isinstance(response.body, bytes)
    buffer = bytearray(b"".join([chunk async for chunk in response.body]))
    return list(unpack(buffer))


async def test_a_streamed_invoke() -> None:
    codec = Models().codec("lambda", "InvokeWithResponseStream")
    output = {"StatusCode": 200, "ExecutedVersion": "1", "ResponseStreamContentType": "text/html"}
    response = codec.encode({**output, "EventStream": chunks(b"one", b"\xff")}, "id")
    assert response.status == 200
    assert ("Content-Type", CONTENT_TYPE) in response.headers
    first, second, last = await read(response)
    assert first == Message(
        {":message-type": "event", ":event-type": "PayloadChunk", ":content-type": "application/octet-stream"}, b"one"
    )
    assert second.payload == b"\xff"
    assert last.headers == {
        ":message-type": "event",
        ":event-type": "InvokeComplete",
        ":content-type": "application/json",
    }
    assert last.payload == b'{"ErrorCode":"Unhandled","LogResult":"bG9n"}'


async def live_tail(error: AwsError) -> AsyncIterator[dict[str, Any]]:
    yield {"sessionStart": {"requestId": "r", "sessionId": "s"}}
    raise error


async def test_an_rpc_stream_starts_with_an_initial_response() -> None:
    error = AwsError("SessionTimeoutException", "too long")
    response = Models().codec("logs", "StartLiveTail").encode({"responseStream": live_tail(error)}, "id")
    first, start, end = await read(response)
    assert first.headers[":event-type"] == "initial-response"
    assert first.payload == b"{}"
    assert start.payload == b'{"requestId":"r","sessionId":"s"}'
    assert end.headers[":message-type"] == "exception"
    assert end.headers[":exception-type"] == "SessionTimeoutException"
    assert end.payload == b'{"message":"too long"}'


async def test_an_error_that_the_stream_does_not_know_ends_it_too() -> None:
    response = (
        Models().codec("logs", "StartLiveTail").encode({"responseStream": live_tail(AwsError("Odd", "so"))}, "id")
    )
    *_, end = await read(response)
    assert end.headers == {":message-type": "error", ":error-code": "Odd", ":error-message": "so"}


async def test_a_bug_breaks_the_stream_off() -> None:
    async def events() -> AsyncIterator[dict[str, Any]]:
        yield {"sessionStart": {}}
        raise ZeroDivisionError

    response = Models().codec("logs", "StartLiveTail").encode({"responseStream": events()}, "id")
    with pytest.raises(ZeroDivisionError):
        await read(response)


class Watched:
    """Events that tell whether they were let go."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> Watched:
        return self

    async def __anext__(self) -> dict[str, Any]:
        return {"PayloadChunk": {"Payload": b"more"}}

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stream_that_is_not_read_to_its_end_lets_its_events_go(begun: bool) -> None:
    events = Watched()
    response = Models().codec("lambda", "InvokeWithResponseStream").encode({"EventStream": events}, "id")
    body: Any = response.body
    if begun:
        await anext(body)
    await body.aclose()
    assert events.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_an_rpc_stream_in_cbor_names_its_protocol() -> None:
    codec = Models().codec("logs", "StartLiveTail", "smithy-rpc-v2-cbor")
    response = codec.encode({"responseStream": live_tail(AwsError("Odd", "so"))}, "id")
    assert ("smithy-protocol", "rpc-v2-cbor") in response.headers
    first, *_ = await read(response)
    assert first.headers[":content-type"] == "application/cbor"
