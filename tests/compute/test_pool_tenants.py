"""Tenants: each has environments of its own, however many there are and whoever is in a hurry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compute.stage import Stage, version
from tests.compute.test_pool_limits import ACCOUNT, RESERVED, answers

if TYPE_CHECKING:
    import asyncio

TENANTS = ("blue", "green", "red")


async def test_two_tenants_never_meet_in_one_environment() -> None:
    stage = Stage()
    first = await answers(stage, stage.start(version(), tenant="blue"))
    second = await answers(stage, stage.start(version(), tenant="green"))
    assert first == second == ["answered"]
    assert [actor.tenants for _, actor in stage.ran] == [{"blue"}, {"green"}]
    await stage.close()


async def test_a_tenant_meets_its_own_environment_again() -> None:
    stage = Stage()
    for tenant in ("blue", "green", "blue", "green"):
        stage.start(version(), tenant=tenant)
        await stage.clock.advance(2.0)
    blue, green, *again = [actor for _, actor in stage.ran]
    assert again == [blue, green]
    await stage.close()


async def test_who_waits_for_a_start_is_not_given_what_another_tenant_has_left() -> None:
    stage = Stage(starts=1)
    stage.start(version(), 0.1, tenant="blue")
    stage.start(version(), 0.1, tenant="green")
    await stage.clock.advance(5.0)
    assert {frozenset(actor.tenants) for _, actor in stage.ran} == {frozenset({"blue"}), frozenset({"green"})}
    await stage.close()


async def test_a_change_of_the_function_retires_the_environments_of_every_tenant() -> None:
    stage = Stage()
    for tenant in TENANTS:
        stage.start(version(), tenant=tenant)
    await stage.clock.advance(2.0)
    assert len(stage.living) == len(TENANTS)
    stage.pool.retire(version().arn)
    await stage.clock.advance(2.0)
    assert stage.living == []
    await stage.close()


async def test_all_tenants_together_are_bounded_by_the_functions_concurrency() -> None:
    stage = Stage(limit=4)
    calls = [stage.start(version(), 1.0, tenant=str(number)) for number in range(6)]
    assert await answers(stage, *calls) == ["answered"] * 4 + [ACCOUNT] * 2
    await stage.close()


async def test_environments_of_tenants_idle_or_not_are_bounded_by_the_functions_reservation() -> None:
    """AWS keeps 2,500 of them for every 1,000 executions at a time."""
    stage = Stage(limit=8)
    stage.reserve("f", 2)
    results = []
    for number in range(6):
        call = stage.start(version(), 0.1, tenant=str(number))
        await stage.clock.advance(1.0)
        results.append(call.result())
    assert results == ["answered"] * 5 + [RESERVED]
    again = stage.start(version(), 0.1, tenant="0")
    await stage.clock.advance(1.0)
    assert again.result() == "answered", "a tenant that has an environment is served"
    late = stage.start(version(), 0.1, tenant="5")
    await stage.clock.advance(stage.idle_s)
    assert late.result() == RESERVED
    then = stage.start(version(), 0.1, tenant="5")
    await stage.clock.advance(1.0)
    assert then.result() == "answered", "there is room once another tenant's environment has gone"
    await stage.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TENANTS),
            st.sampled_from([0.0, 0.1, 1.0, 30.0]),
            st.sampled_from(["answer", "crash", "hang"]),
            st.sampled_from([0.0, 0.05, 0.3, 5.0]),
        ),
        max_size=25,
    )
)
async def test_whatever_comes_and_ends_in_whatever_order_the_books_are_right(
    calls: list[tuple[str, float, str, float]],
) -> None:
    stage = Stage(limit=4)
    tasks: list[asyncio.Task[str]] = []
    for tenant, after, then, pause in calls:
        tasks.append(stage.start(version(), after, then, tenant))
        await stage.clock.advance(pause)
        stage.check()
    await stage.clock.advance(120.0)
    assert all(task.done() for task in tasks)
    stage.check()
    await stage.close()
