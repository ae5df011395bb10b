"""A store with the service's tables, and its facts on a virtual clock, for tests without a server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from lambent.kernel.clock import VirtualClock
from lambent.kernel.tasks import Supervisor
from lambent.services.logs.facts import LogFacts
from lambent.services.logs.workers import Sweeper
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Bench:
    """The parts of the service, with its workers under way."""

    def __init__(self, store: SqliteStore, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.facts = LogFacts(store, clock)
        self.sweeper = Sweeper(store, clock)

    @property
    def now_ms(self) -> int:
        """The virtual time in milliseconds."""
        return int(self.clock.time() * 1000)

    async def messages(self, group: str | None = None) -> list[tuple[str, str, str]]:
        """Group, stream and message of every event in the store, in the order they came."""
        from lambent.services.logs.rules.chunks import unpack

        rows = await self.store.read(
            lambda tx: tx.all(
                "SELECT g.name, s.name, c.data FROM logs_chunk c JOIN logs_stream s ON s.id = c.stream_id"
                " JOIN logs_group g ON g.id = s.group_id ORDER BY c.id"
            )
        )
        return [(name, stream, message) for name, stream, data in rows for message in unpack(data).messages]

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        rows = await self.store.read(lambda tx: tx.all(f"SELECT count(*) FROM {table}"))
        return int(rows[0][0])


@asynccontextmanager
async def bench_in(folder: Path) -> AsyncIterator[Bench]:
    """A bench on the data in `folder`."""
    store = await SqliteStore.open(folder, {"logs": files("lambent.services.logs") / "schema"})
    clock = VirtualClock()
    bench = Bench(store, clock)
    supervisor = Supervisor(clock)
    supervisor.keep("flush", bench.facts.run)
    supervisor.keep("sweep", bench.sweeper.run)
    try:
        yield bench
    finally:
        await bench.facts.close()
        await supervisor.stop()
        await store.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench with an empty store."""
    async with bench_in(tmp_path / "data") as made:
        yield made
