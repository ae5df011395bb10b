"""How long environments are kept, by the rhythm of their invocations and by memory pressure."""

from __future__ import annotations

import pytest

from lambent.compute.keepalive import KeepAlive
from lambent.kernel import limits
from tests.compute.stage import version

USUAL_S = 600.0


def patience(pauses: list[float], pressure: float = 0.0) -> float:
    keep_alive = KeepAlive(USUAL_S)
    rhythm = keep_alive.rhythm(version(), None, 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        rhythm.arrived(now)
    return keep_alive.patience_s(rhythm, pressure)


@pytest.mark.parametrize(
    ("pauses", "kept"),
    [
        ([], USUAL_S),
        ([20.0] * 3, USUAL_S),
        ([0.001] * 1000, USUAL_S),
        ([5.0] * 100, 60.0),
        ([100.0] * 20, 128.0),
        ([1_200.0] * 10, 2_048.0),
        ([90_000.0] * 10, USUAL_S),
        ([300_000.0] * 10, USUAL_S),
        ([1_200.0] * 10 + [5.0] * 500, 60.0),
    ],
    ids=["none", "few", "steady", "short", "minutes", "long", "too long", "days", "changed"],
)
def test_environments_are_kept_for_as_long_as_it_usually_takes(pauses: list[float], kept: float) -> None:
    assert patience(pauses) == kept


def test_pressure_shortens_it_down_to_a_moment() -> None:
    assert patience([], 0.5) == 300.0
    assert patience([], 1.0) == limits.KEEP_ALIVE_FLOOR_S


def test_the_rhythm_is_remembered_when_no_environment_is_left_and_in_bounds() -> None:
    keep_alive = KeepAlive(USUAL_S)
    rhythm = keep_alive.rhythm(version("f"), None, 0.0)
    assert keep_alive.rhythm(version("f", revision="2"), None, 5.0) is rhythm
    assert keep_alive.rhythm(version("f"), "a tenant", 5.0) is not rhythm
    for number in range(limits.RHYTHMS_REMEMBERED):
        keep_alive.rhythm(version(str(number)), None, 0.0)
    assert keep_alive.rhythm(version("f"), None, 9.0) is not rhythm
    assert len(keep_alive._rhythms) == limits.RHYTHMS_REMEMBERED
