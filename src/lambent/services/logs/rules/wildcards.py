"""Texts whose outer asterisks stand for anything; an asterisk elsewhere is an asterisk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def like(wanted: str) -> Callable[[str], bool]:
    """What decides whether a text is like `wanted`."""
    core = wanted.strip("*")
    match wanted.startswith("*"), wanted.endswith("*"):
        case True, True:
            return lambda text: core in text
        case True, False:
            return lambda text: text.endswith(core)
        case False, True:
            return lambda text: text.startswith(core)
    return lambda text: text == wanted
