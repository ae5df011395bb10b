"""The store's fixtures: every behaviour runs on every engine that is named here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

ENGINES = {"sqlite": SqliteStore.open}

SCHEMA = {
    "0001_accounts.sql": "CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL, record BLOB);",
    "0002_entries.sql": """
        CREATE TABLE entries (
            account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            PRIMARY KEY (account, number)
        );
    """,
}


def write_schema(folder: Path, files: dict[str, str]) -> Path:
    """A service's schema folder with `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sql in files.items():
        (folder / name).write_text(sql)
    return folder


@pytest.fixture(params=ENGINES)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[SqliteStore]]]:
    """Opens the store of this test, after closing it where it is open."""
    schema = write_schema(tmp_path / "schema", SCHEMA)
    opened: list[SqliteStore] = []

    async def again() -> SqliteStore:
        for store in opened:
            await store.close()
        opened.append(await ENGINES[request.param](tmp_path / "data", {"bank": schema}))
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Callable[[], Awaitable[SqliteStore]]) -> SqliteStore:
    """An empty store with the tables `accounts` and `entries`."""
    return await reopen()
