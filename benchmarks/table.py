"""The table that a run prints."""

from __future__ import annotations

import operator
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class Row(NamedTuple):
    """One promise as measured; `must` and `aim` are what SPECIFICATION.md asks, such as `<= 6x`."""

    number: int
    metric: str
    value: str
    baseline: str
    ratio: float | None
    """In `must`'s own unit; None where there was nothing to measure."""
    must: str
    aim: str = ""

    def verdict(self) -> str:
        """Whether the promise holds."""
        if self.ratio is None:
            return "-"
        if not _holds(self.ratio, self.must):
            return "NO"
        return "aim" if self.aim and _holds(self.ratio, self.aim) else "yes"

    def shown(self) -> str:
        """The ratio with its unit."""
        return "-" if self.ratio is None else f"{self.ratio:.2f}{_bound(self.must)[2]}"


def missing(number: int, metric: str, reason: object, must: str, aim: str = "") -> Row:
    """The row of a feature that the server refuses, in its own words."""
    return Row(number, metric, "not built", str(reason).rpartition(": ")[2][:60], None, must, aim)


def show(rows: list[Row], title: str) -> None:
    """Print the rows for a person."""
    table = Table(title=title)
    for heading in ("#", "metric", "measured", "baseline", "ratio", "must", "aim", "kept"):
        table.add_column(heading, justify="left" if heading in {"metric", "baseline"} else "right")
    for row in rows:
        number = str(row.number)
        table.add_row(number, row.metric, row.value, row.baseline, row.shown(), row.must, row.aim or "-", row.verdict())
    Console(width=160).print(table)


def _holds(ratio: float, rule: str) -> bool:
    sign, bound, _ = _bound(rule)
    return bool(COMPARE[sign](ratio, bound))


def _bound(rule: str) -> tuple[str, float, str]:
    """`<= 6x` as its sign, number and unit."""
    sign, _, text = rule.partition(" ")
    number = text.rstrip("x%")
    return sign, float(number), text[len(number) :]
