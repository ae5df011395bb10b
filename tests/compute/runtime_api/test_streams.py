"""Answers that are written as a stream: passed on as they come, held back by their reader, broken off by trailers."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.clock import settle
from tests.compute.runtime_api.harness import REQUEST_ID, RUNTIME, Bench

if TYPE_CHECKING:
    from tests.compute.runtime_api.harness import Answer, Guest

HEAD = (
    f"POST {RUNTIME}/invocation/{REQUEST_ID}/response HTTP/1.1\r\nHost: x\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
)
TRAILER = "Trailer: Lambda-Runtime-Function-Error-Type\r\nTrailer: Lambda-Runtime-Function-Error-Body\r\n"
ERROR = b'{"errorType":"Error","errorMessage":"mid"}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def begin(bench: Bench, *, streaming: bool = True, headers: str = "") -> Guest:
    guest = await bench.guest()
    await bench.running(guest, streaming=streaming)
    guest.writer.write(f"{HEAD}{headers}\r\n".encode())
    return guest


async def test_chunks_pass_while_the_function_still_writes(bench: Bench) -> None:
    guest = await begin(bench, headers="Content-Type: text/event-stream\r\n")
    assert await bench.environment.hears() == ("streaming", 1, "text/event-stream")
    sink = bench.environment.sink
    for number in range(3):
        guest.writer.write(chunk(b"%d" % number))
        await sink.written.acquire()
    guest.writer.write(b"0\r\n\r\n")
    assert await sink.over == "end"
    assert (sink.chunks, (await guest.answer()).status) == ([b"0", b"1", b"2"], 202)
    await guest.send("GET", f"{RUNTIME}/invocation/next")
    assert await bench.environment.hears() == ("waiting", 1)


async def test_a_stream_without_a_type_is_of_bytes(bench: Bench) -> None:
    await begin(bench)
    assert await bench.environment.hears() == ("streaming", 1, "application/octet-stream")


async def test_a_slow_reader_holds_the_function_back(bench: Bench) -> None:
    guest = await begin(bench)
    await bench.environment.hears()
    sink = bench.environment.sink
    sink.room.clear()
    piece, count = chunk(bytes(limits.MIB)), 64
    for _ in range(count):
        guest.writer.write(piece)
    guest.writer.write(b"0\r\n\r\n")
    await sink.written.acquire()
    await settle(2000)
    assert guest.writer.transport.get_write_buffer_size() > 40 * limits.MIB, "the rest is still with the function"
    sink.room.set()
    assert await sink.over == "end"
    assert sum(map(len, sink.chunks)) == count * limits.MIB
    assert (await guest.answer()).status == 202


async def test_trailers_break_a_stream_off(bench: Bench) -> None:
    guest = await begin(bench, headers=TRAILER)
    await bench.environment.hears()
    guest.writer.write(chunk(b"hello ") + _trailers())
    assert await bench.environment.sink.over == ("Runtime.Unknown", ERROR)
    assert bench.environment.sink.chunks == [b"hello "]
    assert (await guest.answer()).status == 202


async def test_a_stream_that_ends_early_is_truncated(bench: Bench) -> None:
    guest = await begin(bench)
    await bench.environment.hears()
    guest.writer.write(chunk(b"hello "))
    await bench.environment.sink.written.acquire()
    guest.writer.write_eof()
    kind, _ = await bench.environment.sink.over
    assert kind == "Runtime.TruncatedResponse"
    assert (await guest.answer()).error[1] == "TruncatedHTTPRequest"


async def test_what_nobody_takes_any_more_is_read_and_dropped(bench: Bench) -> None:
    guest = await begin(bench)
    await bench.environment.hears()
    bench.environment.sink.cancelled = True
    guest.writer.write(chunk(bytes(limits.MIB)) + b"0\r\n\r\n")
    assert await bench.environment.sink.over == "end"
    assert (bench.environment.sink.chunks, (await guest.answer()).status) == ([], 202)


async def test_a_stream_for_a_caller_who_wants_it_whole_is_gathered(bench: Bench) -> None:
    answer = await _gather(bench, chunk(b"one ") + chunk(b"two") + b"0\r\n\r\n")
    assert (answer.status, await bench.environment.hears()) == (202, ("answered", 1, b"one two"))


async def test_a_gathered_stream_may_fail_too(bench: Bench) -> None:
    answer = await _gather(bench, chunk(b"one ") + _trailers("Function.Broken"), TRAILER)
    assert (answer.status, await bench.environment.hears()) == (202, ("failed", 1, ERROR, "Function.Broken"))


async def test_a_gathered_stream_has_the_limit_of_an_answer(bench: Bench) -> None:
    answer = await _gather(bench, chunk(bytes(limits.MIB)) * 7 + b"0\r\n\r\n")
    assert (answer.status, await bench.environment.hears()) == (413, ("too_large", 1))


async def test_closing_in_the_middle_of_a_stream_tells_nobody(bench: Bench) -> None:
    guest = await begin(bench)
    await bench.environment.hears()
    bench.environment.sink.room.clear()
    guest.writer.write(chunk(b"hello "))
    await bench.environment.sink.written.acquire()
    bench.api.close()
    await settle()
    assert not bench.environment.sink.over.done()


def _trailers(kind: str = "Error") -> bytes:
    return b"0\r\nLambda-Runtime-Function-Error-Type: %b\r\nLambda-Runtime-Function-Error-Body: %b\r\n\r\n" % (
        kind.encode(),
        b64encode(ERROR),
    )


async def _gather(bench: Bench, body: bytes, headers: str = "") -> Answer:
    guest = await begin(bench, streaming=False, headers=headers)
    guest.writer.write(body)
    return await guest.answer()
