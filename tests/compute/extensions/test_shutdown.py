"""How long an environment with these extensions is given to end."""

from __future__ import annotations

from lambent.compute.extensions.shutdown import Shutdown, plan
from tests.compute.extensions.test_registry import BOTH, INVOKE, Stage


def test_without_extensions_everything_is_killed_at_once() -> None:
    assert plan(Stage().extensions) == Shutdown(total_s=0.0, runtime_s=0.0)


def test_programs_that_have_not_registered_are_not_waited_for() -> None:
    assert plan(Stage("late").extensions).total_s == 0
    stage = Stage("late")
    stage.register("inner")
    expected = Shutdown(total_s=0.5, runtime_s=0.5, killed=("late",))
    assert plan(stage.extensions) == expected


def test_internal_ones_have_half_a_second_with_their_runtime() -> None:
    stage = Stage()
    stage.register("inner")
    assert plan(stage.extensions) == Shutdown(total_s=0.5, runtime_s=0.5)


def test_external_ones_have_two_seconds_if_they_want_to_know() -> None:
    stage = Stage("told", "killed")
    stage.register("told", BOTH)
    stage.register("killed", INVOKE)
    stage.register("inner")
    expected = Shutdown(total_s=2.0, runtime_s=0.3, told=("told",), killed=("killed",))
    assert plan(stage.extensions) == expected
