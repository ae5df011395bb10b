"""Chunks, sweeps, positions and pages: pure logic, against the plain way of doing the same."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent
from lambent.services.logs.records import Chunk
from lambent.services.logs.rules.chunks import Event, pack, size_of, sweep, unpack
from lambent.services.logs.rules.pages import cut
from lambent.services.logs.rules.positions import BadToken, Window, event_id, position, read_token, timestamp_of, token

HOUR = limits.LOG_CHUNK_SPAN_MS
EVENTS = st.lists(st.builds(LogEvent, st.integers(0, 5 * HOUR), st.text(max_size=5)), max_size=30)


def stored(streams: list[list[LogEvent]]) -> list[Chunk]:
    packed = [(f"s{number}", chunk) for number, events in enumerate(streams) for chunk in pack(events)]
    return [
        Chunk(number, stream, chunk.first_event_ms, chunk.last_event_ms, 7, chunk.data)
        for number, (stream, chunk) in enumerate(packed, start=1)
    ]


@given(EVENTS)
def test_packing_keeps_every_event_in_order(events: list[LogEvent]) -> None:
    chunks = pack(events)
    unpacked = [unpack(chunk.data) for chunk in chunks]
    again = [pair for one in unpacked for pair in zip(one.timestamps, one.messages, strict=True)]
    assert again == sorted(((event.timestamp, event.message) for event in events), key=lambda pair: pair[0])
    assert sum(chunk.size for chunk in chunks) == sum(size_of(event.message) for event in events)
    for chunk, one in zip(chunks, unpacked, strict=True):
        assert (chunk.first_event_ms, chunk.last_event_ms) == (one.timestamps[0], one.timestamps[-1])
        assert chunk.last_event_ms - chunk.first_event_ms <= HOUR


def test_a_chunk_stays_small_unless_one_event_is_large() -> None:
    big = "x" * (limits.LOG_CHUNK_BYTES + 1)
    sizes = [chunk.size for chunk in pack([LogEvent(1, "y" * 100_000)] * 6 + [LogEvent(2, big)])]
    assert max(sizes[:-1]) <= limits.LOG_CHUNK_BYTES
    assert sizes[-1] == len(big) + 26


def test_an_event_counts_its_bytes_in_utf8_plus_26() -> None:
    assert size_of("abc") == 29
    assert size_of("日本") == 32


def test_half_a_surrogate_pair_is_stored_as_a_question_mark() -> None:
    (chunk,) = pack([LogEvent(1, "a\ud800b")])
    assert unpack(chunk.data).messages == ["a?b"]


def test_repeating_text_is_compressed() -> None:
    (chunk,) = pack([LogEvent(number, "the same line again") for number in range(1000)])
    assert len(chunk.data) < chunk.size / 5
    assert zlib.decompress(chunk.data[1:])


@given(st.lists(EVENTS, max_size=4), st.integers(0, 5 * HOUR), st.integers(0, 5 * HOUR), st.booleans())
def test_a_sweep_gives_what_sorting_would(streams: list[list[LogEvent]], one: int, two: int, backward: bool) -> None:
    chunks = stored(streams)
    window = Window.of_times(min(one, two), max(one, two))
    if backward:
        chunks.sort(key=lambda chunk: (chunk.last_event_ms, chunk.id), reverse=True)
    else:
        chunks.sort(key=lambda chunk: (chunk.first_event_ms, chunk.id))
    expected = sorted(
        (
            Event(position(timestamp, chunk.id, index), timestamp, message, chunk.stream, 7)
            for chunk in chunks
            for index, (timestamp, message) in enumerate(zip(*unpack_columns(chunk), strict=True))
            if min(one, two) <= timestamp <= max(one, two)
        ),
        reverse=backward,
    )
    assert list(sweep(chunks, window, backward=backward)) == expected


def unpack_columns(chunk: Chunk) -> tuple[list[int], list[str]]:
    columns = unpack(chunk.data)
    return columns.timestamps, columns.messages


def test_a_sweep_that_is_left_early_has_opened_little() -> None:
    asked = []

    def source() -> object:
        for chunk in stored([[LogEvent(number * HOUR, "x")] for number in range(1, 9)]):
            asked.append(chunk.id)
            yield chunk

    events = sweep(source(), Window(), backward=False)  # type: ignore[arg-type]
    assert next(events).timestamp == HOUR
    assert len(asked) == 2


@given(st.integers(0, 2**41), st.integers(0, 2**40), st.integers(0, 10_000))
def test_a_position_orders_by_time_then_chunk_then_place(timestamp: int, chunk: int, index: int) -> None:
    place = position(timestamp, chunk, index)
    assert timestamp_of(place) == timestamp
    assert place < position(timestamp, chunk, index + 1) < position(timestamp, chunk + 1, 0)
    assert position(timestamp, chunk + 1, index) < position(timestamp + 1, 0, 0)
    assert read_token(token("f", place)) == ("f", place)
    assert len(event_id(place)) == 56


@pytest.mark.parametrize(
    "text", ["", "x", "f/1", "f/x/s", "n/00/s", "f/-1/s", "f/\uff11/s", "f/" + "9" * 80 + "/s", "f/" + "9" * 64 + "/s"]
)
def test_a_token_that_was_not_given_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        read_token(text)


def events_of(sizes: list[int]) -> list[Event]:
    return [Event(number, number, "x" * size, "s", 0) for number, size in enumerate(sizes, start=1)]


def test_a_page_holds_at_most_its_limit() -> None:
    page = cut(iter(events_of([1] * 10)), 3)
    assert [event.position for event in page.events] == [1, 2, 3]
    assert page.stopped_at == 3


def test_a_page_that_has_all_says_so() -> None:
    assert cut(iter(events_of([1] * 3)), 3).stopped_at is None
    assert cut(iter(()), 3).stopped_at is None


def test_a_page_holds_at_most_a_megabyte() -> None:
    page = cut(iter(events_of([400_000] * 5)), 10_000)
    assert len(page.events) == 2
    assert page.stopped_at == 2


def test_one_event_of_a_megabyte_is_a_page() -> None:
    page = cut(iter(events_of([limits.LOG_PAGE_BYTES + 1] * 2)), 10)
    assert len(page.events) == 1
    assert page.stopped_at == 1


def test_a_search_without_a_match_ends_after_bounded_work() -> None:
    page = cut((Event(number, number, "x", "s", 0) for number in range(1, 10**9)), 10, lambda _message: False)
    assert page.events == []
    assert page.stopped_at == limits.LOG_SCAN_EVENTS


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 5))
def test_pages_together_are_all_that_matches(sizes: list[int], limit: int) -> None:
    events = events_of(sizes)
    seen: list[Event] = []
    place: int | None = 0
    while place is not None:
        after = place
        page = cut((event for event in events if event.position > after), limit, lambda message: len(message) > 1)
        seen += page.events
        place = page.stopped_at
    assert seen == [event for event in events if len(event.message) > 1]
