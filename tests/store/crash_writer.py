"""The program that the crash test kills: it writes without end and prints the name of each write once it is answered.

A transaction `NAME` puts `size` parts and sends `events` events; it may refer to a blob. One whose name starts with
`undone` always raises. The outbox delivers into the table `delivered` meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.kernel.clock import SystemClock
from lambent.store.blobs import Blobs
from lambent.store.outbox import Outbox
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from lambent.kernel.targets import Attribute, Sender
    from lambent.store.api import Transaction

CLIENTS = 8
SCHEMA = """
CREATE TABLE transactions (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, events INTEGER NOT NULL, blob TEXT, blob_size INTEGER
);
CREATE TABLE parts (name TEXT NOT NULL, number INTEGER NOT NULL, filling BLOB NOT NULL, PRIMARY KEY (name, number));
CREATE TABLE delivered (number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, event TEXT NOT NULL);
"""


def say(line: str) -> None:
    """One system call for one line: a kill leaves it whole or out."""
    os.write(1, f"{line}\n".encode())


def transaction(tx: Transaction, name: str, size: int, events: int, blob: str | None, blob_size: int) -> None:
    tx.run(
        "INSERT INTO transactions (name, size, events, blob, blob_size) VALUES (:name, :size, :events, :blob, :bytes)",
        name=name,
        size=size,
        events=events,
        blob=blob,
        bytes=blob_size,
    )
    for number in range(size):
        tx.run(
            "INSERT INTO parts (name, number, filling) VALUES (:name, :number, :filling)",
            name=name,
            number=number,
            filling=bytes(number * 100),
        )
    for number in range(events):
        tx.send(f"arn:{name.rpartition('-')[0]}", f"{name}/{number:03}".encode())
    if name.startswith("undone"):
        raise LookupError(name)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    half = len(content) // 2
    yield content[:half]
    yield content[half:]


async def client(store: SqliteStore, blobs: Blobs, run: str, number: int) -> None:
    chance = random.Random(f"{run}-{number}")
    step = 0
    while True:
        step += 1
        digest, blob_size = None, 0
        if chance.random() < 0.3:
            content = chance.randbytes(chance.randrange(100_000))
            blob = await blobs.put(content if chance.random() < 0.5 else pieces(content))
            digest, blob_size = blob.digest, blob.size
        kind = "undone" if chance.random() < 0.1 else "kept"
        name = f"{kind}-{run}-{number}-{step:06}"
        size, events = chance.randrange(1, 12), chance.choice([0, 0, 1, 3])
        try:
            await store.write(
                partial(transaction, name=name, size=size, events=events, blob=digest, blob_size=blob_size)
            )
        except LookupError:
            continue
        say(name)


def ordered(arn: str) -> bool:
    """Whether the events for the target come one after another: they do for every second client."""
    return int(arn.rpartition("-")[2]) % 2 == 1


class Road:
    """The targets, which write down what they take."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def ordered(self, arn: str) -> bool:
        return ordered(arn)

    async def deliver(
        self, arn: str, event: bytes, trace: str, sender: Sender | None, attributes: Mapping[str, Attribute]
    ) -> None:
        sql = "INSERT INTO delivered (target, event) VALUES (:target, :event)"
        await self._store.write(lambda tx: tx.run(sql, target=arn, event=event.decode()))


async def main(folder: Path, run: str) -> None:
    store = await SqliteStore.open(folder / "data", {"crash": folder / "schema"})
    blobs = Blobs(folder / "data")

    say("ready")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Outbox(store, Road(store), SystemClock()).run())
        for number in range(CLIENTS):
            tasks.create_task(client(store, blobs, run, number))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
