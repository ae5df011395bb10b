"""A Runtime API for every test, on both event loops: uvloop, which the product uses, and asyncio's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.compute.runtime_api.harness import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop everywhere; asyncio's own too where only sockets and no other processes are tested."""
    if item.path.stem in ("test_official_client", "test_shell"):
        return {"uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Checks that it leaves no task behind."""
    bench = Bench()
    yield bench
    await bench.close()
    assert len(asyncio.all_tasks()) == 1, "tasks are left behind"
