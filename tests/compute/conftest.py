"""A workshop for every test, which checks that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.compute.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    before = open_files()
    workshop = Workshop(tmp_path)
    yield workshop
    await workshop.close()
    assert workshop.engine.size == 0
    assert open_files() - before == set(), "descriptors are left open"
    assert len(asyncio.all_tasks()) == 1, "tasks are left behind"


def open_files() -> set[str]:
    """What the descriptors of this process point at."""
    targets = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            targets.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:
            continue  # the listing's own
    return targets
