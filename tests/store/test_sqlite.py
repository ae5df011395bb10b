"""The embedded engine alone: its durability settings, its files, its folder lock, and a disk that fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.store import folder
from lambent.store.errors import DatabaseDamaged, FolderInUse, FolderUnusable, StoreError
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.store.api import Transaction

ITEMS = {"0001_items.sql": "CREATE TABLE items (name TEXT PRIMARY KEY, content BLOB);"}


async def open_items(folder: Path) -> SqliteStore:
    return await SqliteStore.open(folder / "data", {"items": write_schema(folder / "schema", ITEMS)})


def put(tx: Transaction, name: str, content: bytes = b"") -> None:
    tx.run("INSERT INTO items (name, content) VALUES (:name, :content)", name=name, content=content)


def run_child(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def store_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("store-")]


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    for run in (store.read, store.write):
        assert await run(lambda tx: tx.one("PRAGMA journal_mode")) == ("wal",)
        assert await run(lambda tx: tx.one("PRAGMA synchronous")) == (2,)
        assert await run(lambda tx: tx.one("PRAGMA foreign_keys")) == (1,)
    await store.close()


async def test_concurrent_writes_share_commits(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    before = store.statements
    await asyncio.gather(*(store.write(partial(put, name=str(number))) for number in range(300)))
    framing = store.statements - before - 3 * 300  # a savepoint, its release and the insert are each work's own
    await store.close()
    assert framing % 2 == 0
    assert framing / 2 < 100


async def test_works_run_on_threads_of_the_store(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    writers = {await store.write(lambda tx: threading.current_thread().name) for _ in range(20)}
    readers = {await store.read(lambda tx: threading.current_thread().name) for _ in range(20)}
    await store.close()
    assert writers == {"store-writer-0"}
    assert readers <= {f"store-reader-{number}" for number in range(limits.STORE_READERS)}


async def test_a_transaction_is_of_no_use_outside_its_work(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    kept = await store.write(lambda tx: tx)
    with pytest.raises(StoreError, match="thread"):
        put(kept, "stray")
    await store.close()


async def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    store = await open_items(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    await store.close()
    assert modes == dict.fromkeys(["lambent.db", "lambent.db-wal", "lambent.db-shm", "lock"], 0o600)


async def test_a_new_folder_is_the_owners_alone(tmp_path: Path) -> None:
    store = await open_items(tmp_path / "deep" / "down")
    assert (tmp_path / "deep" / "down" / "data").stat().st_mode & 0o777 == 0o700
    await store.close()


async def test_every_folder_that_is_made_is_flushed_into_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    sync = folder.sync

    def noted(path: Path) -> None:
        flushed.append(path)
        sync(path)

    monkeypatch.setattr(folder, "sync", noted)
    folder.prepare(tmp_path / "deep" / "down" / "data")
    assert flushed == [tmp_path, tmp_path / "deep", tmp_path / "deep" / "down"]


@pytest.mark.parametrize("before", [(), ("lambent.db",), ("lambent.db", "blobs", "lost+found")])
async def test_a_data_folder_that_others_can_read_is_closed(tmp_path: Path, before: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in before:
        (data / name).touch()
    data.chmod(0o755)
    store = await open_items(tmp_path)
    assert data.stat().st_mode & 0o777 == 0o700
    await store.close()


async def test_a_folder_with_other_things_in_it_stays_open_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    (data / "photos").mkdir(parents=True)
    data.chmod(0o755)
    store = await open_items(tmp_path)
    assert data.stat().st_mode & 0o777 == 0o755
    assert f"other users can look into the data folder {data}" in caplog.text
    await store.close()


async def test_a_folder_of_another_user_stays_open_and_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: data.stat().st_uid + 1)
    store = await open_items(tmp_path)
    assert data.stat().st_mode & 0o777 == 0o755
    assert "other users can look into" in caplog.text
    await store.close()


async def test_closing_leaves_one_file_with_everything(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    await store.write(partial(put, name="a"))
    await store.close()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["lambent.db", "lock"]
    plain = sqlite3.connect(tmp_path / "data" / "lambent.db")
    assert plain.execute("SELECT name FROM items").fetchall() == [("a",)]
    plain.close()


async def test_closing_ends_the_threads(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    assert len(store_threads()) == 1 + limits.STORE_READERS
    await store.close()
    assert store_threads() == []


async def test_a_second_store_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    with pytest.raises(FolderInUse, match=f"in use by process {os.getpid()}") as refused:
        await open_items(tmp_path)
    assert refused.value.pid == os.getpid()
    assert await store.write(partial(put, name="a")) is None
    await store.close()
    await (await open_items(tmp_path)).close()


async def test_another_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    script = """
import asyncio, sys
from pathlib import Path
from lambent.store.errors import FolderInUse
from lambent.store.sqlite import SqliteStore
try:
    asyncio.run(SqliteStore.open(Path(sys.argv[1]), {}))
except FolderInUse as error:
    print(error.pid)
"""
    child = await asyncio.to_thread(run_child, script, tmp_path / "data")
    await store.close()
    assert child.stdout == f"{os.getpid()}\n", child.stderr


async def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(FolderUnusable, match=r"cannot use .*/data for data: File exists"):
        await open_items(tmp_path)


READ_ONLY = """
import os, sys
from pathlib import Path
from lambent.store.errors import FolderUnusable
from lambent.store.folder import FolderLock, prepare

os.chdir(sys.argv[1])
if os.getuid() == 0:
    os.setuid(65534)  # permissions do not bind root
for attempt in (lambda: FolderLock(Path(".")), lambda: prepare(Path("deeper"))):
    try:
        attempt()
    except FolderUnusable as error:
        print(error)
"""


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o555)
    child = run_child(READ_ONLY, folder)
    assert child.stdout.splitlines() == [
        "cannot use lock for data: Permission denied",
        "cannot use deeper for data: Permission denied",
    ], child.stderr


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lambent.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(DatabaseDamaged, match="restore it from a backup"):
        await open_items(tmp_path)


async def test_a_damaged_database_is_named_and_the_folder_is_free_again(tmp_path: Path) -> None:
    store = await open_items(tmp_path)
    for number in range(50):
        await store.write(partial(put, name=str(number), content=os.urandom(3000)))
    await store.close()
    database = tmp_path / "data" / "lambent.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(DatabaseDamaged):
        await open_items(tmp_path)
    database.write_bytes(whole)
    store = await open_items(tmp_path)
    assert await store.read(lambda tx: tx.one("SELECT COUNT(*) FROM items")) == (50,)
    await store.close()


FULL_DISK = """
import asyncio, resource, sys
from functools import partial
from pathlib import Path
from lambent.store.errors import StoreError
from lambent.store.sqlite import SqliteStore

def put(tx, name, size):
    tx.run("INSERT INTO items (name, content) VALUES (:name, :content)", name=name, content=bytes(size))

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    folder = Path(sys.argv[1])
    store = await SqliteStore.open(folder / "data", {"items": folder / "schema"})
    await store.write(partial(put, name="before", size=10))
    limit(200_000)
    works = [store.write(partial(put, name=f"{number}", size=5_000)) for number in range(100)]
    answers = await asyncio.gather(*works, return_exceptions=True)
    kept = [str(number) for number, answer in enumerate(answers) if answer is None]
    failed = [answer for answer in answers if answer is not None]
    assert failed and all(type(answer) is StoreError for answer in failed), failed
    assert all("nothing was stored: " in str(answer) for answer in failed), failed
    limit(resource.RLIM_INFINITY)
    await store.write(partial(put, name="after", size=10))
    rows = await store.read(lambda tx: tx.all("SELECT name FROM items"))
    assert sorted(row[0] for row in rows) == sorted(["before", "after", *kept]), rows
    await store.close()
    store = await SqliteStore.open(folder / "data", {"items": folder / "schema"})
    assert await store.read(lambda tx: tx.all("SELECT name FROM items")) == rows
    assert await store.read(lambda tx: tx.one("PRAGMA integrity_check")) == ("ok",)
    await store.close()
    print(len(failed), "failed,", len(kept), "kept:", failed[0])

asyncio.run(main())
"""


def test_a_full_disk_fails_the_group_claims_nothing_and_passes(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema", ITEMS)
    child = run_child(FULL_DISK, tmp_path)
    assert child.returncode == 0, child.stderr
    assert "failed" in child.stdout
