"""`make bench`: measure, print the table, exit 1 where a promise is broken."""

from __future__ import annotations

import sys

from benchmarks import warm
from benchmarks.table import show


def main() -> int:
    """Run every benchmark."""
    rows = warm.measure()
    show(rows)
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
