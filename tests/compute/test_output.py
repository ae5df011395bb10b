"""Cutting output into messages: the same whatever the pieces it arrives in, and nothing forged or torn."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.compute.channel import secret
from lambent.compute.output import Output
from lambent.kernel import limits
from lambent.kernel.ids import SeededIds

SECRET = b"0123456789abcdef"


def frame(kind: bytes, body: bytes) -> bytes:
    return SECRET + kind + len(body).to_bytes(2, "big") + body


@given(seed=st.integers(), text=st.text(st.characters(exclude_characters="\r\n", codec="utf-8")))
def test_a_line_is_a_message_at_once_whatever_the_secret(seed: int, text: str) -> None:
    output = Output(secret(SeededIds(seed)))
    output.feed(f"{text}\n".encode())
    assert output.take() == [f"{text}\n"]


PIECES = st.one_of(
    st.text(st.characters(exclude_characters="\r", codec="utf-8")).map(str.encode),
    st.binary(max_size=30).map(lambda text: text.replace(b"\r", b"")),
    st.sampled_from([b"\n", SECRET[:15], SECRET[:1], b"0" * 20, b"M", b"L\0\1"]),
    st.text(max_size=50).map(lambda text: frame(b"L", text.encode("utf-8", "replace"))),
)


@given(pieces=st.lists(PIECES), cuts=st.lists(st.integers(0, 400)))
def test_messages_do_not_depend_on_where_reads_cut(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    whole = Output(SECRET)
    whole.feed(data)
    whole.end()
    parts, start = Output(SECRET), 0
    for cut in sorted(cuts):
        parts.feed(data[start:cut])
        start = max(start, min(cut, len(data)))
    parts.feed(data[start:])
    parts.end()
    assert parts.take() == whole.take()


@given(lines=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"))))
def test_every_line_is_one_message(lines: list[str]) -> None:
    output = Output(SECRET)
    output.feed("".join(line + "\n" for line in lines).encode())
    assert output.take() == [line + "\n" for line in lines]


def test_a_frame_does_not_break_the_line_it_falls_into() -> None:
    output = Output(SECRET)
    output.feed(b"one" + frame(b"L", b"framed\nlines") + b" line\n")
    assert output.take() == ["framed\nlines", "one line\n"]


def test_a_message_in_several_frames_is_one() -> None:
    output = Output(SECRET)
    output.feed(frame(b"l", "é".encode()[:1]) + b"between\n" + frame(b"L", "é".encode()[1:]))
    assert output.take() == ["between\n", "é"]


@pytest.mark.parametrize("pieces", [1, 7])
def test_no_message_is_longer_than_the_limit(pieces: int) -> None:
    output = Output(SECRET)
    data = b"x" * (2 * limits.LOG_LINE_BYTES + 5) + b"\nnext\n"
    size = len(data) // pieces + 1
    for start in range(0, len(data), size):
        output.feed(data[start : start + size])
    full = limits.LOG_LINE_BYTES
    assert [len(message) for message in output.take()] == [full, full, len("xxxxx\n"), len("next\n")]


def test_a_carriage_return_stands_for_a_line_break_within_the_message() -> None:
    output = Output(SECRET)
    output.feed(b"a\rb\r\n")
    assert output.take() == ["a\nb\n"]


def test_what_is_behind_the_mark_waits() -> None:
    output = Output(SECRET)
    output.feed(b"before\nhalf" + frame(b"M", (7).to_bytes(4, "big")) + b"behind\n")
    assert output.mark == 7
    assert output.take() == ["before\n", "half\n"]
    assert output.take() == []
    output.pass_mark()
    assert output.take() == ["behind\n"]


def test_too_much_behind_the_mark_does_not_wait_and_keeps_its_order() -> None:
    output = Output(SECRET)
    output.feed(b"before\n" + frame(b"M", (7).to_bytes(4, "big")))
    lines = [f"{number:07}\n" for number in range(limits.OUTPUT_BEHIND_BYTES // 8 + 1)]
    for line in lines[:-1]:
        output.feed(line.encode())
    assert output.take() == ["before\n"]
    output.feed(lines[-1].encode())
    assert output.take() == lines
    output.feed(b"now\n")
    assert output.take() == ["now\n"]


def test_parts_that_hold_nothing_cost_nothing() -> None:
    output = Output(SECRET)
    parts = frame(b"l", b"") * 1000
    tracemalloc.start()
    for _ in range(100):
        output.feed(parts)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < len(parts)
    output.feed(frame(b"L", b"whole"))
    assert output.take() == ["whole"]


def test_endless_lines_and_frames_are_cut_and_held_to_a_limit() -> None:
    output = Output(SECRET)
    for _ in range(20):
        output.feed(b"x" * limits.LOG_LINE_BYTES)
        output.feed(frame(b"l", b"y" * 4000) * 60)
    output.end()
    assert max(map(len, output.take())) <= limits.LOG_LINE_BYTES + 1


def test_bytes_that_are_no_text_are_replaced() -> None:
    output = Output(SECRET)
    output.feed(b"\xff\xfe ok\n")
    assert output.take() == ["\ufffd\ufffd ok\n"]
