"""What is left of environments that have ended, and of servers, zygotes and environments that were killed: nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.compute.conftest import open_files
from tests.compute.programs import LEVELS, Yard
from tests.stories.leaks import PATIENCE_S, cgroups, children, end, mounted, premises, wait_for_ends
from tests.stories.turnstile import LOST, Crowd, invoke, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stories.leaks import Premises

ENVIRONMENTS = 10_000
TOGETHER = 8
KEPT_EVENTS = 1_000
CLIENTS = 50
IDLE_S = 1
KILLED = "Runtime exited with error: signal: killed"


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_thousand_environments_leave_nothing(tmp_path: Path) -> None:
    before, mounts = open_files(), mounted()
    yard = Yard(tmp_path, LEVELS[-1])
    if problem := await yard.refusal():
        await yard.close()
        pytest.skip(problem)
    numbers = iter(range(ENVIRONMENTS))
    streams: set[str] = set()

    async def tenant() -> None:
        function = yard.function("def handler(event, context):\n    return [event, context.log_stream_name]")
        for number in numbers:
            answer, stream = await yard.result(function, number)
            assert answer == number
            streams.add(stream)
            yard.engine.retire(function.arn)
            del yard.facts.events[:-KEPT_EVENTS]

    await asyncio.gather(*(tenant() for _ in range(TOGETHER)))
    assert len(streams) == ENVIRONMENTS
    sandbox = yard.engine._sandbox
    await yard.close()
    assert len(sandbox._free_seats) == sandbox._seats, "users of environments are not free again"  # type: ignore[attr-defined]
    assert children(os.getpid()) == set()
    assert list(cgroups(tmp_path / "engine")) == []
    assert mounted() == mounts
    assert open_files() - before == set()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Premises]:
    """A server whose environments have walls."""
    with premises(tmp_path, environment_idle_s=IDLE_S) as found:
        if found.level == "process":
            pytest.skip("nothing holds functions in here")
        yield found


@pytest.mark.parametrize("begun", [0, 7, CLIENTS])
def test_a_server_that_is_killed_takes_all_environments_along(tmp_path: Path, begun: int) -> None:
    with premises(tmp_path, environment_idle_s=IDLE_S) as site:
        turnstile = made(site, ["busy"])
        before = site.let_go()
        crowd = Crowd(site)
        crowd.call(*["busy"] * CLIENTS)
        turnstile.wait_for(begun)
        turnstile.let(begun // 2)
        idle = crowd.take(begun // 2)
        assert [answer.trouble for answer in idle] == [None] * len(idle)
        site.kill()
        crowd.close()
        assert [answer.trouble for answer in crowd.take(CLIENTS - len(idle))] == [LOST] * (CLIENTS - len(idle))
    turnstile.close()
    with premises(tmp_path, environment_idle_s=IDLE_S) as site:
        assert site.server.client("lambda").get_function(FunctionName="busy")["Configuration"]["State"] == "Active"
        after = site.let_go()
        assert (after.cgroups, after.mounts) == (before.cgroups, before.mounts)
        assert {name for name in after.files if name.startswith("cells/")} == set()
        assert invoke(site.server.client("lambda"), "busy").trouble is None


def test_a_zygote_that_is_killed_is_replaced(site: Premises) -> None:
    turnstile = made(site, ["plain"])
    crowd = Crowd(site)
    crowd.call("plain", "plain")
    turnstile.wait_for(2)
    turnstile.let(1)
    crowd.take(1)
    below = site.processes()
    for zygote in site.zygotes():
        os.kill(zygote, signal.SIGKILL)
    wait_for_ends(below, time.monotonic() + PATIENCE_S)
    (answer,) = crowd.take(1)
    assert answer.trouble is not None
    assert KILLED in answer.trouble
    site.turn()
    answers = [invoke(crowd.functions, "plain") for _ in range(5)]
    assert [answer.trouble for answer in answers] == [None] * 5
    crowd.close()
    turnstile.close()


def test_an_environment_whose_first_process_is_killed_ends_alone(site: Premises) -> None:
    turnstile = made(site, ["plain", "other"])
    crowd = Crowd(site)
    crowd.call("other")
    turnstile.wait_for(1)
    spared = site.first_processes()
    crowd.call("plain")
    turnstile.wait_for(1)
    others = site.first_processes() - spared
    end(others)
    (answer,) = crowd.take(1)
    assert answer.trouble is not None
    assert KILLED in answer.trouble
    assert invoke(crowd.functions, "plain").trouble is None
    turnstile.let(1)
    (answer,) = crowd.take(1)
    assert answer.value[0] == "other"
    crowd.close()
    turnstile.close()


def test_an_idle_environment_that_is_killed_is_not_used_again(site: Premises) -> None:
    made(site, ["plain"]).close()
    functions = site.server.client("lambda")
    first = invoke(functions, "plain").value
    processes = site.first_processes()
    end(processes)
    site.turn()
    second = invoke(functions, "plain")
    assert second.trouble is None
    assert second.value != first
    functions.close()


def test_a_fork_bomb_ends_with_the_server(site: Premises) -> None:
    turnstile = made(site, ["bomb"], MemorySize=1769)  # with less it may be killed for its memory first
    crowd = Crowd(site)
    crowd.call("bomb", bomb=True)
    turnstile.wait_for(1)
    turnstile.let(1)
    turnstile.wait_for(1)  # it has as many processes as it may
    site.kill()
    crowd.close()
    turnstile.close()
