"""How fast the store is on this machine: `python -m tests.store.measure [FOLDER]`, against the bare disk's own rate."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.store.blobs import Blobs
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.store.api import Row, Transaction

SECONDS = 2.0
SCHEMA = {"0001_items.sql": "CREATE TABLE items (name TEXT PRIMARY KEY, content BLOB NOT NULL);"}
PUT = """
    INSERT INTO items (name, content) VALUES (:name, :content)
    ON CONFLICT (name) DO UPDATE SET content = excluded.content
"""
CONTENT = bytes(200)


def put(tx: Transaction, name: str) -> int:
    return tx.run(PUT, name=name, content=CONTENT)


def get(tx: Transaction, name: str) -> Row | None:
    return tx.one("SELECT content FROM items WHERE name = :name", name=name)


async def rate(clients: int, operation: Callable[[str], Awaitable[object]]) -> float:
    """How many operations a second `clients` callers get who each wait for one before the next."""
    end = time.perf_counter() + SECONDS

    async def client(number: int) -> int:
        done = 0
        while time.perf_counter() < end:
            await operation(f"{number}-{done % 1000}")
            done += 1
        return done

    return sum(await asyncio.gather(*map(client, range(clients)))) / SECONDS


def bare_disk(folder: Path) -> float:
    """How many times a second this disk appends 200 bytes and flushes them."""
    done, end = 0, time.perf_counter() + SECONDS
    with (folder / "bare").open("wb", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(CONTENT)
            os.fdatasync(file.fileno())
            done += 1
    return done / SECONDS


async def measure(folder: Path) -> None:
    store = await SqliteStore.open(folder / "data", {"items": write_schema(folder / "schema", SCHEMA)})
    blobs = Blobs(folder / "data")
    base = await asyncio.to_thread(bare_disk, folder)
    print(f"{'bare append and flush':32} {base:9.0f}/s")

    async def durable_put(name: str) -> None:
        await store.write(partial(put, name=name))

    async def point_read(name: str) -> None:
        await store.read(partial(get, name=name))

    async def blob_put(name: str) -> None:
        await blobs.put(os.urandom(1000))

    for what, operation in (("durable put", durable_put), ("point read", point_read), ("blob put, 1 kB", blob_put)):
        for clients in (1, 16):
            result = await rate(clients, operation)
            print(f"{what + f', {clients} clients':32} {result:9.0f}/s  {result / base:6.2f} of the bare disk")
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        asyncio.run(measure(Path(temporary)))
