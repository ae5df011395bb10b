"""How long a log group keeps its events."""

from __future__ import annotations

from typing import Final

DAY_MS: Final = 24 * 3600 * 1000

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def oldest(now_ms: int, retention_days: int | None) -> int:
    """The timestamp below which events have expired; 0 where they never do."""
    return 0 if retention_days is None else max(now_ms - retention_days * DAY_MS, 0)
