"""The framed log descriptor: however its bytes are cut, whatever stands between them."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.compute.telemetry import frames
from lambent.compute.telemetry.frames import Frame, Frames
from lambent.compute.telemetry.levels import Level

TEXT, JSON = 0xA55A0003, 0xA55A0002


def frame(kind: int, text: bytes, microseconds: int = 1_700_000_000_500_000) -> bytes:
    return struct.pack(">IIQ", kind, len(text), microseconds) + text


def parsed(*pieces: bytes) -> list[Frame]:
    parser = Frames()
    for piece in pieces:
        parser.feed(piece)
    parser.end()
    return parser.take()


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (0xA55A0003, None),
        (0xA55A0002, None),
        (0xA55A0007, Level.TRACE),
        (0xA55A000B, Level.DEBUG),
        (0xA55A000E, Level.INFO),
        (0xA55A000F, Level.INFO),
        (0xA55A0012, Level.WARN),
        (0xA55A0016, Level.ERROR),
        (0xA55A001A, Level.FATAL),
        (0xA55A001B, Level.FATAL),
    ],
)
def test_a_frame_has_its_level_and_its_time(kind: int, level: Level | None) -> None:
    assert parsed(frame(kind, "zwei\nZeilen ü".encode())) == [Frame("zwei\nZeilen ü", level, 1_700_000_000.5)]


@pytest.mark.parametrize("kind", [0xA55A0000, 0xA55A0001, 0xA55A001F, 0xA55A00FE], ids=hex)
def test_an_unknown_type_is_text_that_strayed_in(kind: int) -> None:
    stray, good = parsed(frame(kind, b"what"), frame(TEXT, b"good"))
    assert stray.text.endswith("what")
    assert (stray.level, stray.time) == (None, None)
    assert good.text == "good"


def test_stray_bytes_before_between_and_behind_become_messages() -> None:
    found = parsed(b"before" + frame(TEXT, b"a") + b"between\xa5\x5a" + frame(JSON, b"{}") + b"behind\xa5")
    assert [one.text for one in found] == ["before", "a", "between\ufffdZ", "{}", "behind\ufffd"]


def test_an_empty_message_is_one() -> None:
    assert [one.text for one in parsed(frame(TEXT, b"") + frame(TEXT, b"x"))] == ["", "x"]


def test_what_is_there_of_a_broken_frame_is_kept() -> None:
    assert [one.text for one in parsed(frame(TEXT, b"whole"), frame(TEXT, b"broken off")[:-4])] == ["whole", "broken"]


def test_a_frame_that_is_whole_is_given_at_once() -> None:
    parser = Frames()
    parser.feed(frame(TEXT, b"a") + frame(TEXT, b"b")[:10])
    assert [one.text for one in parser.take()] == ["a"]
    assert parser.take() == []


def test_a_long_message_is_cut_and_nothing_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames.limits, "LOG_LINE_BYTES", 100)
    parser = Frames()
    data = struct.pack(">IIQ", TEXT, 1_000_000, 0)
    parser.feed(data)
    for _ in range(1000):
        parser.feed(b"x" * 1000)
        assert len(parser._data) <= 1000
    parser.feed(frame(TEXT, b"next"))
    assert [len(one.text) for one in parser.take()] == [100, 4]


def test_endless_garbage_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames.limits, "LOG_LINE_BYTES", 100)
    parser = Frames()
    for _ in range(100):
        parser.feed(b"\xa5\x5a\x00garbage" * 10)
        assert len(parser._data) + len(parser._stray) < 200
    assert sum(len(one.text.encode("utf-8")) for one in parser.take()) >= 9_000


PIECES = st.lists(
    st.one_of(
        st.builds(
            frame,
            st.sampled_from([TEXT, JSON, TEXT | 12, JSON | 24, 0xA55A00FF]),
            st.binary(max_size=40),
            st.integers(0, 2**64 - 1),
        ),
        st.binary(max_size=12),
        st.sampled_from([b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x00", b"\xa5\x5a\x00\x03"]),
    ),
    max_size=8,
)


@given(PIECES, st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_gives_the_same_messages(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert parsed(*(data[a:b] for a, b in pairwise(places))) == parsed(data)


@given(st.lists(st.tuples(st.sampled_from([TEXT, JSON | 16]), st.text(max_size=30)), max_size=10))
def test_frames_alone_come_out_as_they_went_in(messages: list[tuple[int, str]]) -> None:
    found = parsed(b"".join(frame(kind, text.encode()) for kind, text in messages))
    assert [one.text for one in found] == [text for _, text in messages]
