"""More clients at once than may be served: as many run as the limit says, and nobody is refused below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stories.leaks import premises, together
from tests.stories.turnstile import Crowd, Turnstile, invoke, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stories.leaks import Premises

LIMIT = 10
CLIENTS = 10 * LIMIT
ENVIRONMENTS = 100
ROUNDS = 50
ACCOUNT = 120
"""The account's limit where something is reserved: 100 must stay free for all others."""
FRONTS = ("no fronts", "two fronts")
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
UNRESERVED = "ConcurrentInvocationLimitExceeded"


@pytest.fixture
def crowded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Premises, Crowd]]:
    """A server whose account runs as many invocations at once as the test's parameter says, and a crowd. Whether it has
    fronts makes no difference to who may run."""
    concurrency, fronts = request.param
    with premises(tmp_path, environment_idle_s=30, concurrency=concurrency, fronts=fronts) as site:
        crowd = Crowd(site)
        yield site, crowd
    crowd.close()


def check_crowd(crowd: Crowd, turnstile: Turnstile, names: list[str], limit: int, reason: str) -> set[str]:
    """Exactly `limit` of the calls run, all others are refused meanwhile, and a place that is free is free at once.

    Returns the environments that were used.
    """
    crowd.call(*names)
    refusals = crowd.take(len(names) - limit)  # these came while the others were held
    assert {answer.trouble for answer in refusals} == {reason}
    turnstile.wait_for(limit)
    turnstile.check_nobody_came()
    used = set()
    for name in names[:limit]:
        turnstile.let(1)
        (answer,) = crowd.take(1)
        assert answer.trouble is None
        used.add(answer.value[1])
        crowd.call(name)
        turnstile.wait_for(1)
        turnstile.check_nobody_came()
        assert invoke(crowd.functions, name).trouble == reason
    turnstile.let(limit)
    answers = crowd.take(limit)
    assert all(answer.trouble is None for answer in answers)
    turnstile.check_nobody_came()
    return used | {answer.value[1] for answer in answers}


@pytest.mark.parametrize("crowded", [(ACCOUNT, 0), (ACCOUNT, 2)], indirect=True, ids=FRONTS)
def test_a_reservation_is_exact_under_ten_times_as_many_clients(crowded: tuple[Premises, Crowd]) -> None:
    site, crowd = crowded
    turnstile = made(site, ["reserved", "other"])
    crowd.functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=LIMIT)
    used: set[str] = set()
    for _ in range(3):
        used |= check_crowd(crowd, turnstile, ["reserved"] * CLIENTS, LIMIT, RESERVED)
    assert len(used) == LIMIT, "environments that were there were not used again"
    assert invoke(crowd.functions, "other").trouble is None
    turnstile.close()


@pytest.mark.parametrize("crowded", [(LIMIT, 0), (LIMIT, 2)], indirect=True, ids=FRONTS)
def test_the_limit_of_the_account_is_exact_over_all_functions(crowded: tuple[Premises, Crowd]) -> None:
    site, crowd = crowded
    names = [f"function-{number}" for number in range(5)]
    turnstile = made(site, names)
    for _ in range(3):
        check_crowd(crowd, turnstile, names * (CLIENTS // len(names)), LIMIT, UNRESERVED)
    turnstile.close()


@pytest.mark.parametrize("crowded", [(LIMIT, 0), (LIMIT, 2)], indirect=True, ids=FRONTS)
def test_as_many_clients_as_may_run_are_never_refused(crowded: tuple[Premises, Crowd]) -> None:
    site, crowd = crowded
    made(site, ["steady"]).close()

    def client() -> set[str | None]:
        return {invoke(crowd.functions, "steady").trouble for _ in range(ROUNDS)}

    assert set().union(*together([client] * LIMIT)) == {None}


@pytest.mark.parametrize("crowded", [(1000, 0), (1000, 2)], indirect=True, ids=FRONTS)
def test_a_hundred_calls_at_once_have_a_hundred_environments_and_keep_them(crowded: tuple[Premises, Crowd]) -> None:
    site, crowd = crowded
    turnstile = made(site, ["burst"])
    used = []
    for _ in range(2):
        crowd.call(*["burst"] * ENVIRONMENTS)
        turnstile.wait_for(ENVIRONMENTS)
        turnstile.let(ENVIRONMENTS)
        used.append({answer.value[1] for answer in crowd.take(ENVIRONMENTS)})
    assert len(used[0]) == ENVIRONMENTS
    assert used[1] == used[0]
    turnstile.close()


@pytest.mark.parametrize("crowded", [(1000, 0), (1000, 2)], indirect=True, ids=FRONTS)
def test_a_hundred_functions_at_once_answer_for_themselves(crowded: tuple[Premises, Crowd]) -> None:
    site, crowd = crowded
    names = [f"function-{number}" for number in range(ENVIRONMENTS)]
    turnstile = made(site, names)
    crowd.call(*names)
    turnstile.wait_for(ENVIRONMENTS)
    turnstile.let(ENVIRONMENTS)
    answers = crowd.take(ENVIRONMENTS)
    assert sorted(answer.value[0] for answer in answers) == sorted(names)
    assert len({answer.value[1] for answer in answers}) == ENVIRONMENTS
    turnstile.close()
