"""The table that a run prints."""

from __future__ import annotations

import operator
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

COMPARE = {"<=": operator.le, ">=": operator.ge}


class Row(NamedTuple):
    """One promise as measured; `must` is what SPECIFICATION.md asks, such as `<= 6x`."""

    number: int
    metric: str
    value: str
    baseline: str
    ratio: float
    must: str

    @property
    def kept(self) -> bool:
        """Whether the promise holds."""
        sign, _, bound = self.must.partition(" ")
        return COMPARE[sign](self.ratio, float(bound.rstrip("x"))) if bound else self.ratio == float(self.must)


def show(rows: list[Row]) -> None:
    """Print the rows for a person."""
    table = Table(title="Lambent against its baselines")
    for heading in ("#", "metric", "measured", "baseline", "ratio", "must", "kept"):
        table.add_column(heading, justify="left" if heading in {"metric", "baseline"} else "right")
    for row in rows:
        kept = "yes" if row.kept else "NO"
        table.add_row(str(row.number), row.metric, row.value, row.baseline, f"{row.ratio:.2f}x", row.must, kept)
    Console().print(table)
