"""Foresight: images in use have cells ahead, forgotten ones have none, and nothing ticks for nobody."""

from __future__ import annotations

from lambent.compute.foresight import Foresight
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox.api import Image
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock

ONE, OTHER = (Image(Runtime(name, "1")) for name in ("provided.al2", "provided.al2023"))


class Told:
    def __init__(self) -> None:
        self.orders: list[tuple[Image, int]] = []

    def foresee(self, image: Image, count: int) -> None:
        self.orders.append((image, count))


async def test_an_image_in_use_is_foreseen_once_and_forgotten_after_a_while() -> None:
    told, clock = Told(), VirtualClock()
    foresight = Foresight(told, clock, 600.0)  # type: ignore[arg-type]
    foresight.used(ONE)
    foresight.used(OTHER)
    await clock.advance(500)
    foresight.used(ONE)
    assert told.orders == [(ONE, limits.CELLS_AHEAD), (OTHER, limits.CELLS_AHEAD)]
    await clock.advance(500)
    assert told.orders[2:] == [(OTHER, 0)]
    await clock.advance(500)
    assert told.orders[3:] == [(ONE, 0)]
    assert foresight._timer is None


async def test_after_the_end_nothing_is_foreseen() -> None:
    told, clock = Told(), VirtualClock()
    foresight = Foresight(told, clock, 600.0)  # type: ignore[arg-type]
    foresight.used(ONE)
    foresight.close()
    await clock.advance(10_000)
    assert told.orders == [(ONE, limits.CELLS_AHEAD)]
