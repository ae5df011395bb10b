"""SIGKILL in the middle of a stream of writes: nothing acknowledged is lost and nothing half-made is visible."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from lambent.store.sqlite import SqliteStore
from tests.store import crash_writer
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.store.api import Transaction


def run_until_killed(folder: Path, run: str, acknowledgements: int) -> set[str]:
    """Kill the writer once it has answered so many writes, or before its first; returns all that it answered."""
    child = subprocess.Popen(
        [sys.executable, crash_writer.__file__, str(folder), run], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        lines = list(islice(child.stdout, acknowledgements))
        child.kill()
        lines += child.stdout.readlines()
        complaints = child.stderr.read().decode()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()
    assert child.returncode == -9, complaints
    assert complaints == ""
    return {line.decode().strip() for line in lines} - {"ready"}


class State:
    """What a reopened store holds."""

    def __init__(self, tx: Transaction) -> None:
        self.transactions = {
            row[0]: row[1:] for row in tx.all("SELECT name, size, events, blob, blob_size FROM transactions")
        }
        self.parts = defaultdict(list)
        for name, number, size in tx.all("SELECT name, number, LENGTH(filling) FROM parts ORDER BY name, number"):
            self.parts[name].append((number, size))
        self.waiting = {row[0].decode() for row in tx.all("SELECT event FROM outbox")}
        self.delivered = tx.all("SELECT target, event FROM delivered ORDER BY number")
        self.dead = tx.all("SELECT * FROM dead_events")
        self.integrity = tx.one("PRAGMA integrity_check")
        self.foreign_keys = tx.all("PRAGMA foreign_key_check")


def check(state: State, acknowledged: set[str], blobs: Path) -> None:
    assert state.integrity == ("ok",)
    assert state.foreign_keys == []
    assert acknowledged <= state.transactions.keys(), "an acknowledged write is lost"
    assert [name for name in state.transactions if name.startswith("undone")] == []
    check_whole(state)
    check_events(state)
    check_blobs(state, blobs)


def check_whole(state: State) -> None:
    assert state.parts.keys() == state.transactions.keys(), "parts without their transaction"
    for name, (size, *_) in state.transactions.items():
        assert state.parts[name] == [(number, number * 100) for number in range(size)], f"{name} is half-made"


def check_events(state: State) -> None:
    """Each event of each transaction waits or was delivered, at least once; in the order it was sent where one is kept.

    What is delivered once more counts by its first time.
    """
    sent = {f"{name}/{number:03}" for name, row in state.transactions.items() for number in range(row[1])}
    assert state.waiting | {event for _, event in state.delivered} == sent
    assert state.dead == []
    first: dict[str, list[str]] = defaultdict(list)
    for target, event in dict.fromkeys(state.delivered):
        first[target].append(event)
    for target, events in first.items():
        assert events == sorted(events) or not crash_writer.ordered(target), f"{target} got its events out of order"


def check_blobs(state: State, blobs: Path) -> None:
    there = {path.name: path for path in blobs.glob("??/*")}
    for name, path in there.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == name, f"blob {name} is half-made"
    for _, _, digest, size in state.transactions.values():
        assert digest is None or there[digest].stat().st_size == size


async def survive(folder: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    schema = write_schema(folder / "schema", {"0001_crash.sql": crash_writer.SCHEMA})
    acknowledged: set[str] = set()
    for run in range(kills):
        # The first kills come while the database is being made; 1 is the line that says it is ready.
        wanted = run if run < 2 else chance.randrange(2, 200)
        acknowledged |= run_until_killed(folder, f"{seed}.{run:04}", wanted)
        store = await SqliteStore.open(folder / "data", {"crash": schema})
        state = await store.read(State)
        await store.close()
        check(state, acknowledged, folder / "data" / "blobs")
    assert len(acknowledged) > kills


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    await survive(tmp_path, seed=2, kills=8)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(6))
async def test_a_hundred_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    await survive(tmp_path, seed=100 + seed, kills=20)
