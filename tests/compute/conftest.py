"""A workshop for every test, which checks that nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.compute.programs import LEVELS, WALLED, Yard
from tests.compute.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    before = open_files()
    workshop = Workshop(tmp_path)
    yield workshop
    await workshop.close()
    assert workshop.engine.size == 0
    assert lasting(open_files() - before) == set(), "descriptors are left open"
    assert len(asyncio.all_tasks()) == 1, "tasks are left behind"


@pytest.fixture(params=LEVELS)
async def yard(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Yard]:
    """The same for runtimes and extensions of the tests' own, at each sandbox level."""
    async with _checked(tmp_path, request.param) as yard:
        yield yard


@pytest.fixture
async def walled(tmp_path: Path) -> AsyncIterator[Yard]:
    """The same where there are walls."""
    async with _checked(tmp_path, WALLED) as yard:
        yield yard


@asynccontextmanager
async def _checked(folder: Path, level: str) -> AsyncIterator[Yard]:
    before = open_files()
    yard = Yard(folder, level)
    if problem := await yard.refusal():
        await yard.close()
        pytest.skip(problem)
    yield yard
    await yard.close()
    assert yard.engine.size == 0
    assert lasting(open_files() - before) == set(), "descriptors are left open"
    assert len(asyncio.all_tasks()) == 1, "tasks are left behind"


def lasting(files: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without what a thread of the network's guard is closing at this moment."""
    return {file for file in files if "seccomp notify" not in file[1]}


def open_files() -> set[tuple[str, str]]:
    """The descriptors of this process and what they point at."""
    files = set()
    for number in Path("/proc/self/fd").iterdir():
        try:
            files.add((number.name, str(number.readlink())))
        except FileNotFoundError:
            continue  # the listing's own
    return files
