"""Finds the interpreters of this machine as the server finds them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lambent.compute.runtimes import Runtime, Runtimes
from lambent.kernel.clock import SystemClock
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNTIMES: Final = ("python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14")
"""The runtimes that a server may have."""


def find(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, Runtime | None]:
    """The interpreter of each runtime, None where there is none that works."""
    with tempfile.TemporaryDirectory(prefix="lambent-") as folder:
        return asyncio.run(_find(names, environ, Path(folder, "runtimes")))


async def _find(names: Sequence[str], environ: Mapping[str, str], folder: Path) -> dict[str, Runtime | None]:
    clock = SystemClock()
    runtimes = Runtimes(folder, clock, Supervisor(clock), environ)
    return {name: await runtimes.find(name) for name in names}
