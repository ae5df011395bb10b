"""Freezing: who rests for a while is frozen, who works or comes back at once never is."""

from __future__ import annotations

from lambent.compute.freezer import Freezer
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock


class Resting:
    def __init__(self) -> None:
        self.history: list[str] = []

    def freeze(self) -> None:
        self.history.append("freeze")

    def thaw(self) -> None:
        self.history.append("thaw")


async def test_who_rests_is_frozen_once_and_thawed_when_there_is_work() -> None:
    clock, one = VirtualClock(), Resting()
    freezer = Freezer(clock)
    freezer.rest(one)
    await clock.advance(limits.FREEZE_AFTER_S * 3)
    assert one.history == ["freeze"]
    freezer.wake(one)
    freezer.wake(one)
    assert one.history == ["freeze", "thaw"]


async def test_who_is_used_all_the_time_is_never_frozen() -> None:
    clock, busy, idle = VirtualClock(), Resting(), Resting()
    freezer = Freezer(clock)
    freezer.rest(idle)
    for _ in range(50):
        freezer.rest(busy)
        await clock.advance(limits.FREEZE_AFTER_S / 2)
        freezer.wake(busy)
    assert busy.history == []
    assert idle.history == ["freeze"]


async def test_everybody_gets_a_turn_and_no_timer_is_left_when_all_are_frozen() -> None:
    clock = VirtualClock()
    freezer = Freezer(clock)
    many = [Resting() for _ in range(20)]
    for each in many:
        freezer.rest(each)
        await clock.advance(0.004)
    await clock.advance(limits.FREEZE_AFTER_S * 2)
    assert all(each.history == ["freeze"] for each in many)
    assert freezer._timer is None


async def test_after_the_end_nobody_is_frozen() -> None:
    clock, one = VirtualClock(), Resting()
    freezer = Freezer(clock)
    freezer.rest(one)
    freezer.close()
    await clock.advance(1)
    assert one.history == []
