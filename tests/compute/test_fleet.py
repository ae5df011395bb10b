"""The fleet on the virtual clock, with environments that do as the test says: how it grows, shrinks and heals."""

from __future__ import annotations

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import settle
from lambent.kernel.errors import AwsError
from tests.compute.crowd import IDLE_S, INIT_S, LASTING_S, Crowd, managed


async def test_as_many_as_are_wanted_at_least_are_there_and_stay() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=3)
    complete = crowd.supervisor.start("complete", crowd.fleet.complete(managed()))
    await settle()
    assert not complete.done()
    await crowd.clock.advance(INIT_S)
    assert complete.done()
    await crowd.clock.advance(3 * IDLE_S)
    assert len(crowd.living) == 3
    await crowd.close()


async def test_calls_wait_for_the_first_environment_and_no_longer() -> None:
    crowd = Crowd()
    crowd.field(managed())
    first, second, third = await crowd.calls(managed(), 3)
    with pytest.raises(AwsError, match="Rate Exceeded"):
        await third
    await crowd.clock.advance(INIT_S)
    assert crowd.living[0].running == 2
    with pytest.raises(AwsError, match="Rate Exceeded"):
        await crowd.call(managed())
    for _ in range(2):
        crowd.living[0].finish()
    assert (await first).payload == (await second).payload == b"1"
    await crowd.close()


async def test_it_grows_when_more_than_half_of_the_workers_are_taken_and_no_further_than_it_may() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=1, most=2)
    await crowd.clock.advance(INIT_S)
    await crowd.calls(managed(), 1)
    assert len(crowd.living) == 1
    await crowd.calls(managed(), 1)
    assert len(crowd.living) == 2
    await crowd.clock.advance(INIT_S)
    await crowd.calls(managed(), 2)
    assert [actor.running for actor in crowd.living] == [2, 2]
    assert len(crowd.living) == 2
    await crowd.close()


async def test_a_call_goes_to_the_environment_with_the_most_room() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=2)
    await crowd.clock.advance(INIT_S)
    await crowd.calls(managed(), 2)
    assert [actor.running for actor in crowd.living] == [1, 1]
    await crowd.close()


async def test_what_is_not_needed_for_a_while_goes_one_after_the_other() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=1, most=3)
    await crowd.clock.advance(INIT_S)
    for _ in range(2):
        await crowd.calls(managed(), 2)
        await crowd.clock.advance(INIT_S)
    assert len(crowd.living) == 3
    for actor in list(crowd.living):
        while actor.running:
            actor.finish()
    await crowd.clock.advance(IDLE_S)
    assert len(crowd.living) == 2
    await crowd.clock.advance(IDLE_S)
    assert len(crowd.living) == 1
    await crowd.clock.advance(10 * IDLE_S)
    assert len(crowd.living) == 1
    await crowd.close()


async def test_a_version_that_may_have_none_gets_one_when_it_is_called() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=0)
    await crowd.fleet.complete(managed())
    assert crowd.living == []
    (call,) = await crowd.calls(managed(), 1)
    await crowd.clock.advance(INIT_S)
    crowd.living[0].finish()
    assert (await call).payload == b"1"
    await crowd.clock.advance(2 * IDLE_S)
    assert crowd.living == []
    await crowd.close()


async def test_what_dies_is_replaced() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=2)
    await crowd.clock.advance(INIT_S)
    first = crowd.living[0]
    first.vanish()
    await crowd.clock.advance(INIT_S)
    assert len(crowd.living) == 2
    assert first not in crowd.living
    await crowd.close()


@pytest.mark.parametrize("entrance", ["Runtime.ExitError", "timeout", "lost"])
async def test_what_does_not_come_is_tried_again_after_pauses_that_grow(entrance: str) -> None:
    crowd = Crowd()
    crowd.entrances = [entrance] * 2
    crowd.field(managed())
    (call,) = await crowd.calls(managed(), 1)
    await crowd.clock.advance(INIT_S)
    with pytest.raises(AwsError) as refused:
        await call
    assert refused.value.code == "ServiceException"
    with pytest.raises(AwsError) as failed:
        await crowd.fleet.complete(managed())
    assert failed.value.code == ("FunctionError.InitTimeout" if entrance == "timeout" else "FunctionError")
    assert crowd.living == []
    await crowd.clock.advance(limits.PROVISION_RETRY_MIN_S + INIT_S)
    assert crowd.living == [], "the second attempt has failed too"
    await crowd.clock.advance(2 * limits.PROVISION_RETRY_MIN_S + INIT_S)
    assert len(crowd.living) == 1
    await crowd.fleet.complete(managed())
    await crowd.close()


async def test_another_revision_takes_the_place_and_what_runs_ends_in_peace() -> None:
    crowd = Crowd()
    crowd.field(managed())
    (call,) = await crowd.calls(managed(), 1)
    await crowd.clock.advance(INIT_S)
    (old,) = crowd.living
    crowd.field(managed(revision="2"))
    await crowd.clock.advance(INIT_S)
    assert len(crowd.living) == 2
    old.finish()
    assert (await call).payload == b"1"
    (new,) = crowd.living
    assert new.function.revision == "2"
    with pytest.raises(AwsError):
        await crowd.call(managed())
    await crowd.close()


async def test_what_is_withdrawn_takes_nothing_more() -> None:
    crowd = Crowd()
    crowd.field(managed())
    (waiting,) = await crowd.calls(managed(), 1)
    complete = crowd.supervisor.start("complete", crowd.fleet.complete(managed()))
    await settle()
    crowd.fleet.withdraw(managed())
    assert not await complete
    assert not await crowd.fleet.complete(managed())
    with pytest.raises(AwsError):
        await waiting
    await crowd.clock.advance(INIT_S)
    assert crowd.living == []
    await crowd.close()


async def test_the_machine_and_the_provider_bound_it_but_each_version_has_one() -> None:
    crowd = Crowd(vcpus=3.0)
    for name in ("f", "g"):
        crowd.field(managed(name, provider=name), least=4, provider_vcpus=2.0)
    await crowd.clock.advance(INIT_S)
    counts = sorted(sum(actor.function.name == name for actor in crowd.living) for name in ("f", "g"))
    assert counts == [1, 2]
    for name in ("h", "i"):
        crowd.field(managed(name), least=2)
    await crowd.clock.advance(INIT_S)
    assert sum(actor.function.name in ("h", "i") for actor in crowd.living) == 2
    await crowd.close()


async def test_what_there_is_no_room_for_is_not_waited_for_and_comes_when_there_is() -> None:
    crowd = Crowd(vcpus=3.0)
    crowd.field(managed("g"), least=2)
    await crowd.clock.advance(INIT_S)
    crowd.field(managed(), least=3)
    complete = crowd.supervisor.start("complete", crowd.fleet.complete(managed()))
    await settle()
    assert not complete.done()
    await crowd.clock.advance(INIT_S)
    assert await complete
    assert [actor.function.name for actor in crowd.living] == ["g", "g", "f"]
    crowd.fleet.withdraw(managed("g"))
    await crowd.clock.advance(INIT_S)
    assert [actor.function.name for actor in crowd.living] == ["f", "f", "f"]
    await crowd.close()


async def test_an_environment_is_replaced_before_its_credentials_end() -> None:
    crowd = Crowd()
    crowd.field(managed())
    await crowd.clock.advance(INIT_S)
    (old,) = crowd.living
    await crowd.calls(managed(), 1)
    await crowd.clock.advance(LASTING_S - 60.0)
    assert old in crowd.living, "what runs is not broken off"
    assert [actor.retired for actor in crowd.living] == [True, False]
    old.finish()
    assert old not in crowd.living
    await crowd.close()


async def test_environments_that_have_come_together_are_replaced_one_after_the_other() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=3)
    await crowd.clock.advance(INIT_S)
    old = set(crowd.living)
    await crowd.clock.advance(LASTING_S - limits.PROVISION_RENEW_S - 61.0)
    assert set(crowd.living) == old
    for left in (2, 1, 0):
        await crowd.clock.advance(1.0)
        assert sum(actor.initialised for actor in crowd.living) >= 2
        await crowd.clock.advance(INIT_S)
        assert (len(old.intersection(crowd.living)), len(crowd.living)) == (left, 3)
    await crowd.close()


async def test_who_must_be_replaced_is_so_in_time_even_if_none_comes() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=2)
    await crowd.clock.advance(INIT_S)
    crowd.entrances = ["lost"] * 100
    await crowd.clock.advance(LASTING_S - 61.0)
    assert len(crowd.living) == 1
    await crowd.clock.advance(1.0)
    assert crowd.living == []
    await crowd.close()


async def test_closing_ends_everything_and_refuses_who_waits() -> None:
    crowd = Crowd()
    crowd.field(managed())
    crowd.field(managed("g"))
    await crowd.clock.advance(INIT_S)
    (running,) = await crowd.calls(managed(), 1)
    crowd.field(managed("h"))
    (waiting,) = await crowd.calls(managed("h"), 1)
    await crowd.fleet.close()
    assert (await running).error == "Unhandled"
    with pytest.raises(AwsError, match="stopping"):
        await waiting
    with pytest.raises(AwsError, match="stopping"):
        crowd.field(managed())
    await crowd.close()


async def test_a_bug_in_a_start_leaves_nobody_waiting_and_is_tried_again() -> None:
    crowd = Crowd()
    crowd.entrances = ["bug"]
    crowd.field(managed())
    (call,) = await crowd.calls(managed(), 1)
    with pytest.raises(AwsError, match="There is no environment"):
        await call
    await crowd.clock.advance(limits.PROVISION_RETRY_MIN_S + INIT_S)
    assert len(crowd.living) == 1
    await crowd.close()


async def test_there_is_room_for_one_that_serves_beside_one_that_is_about_to_end() -> None:
    crowd = Crowd(vcpus=1.0)
    crowd.field(managed())
    await crowd.clock.advance(INIT_S)
    await crowd.calls(managed(), 1)
    (old,) = crowd.living
    crowd.fleet.worn(old)  # type: ignore[arg-type] # as much of one as the fleet sees
    (call,) = await crowd.calls(managed(), 1)
    await crowd.clock.advance(INIT_S)
    assert old.running == 1
    (new,) = (actor for actor in crowd.living if actor is not old)
    new.finish()
    assert (await call).payload == b"1"
    await crowd.close()


async def test_what_was_on_its_way_when_fewer_were_wanted_goes_again() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=3)
    crowd.field(managed(), least=1)
    await crowd.clock.advance(INIT_S + 3 * IDLE_S)
    assert len(crowd.living) == 1
    await crowd.close()


async def test_what_is_more_than_there_may_be_ends_as_soon_as_it_is_done() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=3)
    await crowd.clock.advance(INIT_S)
    (call,) = await crowd.calls(managed(), 1)
    (busy,) = (actor for actor in crowd.living if actor.running)
    crowd.field(managed(), least=1, most=1)
    assert crowd.living == [busy]
    crowd.field(managed(), least=0, most=0)
    assert crowd.living == [busy]
    busy.finish()
    assert (await call).payload == b"1"
    assert crowd.living == []
    await crowd.close()


async def test_what_is_on_its_way_and_more_than_there_may_be_ends_when_it_comes() -> None:
    crowd = Crowd()
    crowd.field(managed(), least=2)
    (call,) = await crowd.calls(managed(), 1)
    crowd.field(managed(), least=0, most=0)
    with pytest.raises(AwsError, match="has no environments"):
        await call
    crowd.field(managed(), least=2)
    crowd.field(managed(), least=0, most=0)
    await settle()
    assert crowd.living == []
    await crowd.close()
