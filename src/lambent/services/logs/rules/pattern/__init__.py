"""Filter patterns: the language that FilterLogEvents, metric filters and subscription filters search events with.

    pattern := (nothing: every event) | terms | "{" condition "}" | "[" columns "]"

Terms search the text (`terms`), a condition looks into events that are JSON objects (`conditions`), columns take an
event apart at its blanks (`columns`). What stands on the right of a comparison is the same in both (`values`).
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.logs.rules.pattern import columns, conditions, terms
from lambent.services.logs.rules.pattern.scanner import BadPattern, Scanner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BadPattern", "parse"]


def parse(text: str) -> Callable[[str], bool] | None:
    """What decides whether a message matches; None where every message does. Raises BadPattern."""
    text = text.strip()
    if not text:
        return None
    for opening, closing, read in (("{", "}", conditions.parse), ("[", "]", columns.parse)):
        if text.startswith(opening):
            if not text.endswith(closing) or len(text) < 2:
                raise BadPattern(f"If a filter pattern starts with '{opening}' it must end with '{closing}'")
            return read(Scanner(text[1:-1]))
    return terms.parse(Scanner(text))
