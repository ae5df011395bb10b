"""Provisioned concurrency: what is started ahead, how it is used, replaced, renewed and taken back."""

from __future__ import annotations

from lambent.kernel.clock import settle
from tests.compute.stage import INIT_S, LASTING_S, Stage, version

KIND = "provisioned-concurrency"


def provisioned(stage: Stage) -> list[str]:
    return [actor.function.version for actor in stage.living if actor.kind == KIND]


async def test_environments_are_initialised_ahead_and_stay() -> None:
    stage = Stage(idle_s=50.0)
    stage.provision(version("f", "1"), 3)
    before = stage.pool.allocation(version("f", "1"))
    assert before is not None
    assert (before.requested, before.available, before.status) == (3, 0, "IN_PROGRESS")
    await stage.clock.advance(1_000.0)
    after = stage.pool.allocation(version("f", "1"))
    assert after is not None
    assert (after.requested, after.available, after.status, after.reason) == (3, 3, "READY", None)
    assert provisioned(stage) == ["1"] * 3
    assert stage.pool.allocation(version("f", "2")) is None
    await stage.close()


async def test_they_are_used_first_and_the_rest_spills_over() -> None:
    stage = Stage()
    stage.provision(version("f", "1"), 2)
    await stage.clock.advance(5.0)
    calls = [stage.start(version("f", "1"), 10.0) for _ in range(3)]
    await stage.clock.advance(30.0)
    assert [call.result() for call in calls] == ["answered"] * 3
    assert [actor.kind for _, actor in stage.ran] == [KIND, KIND, "on-demand"]
    await stage.close()


async def test_units_count_before_their_environments_are_there() -> None:
    stage = Stage(limit=2, entrances=["slow", "slow"])
    stage.provision(version("f", "1"), 2)
    calls = [stage.start(version("f", "1"), 0.0) for _ in range(2)]
    await stage.clock.advance(3.0)
    assert [call.result() for call in calls] == ["answered"] * 2
    assert {actor.kind for _, actor in stage.ran} == {"on-demand"}
    await stage.close()


async def test_what_crashes_or_dies_is_replaced() -> None:
    stage = Stage()
    stage.provision(version("f", "1"), 2)
    await stage.clock.advance(5.0)
    stage.start(version("f", "1"), 1.0, "crash")
    await stage.clock.advance(5.0)
    assert len(provisioned(stage)) == 2
    stage.living[0].vanish()
    failed = stage.pool.allocation(version("f", "1"))
    assert failed is not None
    assert (failed.available, failed.reason) == (1, "ServiceException: The environment has ended.")
    await stage.clock.advance(5.0)
    allocation = stage.pool.allocation(version("f", "1"))
    assert allocation is not None
    assert (allocation.available, allocation.status) == (2, "READY")
    await stage.close()


async def test_a_failing_init_is_told_and_tried_again_ever_more_rarely() -> None:
    stage = Stage(entrances=["unsound"] * 4)
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(0.9)
    failed = stage.pool.allocation(version("f", "1"))
    assert failed is not None
    assert (failed.available, failed.status, failed.reason) == (0, "FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    assert len(stage.made) == 1
    await stage.clock.advance(60.0)
    assert [round(time) for time, _, _ in stage.made] == [0, 1, 3, 8, 16]
    recovered = stage.pool.allocation(version("f", "1"))
    assert recovered is not None
    assert (recovered.available, recovered.status, recovered.reason) == (1, "READY", None)
    await stage.close()


async def test_what_cannot_be_made_says_why() -> None:
    stage = Stage(entrances=["refused"])
    stage.provision(version("f", "1"), 1)
    await settle()
    allocation = stage.pool.allocation(version("f", "1"))
    assert allocation is not None
    assert (allocation.status, allocation.reason) == ("FAILED", "InvalidRuntimeException: The runtime is gone.")
    await stage.close()


async def test_fewer_stop_idle_ones_at_once_and_busy_ones_afterwards() -> None:
    stage = Stage()
    stage.provision(version("f", "1"), 3)
    await stage.clock.advance(5.0)
    calls = [stage.start(version("f", "1"), 10.0) for _ in range(2)]
    await settle()
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(1.0)
    assert len(stage.living) == 2
    await stage.clock.advance(20.0)
    assert [call.result() for call in calls] == ["answered"] * 2
    assert len(stage.living) == 1
    stage.deprovision(version("f", "1"))
    await stage.clock.advance(1.0)
    assert stage.pool.size == 0
    assert stage.pool.allocation(version("f", "1")) is None
    await stage.close()


async def test_it_follows_a_version_to_another_revision_and_survives_retirement() -> None:
    stage = Stage()
    stage.provision(version("f", "1", "a"), 2)
    await stage.clock.advance(5.0)
    stage.provision(version("f", "1", "b"), 2)
    await stage.clock.advance(5.0)
    assert [actor.function.revision for actor in stage.living] == ["b", "b"]
    before = set(stage.living)
    stage.pool.retire(version("f").arn)
    await stage.clock.advance(5.0)
    assert len(stage.living) == 2
    assert before.isdisjoint(stage.living)
    await stage.close()


async def test_credentials_are_renewed_by_a_replacement_that_is_there_before_its_predecessor_goes() -> None:
    stage = Stage()
    stage.provision(version("f", "1"), 2)
    await stage.clock.advance(5.0)
    before = set(stage.living)
    least = 2
    for _ in range(60):
        await stage.clock.advance(LASTING_S / 60)
        allocation = stage.pool.allocation(version("f", "1"))
        assert allocation is not None
        least = min(least, allocation.available)
    assert least == 2
    assert before.isdisjoint(stage.living)
    assert len(stage.living) == 2
    await stage.close()


async def test_a_busy_environment_is_renewed_too_and_goes_after_its_invocation() -> None:
    stage = Stage(lasting_s=400.0)
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(299.0)
    (old,) = stage.living
    call = stage.start(version("f", "1"), 15.0)
    await stage.clock.advance(10.0)
    assert len(stage.made) == len(stage.living) == 2
    await stage.clock.advance(10.0)
    assert call.done()
    assert len(stage.made) == 2
    assert len(stage.living) == 1
    assert old not in stage.living
    await stage.close()


async def test_other_functions_are_started_between_provisioned_ones() -> None:
    stage = Stage(limit=100, starts=1)
    stage.provision(version("f", "1"), 50)
    await settle()
    call = stage.start(version("g"), 0.0)
    await stage.clock.advance(2 * INIT_S)
    assert call.done()
    assert len(provisioned(stage)) < 50
    await stage.close()


async def test_what_is_asked_for_again_is_tried_at_once() -> None:
    stage = Stage(entrances=["unsound"] * 6)
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(35.0)
    assert len(stage.made) == 6
    stage.provision(version("f", "1"), 1)
    await stage.clock.advance(INIT_S)
    allocation = stage.pool.allocation(version("f", "1"))
    assert allocation is not None
    assert (allocation.status, len(stage.made)) == ("READY", 7)
    await stage.close()
