"""How fast the store is on this machine: `python -m tests.store.measure [FOLDER]`, against the bare disk's own rate."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from lambent.store.blobs import Blobs
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from io import FileIO

    from lambent.store.api import Row, Transaction

SLICE_S = 0.3
SCHEMA = {"0001_items.sql": "CREATE TABLE items (name TEXT PRIMARY KEY, content BLOB NOT NULL);"}
PUT = """
    INSERT INTO items (name, content) VALUES (:name, :content)
    ON CONFLICT (name) DO UPDATE SET content = excluded.content
"""
CONTENT = bytes(200)
PAGE = 4096
LOG = 1000 * PAGE


def put(tx: Transaction, name: str) -> int:
    return tx.run(PUT, name=name, content=CONTENT)


def get(tx: Transaction, name: str) -> Row | None:
    return tx.one("SELECT content FROM items WHERE name = :name", name=name)


async def rate(clients: int, operation: Callable[[str], Awaitable[object]]) -> float:
    """How many operations a second `clients` callers get who each wait for one before the next."""
    began = time.perf_counter()

    async def client(number: int) -> int:
        done = 0
        while time.perf_counter() < began + SLICE_S:
            await operation(f"{number}-{done}")
            done += 1
        return done

    done = sum(await asyncio.gather(*map(client, range(clients))))
    return done / (time.perf_counter() - began)


def bare_disk(file: FileIO) -> float:
    """How many times a second this disk overwrites 200 bytes and flushes them, as a database does with its log."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() < began + SLICE_S:
        os.pwrite(file.fileno(), CONTENT, done * PAGE % LOG)
        os.fdatasync(file.fileno())
        done += 1
    return done / (time.perf_counter() - began)


async def measure(folder: Path) -> None:
    store = await SqliteStore.open(folder / "data", {"items": write_schema(folder / "schema", SCHEMA)})
    blobs = Blobs(folder / "data")

    async def durable_put(name: str) -> None:
        await store.write(partial(put, name=name))

    async def point_read(name: str) -> None:
        await store.read(partial(get, name=name))

    async def blob_put(name: str) -> None:
        await blobs.put(os.urandom(1000))

    with (folder / "bare").open("wb", buffering=0) as file:
        file.write(bytes(LOG))
        os.fsync(file.fileno())
        for what, operation in (("durable put", durable_put), ("blob put, 1 kB", blob_put), ("point read", point_read)):
            for clients in (1, 16):
                # Side by side in slices, because a disk that others use changes its speed from moment to moment.
                pairs = [(await asyncio.to_thread(bare_disk, file), await rate(clients, operation)) for _ in range(8)]
                base, result = (median(column) for column in zip(*pairs, strict=True))
                print(f"{what + f', {clients} clients':28} {result:8.0f}/s   flushes alone {base:8.0f}/s")
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        asyncio.run(measure(Path(temporary)))
