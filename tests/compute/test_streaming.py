"""Streamed responses: back-pressure, ends, callers who leave, limits, and what metrics learn."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.compute.streaming import Ending, Stream
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle


class Owner:
    """An environment, as far as a stream knows it."""

    def __init__(self) -> None:
        self.over: list[Stream] = []
        self.clock = VirtualClock()

    def stream(self, content_type: str = "text/plain") -> Stream:
        return Stream(self.clock, self.over.append, content_type)


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def read(stream: Stream) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def test_chunks_arrive_while_the_function_still_writes(owner: Owner) -> None:
    stream = owner.stream()
    await stream.write(b"one")
    assert await anext(stream) == b"one"
    waiting = asyncio.ensure_future(anext(stream))
    await settle()
    assert not waiting.done()
    await stream.write(b"two")
    assert await waiting == b"two"
    stream.end()
    assert await read(stream) == b""
    assert owner.over == [stream]


async def test_the_function_is_held_back_while_nobody_reads(owner: Owner) -> None:
    stream = owner.stream()
    await stream.write(bytes(limits.STREAM_BUFFER_BYTES))
    writing = asyncio.ensure_future(stream.write(b"more"))
    await settle()
    assert not writing.done()
    assert await anext(stream) == bytes(limits.STREAM_BUFFER_BYTES) + b"more"
    await writing


@given(st.lists(st.binary(max_size=limits.STREAM_BUFFER_BYTES // 2), max_size=20))
def test_all_bytes_come_in_order_and_never_too_many_wait(chunks: list[bytes]) -> None:
    async def run() -> None:
        stream = Owner().stream()
        largest = max(map(len, chunks), default=0)

        async def write() -> None:
            for chunk in chunks:
                await stream.write(chunk)
                assert len(stream._unread) <= limits.STREAM_BUFFER_BYTES
            stream.end()

        writing = asyncio.ensure_future(write())
        received = b""
        async for chunk in stream:
            assert len(chunk) <= limits.STREAM_BUFFER_BYTES + largest
            received += chunk
        await writing
        assert received == b"".join(chunks)
        assert stream.size == len(received)

    asyncio.run(run())


async def test_the_ending_comes_when_the_invocation_is_over(owner: Owner) -> None:
    stream = owner.stream()
    await stream.write(b"all")
    stream.end()
    assert await read(stream) == b"all"
    ending = asyncio.ensure_future(stream.ending())
    await settle()
    assert not ending.done()
    stream.complete(b"REPORT")
    assert await ending == Ending(log_tail=b"REPORT")


async def test_a_failure_ends_the_stream_behind_what_was_written(owner: Owner) -> None:
    stream = owner.stream()
    await stream.write(b"half")
    stream.fail("Oops", b'{"errorType":"Oops"}')
    stream.end()
    stream.fail("Later", b"{}")
    stream.complete()
    assert await read(stream) == b"half"
    assert await stream.ending() == Ending(error=b'{"errorType":"Oops"}')
    assert stream.error_type == "Oops"
    assert owner.over == [stream]


async def test_a_timeout_frees_a_function_that_is_held_back(owner: Owner) -> None:
    stream = owner.stream()
    writing = asyncio.ensure_future(stream.write(bytes(limits.STREAM_BUFFER_BYTES + 1)))
    await settle()
    stream.fail("Sandbox.Timedout", b"{}")
    await writing
    await stream.write(b"dropped")
    assert len(await read(stream)) == limits.STREAM_BUFFER_BYTES + 1


async def test_a_caller_who_leaves_does_not_stop_the_function(owner: Owner) -> None:
    stream = owner.stream()
    writing = asyncio.ensure_future(stream.write(bytes(limits.STREAM_BUFFER_BYTES + 1)))
    await settle()
    assert not stream.cancelled
    stream.cancel()
    await writing
    assert stream.cancelled
    for _ in range(3):
        await stream.write(bytes(limits.STREAM_BUFFER_BYTES))
    assert not stream._unread
    stream.end()
    stream.cancel()
    assert stream.size == 4 * limits.STREAM_BUFFER_BYTES + 1
    assert stream.error_type is None


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_stream_over_the_limit_fails(owner: Owner, cancelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_BYTES", 10)
    stream = owner.stream()
    if cancelled:
        stream.cancel()
    await stream.write(b"0123456789")
    assert not owner.over
    await stream.write(b"!")
    assert owner.over == [stream]
    stream.complete()
    assert stream.error_type == "Function.ResponseSizeTooLarge"
    error = json.loads((await stream.ending()).error or b"")
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "(10 bytes)" in error["errorMessage"]
    assert await read(stream) == (b"" if cancelled else b"0123456789")


async def test_metrics_learn_when_the_first_and_the_last_byte_came(owner: Owner) -> None:
    stream = owner.stream()
    await owner.clock.advance(1)
    await stream.write(b"")
    assert stream.first is None
    await stream.write(b"a")
    await owner.clock.advance(2)
    await stream.write(b"b")
    assert stream.last is None
    stream.end()
    assert (stream.first, stream.last, stream.size) == (1, 3, 2)
