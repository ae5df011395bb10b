"""Blobs: files named by the sha256 of their content, written once, durable before anybody learns the name."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import tempfile
import threading
from contextlib import aclosing, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import msgspec

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.clock import SystemClock
from lambent.store import folder as folders
from lambent.store.errors import NoSuchBlob, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

    from lambent.kernel.clock import Clock

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Blob(msgspec.Struct, frozen=True):
    """A stored content: the hex digest that names it and its size in bytes."""

    digest: str
    size: int


class Blobs:
    """The blobs in the data folder `folder`, each at `blobs/ab/abcd...`. Reading and writing happen on threads."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        """Create what is missing of the folder. Raises FolderUnusable."""
        self._clock = clock or SystemClock()
        self._root = folder / "blobs"
        self._incoming = self._root / "incoming"
        folders.prepare(self._root)
        folders.prepare(self._incoming)
        self._shards: set[Path] = set()
        # Held between looking at a blob and changing its name or age, so a sweep never takes what a put relies on.
        self._names = threading.Lock()

    async def put(self, data: bytes | AsyncIterable[bytes], limit: int = limits.BLOB_BYTES) -> Blob:
        """Store `data` and return its name once it survives a power cut; what is there already is not rewritten.

        Raises BodyTooLarge where more than `limit` bytes come, StoreError where the disk fails; after any error
        nothing is kept.
        """
        incoming = _Incoming(self._incoming)
        try:
            await _step(incoming.open)
            async with aclosing(_chunks(data)) as chunks:
                async for chunk in chunks:
                    if incoming.size + len(chunk) > limit:
                        raise BodyTooLarge(limit)
                    await _step(incoming.write, chunk)
            return await _step(self._finish, incoming)
        finally:
            await _step(incoming.discard)

    def path(self, digest: str) -> Path:
        """Where the blob lies, or would lie. Raises ValueError for what is not a lower-case hex sha256."""
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"not a blob's digest: {digest!r}")
        return self._root / digest[:2] / digest

    async def size(self, digest: str) -> int:
        """How many bytes the blob has. Raises NoSuchBlob."""
        return (await _step(self._find, digest)).st_size

    async def chunks(self, digest: str) -> AsyncIterator[bytes]:
        """The content piece by piece, to its end even if it is deleted meanwhile. Raises NoSuchBlob."""
        try:
            file = await _step(self.path(digest).open, "rb", buffering=0)
        except FileNotFoundError:
            raise NoSuchBlob(digest) from None
        try:
            while chunk := await _step(file.read, limits.BLOB_CHUNK_BYTES):
                yield chunk
        finally:
            file.close()

    def touch(self, digest: str) -> None:
        """Let the blob, if it is there, count as put now. Blocks, hardly; for transactions, which run on a thread."""
        with self._names, suppress(FileNotFoundError):
            now = self._clock.time()
            _on_disk(os.utime, self.path(digest), (now, now))

    async def sweep(self, live: set[str], older_than_s: float) -> int:
        """Remove the blobs not in `live`, and half-written ones, that nobody has put or touched for `older_than_s`.

        A blob is put before the row that names it, so the age must be well over what a caller takes between the two.
        Returns how many files were removed.
        """
        return await _step(self._sweep, frozenset(live), self._clock.time() - older_than_s)

    def _find(self, digest: str) -> os.stat_result:
        try:
            return self.path(digest).stat()
        except FileNotFoundError:
            raise NoSuchBlob(digest) from None

    def _finish(self, incoming: _Incoming) -> Blob:
        blob = incoming.blob()
        path = self.path(blob.digest)
        self._make_shard(path.parent)
        if not _holds(path, blob):
            incoming.flush()
        with self._names:
            if not _holds(path, blob):
                incoming.keep(path)
            now = self._clock.time()
            os.utime(path, (now, now))
        # Also where the name was there: whoever made it may not have come as far as this yet.
        folders.sync(path.parent)
        return blob

    def _make_shard(self, shard: Path) -> None:
        """Create the folder that blobs with the same first two digits share, durable before anything lies in it."""
        if shard not in self._shards:
            shard.mkdir(mode=0o700, exist_ok=True)
            folders.sync(self._root)
            self._shards.add(shard)

    def _sweep(self, live: frozenset[str], before: float) -> int:
        stale = [path for path in self._root.glob("*/*") if path.name not in live]
        return sum(self._expire(path, before) for path in stale)

    def _expire(self, path: Path, before: float) -> bool:
        with self._names, suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
                return True
        return False


class _Incoming:
    """A blob on its way in: a private file that is hashed while it is written, then renamed or removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hash = hashlib.sha256()
        self._flushed = False
        self._path: Path | None = None
        self._file: FileIO | None = None
        self.size = 0

    def open(self) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder)
        self._path = Path(name)
        self._file = FileIO(handle, "wb")

    def write(self, chunk: bytes) -> None:
        assert self._file is not None
        self._hash.update(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(chunk)

    def blob(self) -> Blob:
        return Blob(self._hash.hexdigest(), self.size)

    def flush(self) -> None:
        assert self._file is not None
        if not self._flushed:
            os.fsync(self._file.fileno())
            self._flushed = True

    def keep(self, path: Path) -> None:
        """Flush the content, then give it its name: a name never stands for less than the whole."""
        assert self._path is not None
        self.flush()
        self._path.rename(path)
        self._path = None

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _holds(path: Path, blob: Blob) -> bool:
    try:
        return path.stat().st_size == blob.size
    except FileNotFoundError:
        return False


async def _chunks(data: bytes | AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The data in pieces that are worth a step on a thread each."""
    if isinstance(data, bytes):
        yield data
        return
    gathered = bytearray()
    async for chunk in data:
        gathered += chunk
        if len(gathered) >= limits.BLOB_CHUNK_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


async def _step(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` on a thread to its end, even where the caller is cancelled: a file is never closed under a writer."""
    step = asyncio.get_running_loop().run_in_executor(None, lambda: _on_disk(work, *args, **kwargs))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        while not step.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({step})
        if (failure := step.exception()) is not None:
            log.warning("a step on a blob that was cancelled had failed: %s", failure)
        raise


def _on_disk(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return work(*args, **kwargs)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"a blob could not be stored or read: {error.strerror}") from error
