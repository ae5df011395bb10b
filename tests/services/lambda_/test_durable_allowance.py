"""Bytes that many share: who comes first is served first, and nothing is lost when somebody goes away."""

from __future__ import annotations

import asyncio

import pytest

from lambent.kernel.clock import settle
from lambent.services.lambda_.durable.allowance import Allowance


class Crowd:
    """Tasks that take a part of one allowance, and hold it until they are told to go."""

    def __init__(self, size: int) -> None:
        self.allowance = Allowance(size)
        self.served: list[int] = []

    def come(self, size: int) -> tuple[asyncio.Task[None], asyncio.Event]:
        go = asyncio.Event()

        async def hold() -> None:
            async with self.allowance.held(size):
                self.served.append(size)
                await go.wait()

        return asyncio.create_task(hold()), go


async def test_a_large_one_is_not_passed_by_small_ones() -> None:
    crowd = Crowd(10)
    (_, first), (_, second), (_, third) = (crowd.come(size) for size in (6, 8, 1))
    await settle()
    assert crowd.served == [6]
    first.set()
    await settle()
    assert crowd.served == [6, 8, 1]
    second.set()
    third.set()
    await settle()


async def test_who_wants_more_than_there_is_gets_all_of_it_alone() -> None:
    crowd = Crowd(10)
    (_, first), (_, second) = (crowd.come(size) for size in (99, 1))
    await settle()
    assert crowd.served == [99]
    first.set()
    await settle()
    assert crowd.served == [99, 1]
    second.set()
    await settle()


async def test_what_is_given_back_early_serves_the_next() -> None:
    allowance = Allowance(10)
    async with allowance.held(10) as held:
        held.shrink(4)
        async with asyncio.timeout(1), allowance.held(6):
            held.shrink(7)
    async with asyncio.timeout(1), allowance.held(10):
        pass


@pytest.mark.parametrize("served", [False, True], ids=["waiting", "served"])
async def test_who_goes_away_takes_nothing_along(served: bool) -> None:
    crowd = Crowd(10)
    (holder, go), (leaver, _), (_, last) = (crowd.come(size) for size in (10, 7, 7))
    await settle()
    if served:
        go.set()
        await holder
    leaver.cancel()
    go.set()
    await settle()
    assert crowd.served[-1] == 7
    last.set()
    await settle()
    async with asyncio.timeout(1), crowd.allowance.held(10):
        pass


async def test_all_may_go_away_at_once() -> None:
    crowd = Crowd(10)
    (holder, _), (leaver, _), (last, go) = (crowd.come(size) for size in (10, 7, 4))
    await settle()
    for task in (holder, leaver):
        task.cancel()
    gone = await asyncio.gather(holder, leaver, return_exceptions=True)
    assert [type(how) for how in gone] == [asyncio.CancelledError] * 2
    assert crowd.served == [10, 4]
    go.set()
    await last
    async with asyncio.timeout(1), crowd.allowance.held(10):
        pass
