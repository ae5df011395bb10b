"""The tracing header: what of it is kept, and how a chain of requests that comes round is noticed."""

from __future__ import annotations

import re
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import limits
from lambent.kernel.ids import SeededIds
from lambent.services.lambda_.rules import traces

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01];Lineage=\d+:[0-9a-f]{8}:\d+")
ROOT = "1-5759e988-bd862e3fe1be46a994272793"


def after(functions: Iterable[str], most: int = 10_000) -> int | None:
    """How many invocations of such a chain are let through; None where it goes on beyond `most`."""
    header = ""
    for count, function in enumerate(islice(functions, most)):
        trace = traces.following(header, function, SeededIds(count), 0)
        if trace.rounds >= limits.LOOP_ROUNDS:
            return count
        header = trace.header
    return None


def test_a_trace_of_its_own() -> None:
    trace = traces.following("", "arn", SeededIds(), 0x5759E988)
    assert HEADER.fullmatch(trace.header)
    assert trace.header.startswith("Root=1-5759e988-")
    assert ";Sampled=0;Lineage=1:" in trace.header
    assert trace.rounds == 0


def test_the_root_and_the_sampling_are_kept_and_the_parent_is_new() -> None:
    header = f"Parent=53995c3f42cd8ad8; Root={ROOT}; Sampled=1"
    trace = traces.following(header, "arn", SeededIds(), 0)
    assert trace.header.startswith(f"Root={ROOT};Parent=")
    assert "53995c3f42cd8ad8" not in trace.header
    assert ";Sampled=1;" in trace.header


@pytest.mark.parametrize(
    "header",
    [
        "Root=1-2-3",
        "Root=1-5759e988-bd862e3fe1be46a99427279x",
        "x" * 10_000,
        f"Root={ROOT};" + "x" * limits.TRACE_HEADER_LENGTH,
        "Root=1\nLineage=1:00000000:99",
        "",
    ],
    ids=["short", "no hex", "long", "too long", "line break", "empty"],
)
def test_what_cannot_be_read_is_not_passed_on(header: str) -> None:
    trace = traces.following(header, "arn", SeededIds(), 0)
    assert HEADER.fullmatch(trace.header)
    assert ROOT not in trace.header
    assert trace.rounds == 0


@given(some.text())
def test_no_header_does_harm(text: str) -> None:
    assert HEADER.fullmatch(traces.following(text, "arn", SeededIds(), 0).header)


def test_a_function_that_calls_itself_is_stopped_after_sixteen_invocations() -> None:
    assert after(cycle(["f"])) == limits.LOOP_ROUNDS


@pytest.mark.parametrize("length", range(2, 13))
def test_a_loop_is_stopped_whatever_its_length(length: int) -> None:
    stopped = after(cycle([f"f{number}" for number in range(length)]))
    assert stopped is not None
    assert stopped <= length * (limits.LOOP_ROUNDS + 4)


@given(some.lists(some.sampled_from("abcde"), max_size=40), some.integers(1, 6))
def test_a_loop_is_stopped_however_it_was_entered(way: list[str], length: int) -> None:
    stopped = after(chain(way, cycle([f"f{number}" for number in range(length)])), 2_000)
    assert stopped is not None


def test_a_chain_that_never_comes_round_goes_on() -> None:
    assert after(f"f{number}" for number in range(5_000)) is None


def test_the_counts_stay_in_their_bounds() -> None:
    trace = traces.following("Lineage=32767:00000000:255", "arn", SeededIds(), 0)
    assert trace.header.endswith("Lineage=32767:00000000:255")
