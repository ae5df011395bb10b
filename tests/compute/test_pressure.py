"""What the machine tells of its memory, as one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.compute.pressure import MemoryPressure

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    {} kB\nHugePages_Total:       0\n"
STALLS = "some avg10={} avg60=9.00 avg300=9.00 total=1\nfull avg10=90.00 avg60=9.00 avg300=9.00 total=1\n"


@pytest.mark.parametrize(
    ("available", "stalled", "pressure"),
    [
        (900, "0.00", 0.0),
        (250, "0.00", 0.0),
        (150, "0.00", 0.5),
        (20, "0.00", 1.0),
        (900, "10.00", 0.5),
        (150, "80.00", 1.0),
        (150, None, 0.5),
        (None, "10.00", 0.5),
        (None, None, 0.0),
    ],
)
def test_the_worse_sign_counts(tmp_path: Path, available: int | None, stalled: str | None, pressure: float) -> None:
    if available is not None:
        (tmp_path / "meminfo").write_text(MEMORY.format(available))
    if stalled is not None:
        (tmp_path / "pressure").mkdir()
        (tmp_path / "pressure" / "memory").write_text(STALLS.format(stalled))
    assert MemoryPressure(tmp_path)() == pytest.approx(pressure)


def test_this_machine_tells_something_between_nothing_and_everything() -> None:
    assert 0.0 <= MemoryPressure()() <= 1.0
