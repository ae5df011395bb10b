"""The level that the platform reads off a line."""

from __future__ import annotations

import pytest

from lambent.compute.telemetry import levels
from lambent.compute.telemetry.levels import Level

STAMP = '"timestamp":"2024-11-02T16:51:31.587199Z"'
TIME = 1_730_566_291.587199


@pytest.mark.parametrize(
    ("line", "level", "time"),
    [
        ('{"level": "debug", "msg": "my debug log", ' + STAMP + "}", Level.DEBUG, TIME),
        ('{"level":"TRACE",' + STAMP + "}\n", Level.TRACE, TIME),
        ('{"level":"WARNING",' + STAMP + "}", Level.WARN, TIME),
        ('{"level":"CRITICAL",' + STAMP + "}", Level.FATAL, TIME),
        ('{"level":"Error","time":"2024-11-02T17:51:31.587199+01:00"}', Level.ERROR, TIME),
        ('{"level":"NOTICE",' + STAMP + "}", Level.INFO, TIME),
        ('{"level":3,' + STAMP + "}", Level.INFO, TIME),
        ("{" + STAMP + "}", Level.INFO, TIME),
        ('{"level":"debug"}', Level.INFO, None),
        ('{"level":"debug","timestamp":"yesterday"}', Level.INFO, None),
        ('{"level":"debug","timestamp":"2024-11-02T16:51:31"}', Level.INFO, None),
        ('{"level":"debug","timestamp":1730566291}', Level.INFO, None),
        ("{}", Level.INFO, None),
    ],
)
def test_an_object_has_a_level(line: str, level: Level, time: float | None) -> None:
    assert levels.read(line) == (level, time)


@pytest.mark.parametrize(
    "line",
    ["hello\n", "", '["level"]', '{"level":"debug"', "{not json}", '"{}"', '{"a":"\ud800"}', '{"a":' + "[" * 5000],
    ids=["text", "empty", "array", "cut", "no-json", "string", "surrogate", "deep"],
)
def test_any_other_line_has_none(line: str) -> None:
    assert levels.read(line) is None
