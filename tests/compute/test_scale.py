"""The scaling rate as a bucket, and the turns that functions take."""

from __future__ import annotations

from lambent.compute.scale import ScalingRate, Turns, starts_at_once
from lambent.kernel.clock import VirtualClock


async def test_the_rate_is_refilled_continuously_and_never_saved_up() -> None:
    clock = VirtualClock()
    rate = ScalingRate(clock, 1_000, 10.0)
    await clock.advance(3_600.0)
    assert sum(rate.take() for _ in range(1_500)) == 1_000
    await clock.advance(0.5)
    assert sum(rate.take() for _ in range(100)) == 50
    assert not rate.full
    await clock.advance(10.0)
    assert rate.full


async def test_what_is_given_back_can_be_taken_again_but_not_more() -> None:
    rate = ScalingRate(VirtualClock(), 2, 10.0)
    assert rate.take()
    rate.give_back()
    rate.give_back()
    assert [rate.take() for _ in range(3)] == [True, True, False]


def test_owners_take_turns_and_so_do_the_items_of_each() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a1", "a3", "b1"):
        turns.add(item[0], item)
    taken = [turns.take(), turns.take()]
    turns.add("b", "b1")
    assert [*taken, turns.take(), turns.take(), turns.take(), turns.take()] == ["a1", "b1", "a2", "b1", "a3", None]


def test_every_machine_has_some_starts_and_larger_ones_have_more() -> None:
    assert [starts_at_once(cores) for cores in (1, 2, 16)] == [4, 4, 32]
