"""`make bench`: measure, and print the table that says which promises are kept."""

from __future__ import annotations

import argparse
import os
import platform
from typing import TYPE_CHECKING

from benchmarks import burst, cold, fronts, idle, memory, payload, queue, rivals, warm
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.table import Row

THEMES: dict[str, Callable[[], list[Row]]] = {
    "cold": cold.measure,
    "warm": warm.measure,
    "memory": memory.measure,
    "burst": burst.measure,
    "idle": idle.measure,
    "payload": payload.measure,
    "queue": queue.measure,
    "fronts": fronts.measure,
}


def main() -> None:
    """Run the benchmarks of the themes that are named, or all; or set Lambent beside what else there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("themes", nargs="*", choices=[[], *THEMES], metavar="theme", help=", ".join(THEMES))
    parser.add_argument("--rivals", action="store_true", help="beside other local runners, installed into .cache")
    arguments = parser.parse_args()
    if arguments.rivals:
        rivals.show(rivals.measure())
        return
    rows = [row for theme in arguments.themes or THEMES for row in THEMES[theme]()]
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}"
    show(sorted(rows, key=lambda row: row.number), f"Lambent against its baselines ({machine})")


if __name__ == "__main__":
    main()
