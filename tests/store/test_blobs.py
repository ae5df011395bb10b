"""Blobs: content under its own hash, whole or not at all, durable before its name is known."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.clock import VirtualClock
from lambent.store.blobs import Blob, Blobs
from lambent.store.errors import FolderUnusable, NoSuchBlob

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DAY_S = 24 * 3600.0


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content_of(blobs: Blobs, digest: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.chunks(digest)])


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "blobs")) for path in folder.rglob("*") if path.is_file())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


async def test_a_blob_is_read_back_under_its_hash(blobs: Blobs, tmp_path: Path) -> None:
    blob = await blobs.put(b"content")
    assert blob == Blob(digest(b"content"), 7)
    assert await content_of(blobs, blob.digest) == b"content"
    assert await blobs.size(blob.digest) == 7
    assert everything(tmp_path) == [f"{blob.digest[:2]}/{blob.digest}"]
    assert blobs.path(blob.digest).stat().st_mode & 0o777 == 0o600


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    for data in (b"", stream()):
        blob = await blobs.put(data)
        assert blob == Blob(digest(b""), 0)
    assert await content_of(blobs, blob.digest) == b""
    assert [chunk async for chunk in blobs.chunks(blob.digest)] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(chunks=some.lists(some.binary(max_size=2000), max_size=20))
async def test_a_stream_gives_the_same_blob_as_its_bytes(blobs: Blobs, chunks: list[bytes]) -> None:
    streamed = await blobs.put(stream(*chunks))
    assert streamed == await blobs.put(b"".join(chunks))
    assert await content_of(blobs, streamed.digest) == b"".join(chunks)


async def test_a_large_stream_comes_back_in_pieces(blobs: Blobs) -> None:
    chunks = [os.urandom(100_000) for _ in range(20)]
    blob = await blobs.put(stream(*chunks))
    pieces = [piece async for piece in blobs.chunks(blob.digest)]
    assert b"".join(pieces) == b"".join(chunks)
    assert max(map(len, pieces)) <= limits.BLOB_CHUNK_BYTES


async def test_concurrent_puts_of_one_content_agree(blobs: Blobs, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    puts = await asyncio.gather(*(blobs.put(content if n % 2 else stream(content)) for n in range(20)))
    assert set(puts) == {Blob(digest(content), len(content))}
    assert await content_of(blobs, puts[0].digest) == content
    assert len(everything(tmp_path)) == 1


async def test_what_is_there_is_not_written_again(blobs: Blobs) -> None:
    blob = await blobs.put(b"content")
    before = blobs.path(blob.digest).stat().st_ino
    await blobs.put(b"content")
    assert blobs.path(blob.digest).stat().st_ino == before


async def test_a_blob_that_lost_its_end_is_written_again(blobs: Blobs) -> None:
    blob = await blobs.put(b"content")
    os.truncate(blobs.path(blob.digest), 3)
    await blobs.put(b"content")
    assert await content_of(blobs, blob.digest) == b"content"


@pytest.mark.parametrize("limit", [0, 6])
async def test_more_than_the_limit_is_refused_and_leaves_nothing(blobs: Blobs, tmp_path: Path, limit: int) -> None:
    for data in (b"content", stream(b"con", b"tent")):
        with pytest.raises(BodyTooLarge) as refused:
            await blobs.put(data, limit)
        assert refused.value.limit == limit
    assert everything(tmp_path) == []
    assert (await blobs.put(b"content", 7)).size == 7


async def test_a_stream_over_the_limit_is_not_read_to_its_end(blobs: Blobs) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(limits.BLOB_CHUNK_BYTES)

    with pytest.raises(BodyTooLarge):
        await blobs.put(endless(), 3 * limits.BLOB_CHUNK_BYTES)
    assert asked == 4


async def test_a_stream_that_breaks_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(limits.BLOB_CHUNK_BYTES)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.put(broken())
    assert everything(tmp_path) == []


async def test_a_cancelled_put_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(limits.BLOB_CHUNK_BYTES)
        waiting.set()
        await asyncio.Event().wait()

    put = asyncio.create_task(blobs.put(slow()))
    await waiting.wait()
    assert len(everything(tmp_path)) == 1
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert everything(tmp_path) == []


async def test_a_put_cancelled_at_any_moment_leaves_all_or_nothing(blobs: Blobs, tmp_path: Path) -> None:
    content = os.urandom(3 * limits.BLOB_CHUNK_BYTES)
    for turns in range(40):
        put = asyncio.create_task(blobs.put(stream(content, content)))
        for _ in range(turns):
            await asyncio.sleep(0)
        put.cancel()
        await asyncio.gather(put, return_exceptions=True)
        assert everything(tmp_path) in ([], [f"{digest(content * 2)[:2]}/{digest(content * 2)}"])
    assert [thread for thread in threading.enumerate() if thread.name.startswith("store")] == []


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "/" + "a" * 63]
)
async def test_what_is_not_a_digest_never_becomes_a_path(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob's digest"):
        blobs.path(name)
    for ask in (blobs.size, partial(content_of, blobs)):
        with pytest.raises(ValueError, match="not a blob's digest"):
            await ask(name)


async def test_a_missing_blob_has_an_error_of_its_own(blobs: Blobs) -> None:
    with pytest.raises(NoSuchBlob, match="a" * 64):
        await blobs.size("a" * 64)
    with pytest.raises(NoSuchBlob, match="a" * 64):
        await content_of(blobs, "a" * 64)


async def test_a_deleted_blob_is_gone_but_its_reader_comes_to_the_end(blobs: Blobs) -> None:
    content = os.urandom(3 * limits.BLOB_CHUNK_BYTES)
    blob = await blobs.put(content)
    reader = blobs.chunks(blob.digest)
    first = await anext(reader)
    blobs.path(blob.digest).unlink()
    assert first + b"".join([chunk async for chunk in reader]) == content
    with pytest.raises(NoSuchBlob):
        await content_of(blobs, blob.digest)


async def test_a_sweep_removes_what_nobody_names_and_is_old(tmp_path: Path) -> None:
    clock = VirtualClock()
    blobs = Blobs(tmp_path, clock)
    live, dead = await blobs.put(b"live"), await blobs.put(b"dead")
    await clock.advance(DAY_S)
    young = await blobs.put(b"young")
    assert await blobs.sweep({live.digest}, DAY_S / 2) == 1
    assert await content_of(blobs, live.digest) == b"live"
    assert await content_of(blobs, young.digest) == b"young"
    with pytest.raises(NoSuchBlob):
        await content_of(blobs, dead.digest)


async def test_putting_an_old_blob_again_saves_it_from_the_sweep(tmp_path: Path) -> None:
    clock = VirtualClock()
    blobs = Blobs(tmp_path, clock)
    blob = await blobs.put(b"again")
    await clock.advance(DAY_S)
    await blobs.put(b"again")
    assert await blobs.sweep(set(), DAY_S / 2) == 0
    assert await content_of(blobs, blob.digest) == b"again"


async def test_a_sweep_removes_what_a_crash_left_half_written(blobs: Blobs, tmp_path: Path) -> None:
    stale, fresh = tmp_path / "blobs" / "incoming" / "stale", tmp_path / "blobs" / "incoming" / "fresh"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (0, 0))
    assert await blobs.sweep(set(), DAY_S) == 1
    assert everything(tmp_path) == ["incoming/fresh"]


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from lambent.store.blobs import Blobs
from lambent.store.errors import StoreError

async def main():
    blobs = Blobs(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        await blobs.put(bytes(2_000_000))
    except StoreError as error:
        print(error)
    print((await blobs.put(bytes(500_000))).size)

asyncio.run(main())
"""


def test_a_full_disk_keeps_nothing_and_has_an_error_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout.splitlines() == ["a blob could not be stored or read: File too large", "500000"], child.stderr
    assert len(everything(tmp_path)) == 1


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(FolderUnusable):
        Blobs(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files in /proc")
async def test_no_file_stays_open(blobs: Blobs) -> None:
    await blobs.put(b"warm the thread pool up")
    before = open_files()
    for number in range(20):
        blob = await blobs.put(str(number).encode())
        await content_of(blobs, blob.digest)
    assert open_files() == before
