"""The joining of the parts: what is begun is ended, also where the next part cannot be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent import app
from lambent.app import App
from lambent.compute.sandbox import levels
from lambent.kernel.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


class Walls:
    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


async def test_the_sandbox_is_closed_where_no_engine_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = Walls()

    async def choose(*_: Any) -> levels.Choice:
        return levels.Choice(walls)

    def engine(**_: Any) -> None:
        raise OSError("no room for code")

    monkeypatch.setattr(levels, "choose", choose)
    monkeypatch.setattr(app, "Engine", engine)
    with pytest.raises(OSError, match="no room for code"):
        async with App.running(Settings(data=str(tmp_path), port=0)):
            pass
    assert walls.closed == 1
