"""Functions with SnapStart, and several of their environments at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.compute.programs import WAIT

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from tests.compute.programs import Gate, Yard

WAITING = f"import os\n{WAIT}\n"
"""How a handler begins that is to be asked by `together`."""


def published(yard: Yard, source: str | dict[str, str | bytes], **fields: Any) -> FunctionVersion:
    """A version with SnapStart."""
    return yard.function(source, **{"version": "1", "snap_start": True, **fields})


async def together(yard: Yard, gate: Gate, function: FunctionVersion, events: list[Any]) -> list[Any]:
    """The answers of environments of their own: nobody is answered before all are there. The handler says `here` and
    waits."""
    told = yard.facts.messages.count("here\n")
    asked = [asyncio.ensure_future(yard.result(function, event)) for event in events]
    await yard.facts.until("here\n", told + len(events))
    gate.open(len(events))
    return await asyncio.gather(*asked)
