"""Who is refused and why: the account's limit, reservations, provisioned concurrency and the scaling rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import settle
from tests.compute.stage import Stage, version

if TYPE_CHECKING:
    import asyncio

ACCOUNT = "ConcurrentInvocationLimitExceeded"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


async def answers(stage: Stage, *calls: asyncio.Task[str]) -> list[str]:
    await stage.clock.advance(60.0)
    return [call.result() for call in calls]


async def test_a_burst_of_ten_times_the_limit_runs_the_limit_and_refuses_the_rest() -> None:
    stage = Stage(limit=100, starts=8)
    calls = [stage.start(version()) for _ in range(1_000)]
    assert await answers(stage, *calls) == ["answered"] * 100 + [ACCOUNT] * 900
    assert stage.pool.running == 0
    await stage.close()


async def test_while_memory_is_exhausted_nothing_is_started_for_who_can_wait() -> None:
    stage = Stage(limit=100, starts=8, pressure=1.0)
    events = [stage.start(version("f"), 5.0, patient=True) for _ in range(20)]
    callers = [stage.start(version("f"), 5.0), stage.start(version("g"), 5.0)]
    await stage.clock.advance(2.0)
    assert {event.result() for event in events} == {"ServiceException"}
    stage.check()
    stage.pressure = 0.9
    later = stage.start(version("f"), patient=True)
    assert await answers(stage, *callers, later) == ["answered"] * 3
    await stage.close()


async def test_a_start_that_was_in_vain_does_not_count_for_the_scaling_rate() -> None:
    stage = Stage(scaling=3, pressure=1.0)
    for _ in range(3):
        event = stage.start(version(), patient=True)
        await stage.clock.advance(0.1)
        assert event.result() == "ServiceException"
    assert await answers(stage, *(stage.start(version()) for _ in range(3))) == ["answered"] * 3
    await stage.close()


async def test_a_reservation_is_the_functions_own_and_all_it_has() -> None:
    stage = Stage(limit=10)
    stage.reserve("f", 3)
    calls = [stage.start(version("f")) for _ in range(4)] + [stage.start(version("g")) for _ in range(8)]
    assert await answers(stage, *calls) == [*["answered"] * 3, RESERVED, *["answered"] * 7, ACCOUNT]
    await stage.close()


async def test_a_reservation_of_nothing_stops_the_function_and_ending_it_lets_it_run() -> None:
    stage = Stage()
    stage.reserve("f", 0)
    assert await answers(stage, stage.start(version())) == [RESERVED]
    assert not stage.pool._groups, "a refusal leaves nothing behind"
    stage.reserve("f", None)
    assert await answers(stage, stage.start(version())) == ["answered"]
    await stage.close()


async def test_a_reservation_counts_what_runs_already() -> None:
    stage = Stage(limit=4)
    running = [stage.start(version("f"), 5.0) for _ in range(3)]
    await settle()
    stage.reserve("f", 3)
    refused = stage.start(version("f"))
    others = [stage.start(version("g")) for _ in range(2)]
    assert await answers(stage, *running, refused, *others) == [*["answered"] * 3, RESERVED, "answered", ACCOUNT]
    await stage.close()


async def test_every_account_and_region_has_a_limit_of_its_own() -> None:
    stage = Stage(limit=1)
    stage.refusal = lambda function: None  # type: ignore[method-assign]  # the model knows one account
    stage.begun = lambda actor: None  # type: ignore[method-assign]
    calls = [stage.start(version(account=account)) for account in ("0" * 12, "1" * 12)]
    assert await answers(stage, *calls) == ["answered"] * 2
    await stage.close()


async def test_provisioned_concurrency_is_claimed_whether_it_is_used_or_not() -> None:
    stage = Stage(limit=4)
    stage.provision(version("f", "1"), 3)
    calls = [stage.start(version("g")) for _ in range(2)]
    own = [stage.start(version("f", "1")) for _ in range(4)]
    assert await answers(stage, *calls, *own) == ["answered", ACCOUNT, *["answered"] * 3, ACCOUNT]
    await stage.close()


async def test_provisioned_concurrency_that_is_the_whole_reservation_blocks_the_unpublished_version() -> None:
    stage = Stage()
    stage.reserve("f", 2)
    stage.provision(version("f", "1"), 2)
    calls = [stage.start(version("f")), *(stage.start(version("f", "1")) for _ in range(3))]
    assert await answers(stage, *calls) == [RESERVED, "answered", "answered", RESERVED]
    await stage.close()


async def test_what_runs_on_provisioned_units_is_not_counted_twice_after_another_change() -> None:
    stage = Stage(limit=4)
    stage.provision(version("f", "1"), 2)
    own = [stage.start(version("f", "1"), 5.0) for _ in range(2)]
    await settle()
    stage.reserve("g", 0)
    rest = [stage.start(version("f")) for _ in range(3)]
    assert await answers(stage, *own, *rest) == [*["answered"] * 4, ACCOUNT]
    await stage.close()


async def test_a_reservation_below_what_is_provisioned_holds_all_the_same() -> None:
    stage = Stage()
    stage.provision(version("f", "1"), 2)
    stage.reserve("f", 1)
    calls = [stage.start(version("f", "1")) for _ in range(2)]
    assert await answers(stage, *calls) == ["answered", RESERVED]
    await stage.close()


@pytest.mark.parametrize("reserved", [None, 7], ids=["unreserved", "reserved"])
async def test_a_function_that_grows_too_fast_is_refused_until_its_rate_is_refilled(reserved: int | None) -> None:
    stage = Stage(scaling=4)
    stage.reserve("f", reserved)
    reason = f"{'' if reserved is None else 'Reserved'}FunctionInvocationRateLimitExceeded"
    calls = [stage.start(version("f"), 30.0) for _ in range(5)] + [stage.start(version("g"))]
    await stage.clock.advance(2.4)
    again = [stage.start(version("f"), 5.0)]
    await stage.clock.advance(0.2)
    again += [stage.start(version("f"), 5.0) for _ in range(2)]
    assert await answers(stage, *calls) == [*["answered"] * 4, reason, "answered"]
    assert await answers(stage, *again) == [reason, "answered", reason]
    await stage.close()


async def test_a_start_that_was_not_needed_after_all_does_not_count() -> None:
    stage = Stage(scaling=2, starts=1)
    call, given_up = stage.start(version(), 5.0), stage.start(version(), 5.0)
    await settle()
    given_up.cancel()
    await settle()
    last = stage.start(version(), 5.0)
    assert await answers(stage, call, last) == ["answered"] * 2
    assert len(stage.made) == 2
    await stage.close()


async def test_warm_invocations_cost_nothing_of_the_scaling_rate() -> None:
    stage = Stage(scaling=1)
    for _ in range(5):
        assert await answers(stage, stage.start(version(), 30.0)) == ["answered"]
    assert len(stage.made) == 1
    await stage.close()


async def test_the_books_are_thrown_away_once_nobody_needs_them() -> None:
    stage = Stage()
    stage.reserve("kept", 2)
    grown = stage.admission.share(version("grown"))
    grown.grow()
    stage.admission.drop(grown)
    held = stage.admission.share(version("held"))
    held.admit()
    stage.admission.drop(held)
    for number in range(limits.SHARES_COUNTED - 2):
        stage.admission.drop(stage.admission.share(version(str(number))))
    kept = set(stage.admission._account("0" * 12, "r").functions)
    assert kept == {version(name).arn for name in ("kept", "grown", "held")}
    assert stage.admission.share(version("held")) is held
    held.release()
