"""`make bench`: measure, and print the table that says which promises are kept."""

from __future__ import annotations

from benchmarks import warm
from benchmarks.table import show


def main() -> None:
    """Run every benchmark."""
    show(warm.measure())


if __name__ == "__main__":
    main()
