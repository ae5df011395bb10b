"""Function packages, unpacked once per content into a folder that all environments share."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lambent.compute.archive import unpack

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Blobs(Protocol):
    """Where packages lie."""

    def path(self, digest: str) -> Path:
        """The file with the content of that sha256 (hex)."""


class CodeFolder:
    """`folder/BOOT/SHA256` is an unpacked package, `folder/BOOT/.new-*` one in the making or going,
    and litter after a crash.

    A package is renamed into place when it is whole. It is not synced to the disk, which for thousands of small files
    would take longer than unpacking them: instead, what was unpacked before the machine last started is not trusted.
    """

    def __init__(self, folder: Path, blobs: Blobs, ids: Ids) -> None:
        self._blobs = blobs
        self._unpacking: dict[str, asyncio.Future[None]] = {}
        self._folder = folder / (_BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ids.uuid())
        self._folder.mkdir(parents=True, exist_ok=True)
        for litter in (*self._folder.glob(".new-*"), *(other for other in folder.iterdir() if other != self._folder)):
            shutil.rmtree(litter)

    async def unpacked(self, digest: str) -> Path:
        """The folder with the package's files. Raises AwsError as `archive.unpack` does."""
        target = self._folder / digest
        running = self._unpacking.get(digest)
        if running is None:
            if target.is_dir():
                return target
            running = asyncio.get_running_loop().run_in_executor(None, self._unpack, digest, target)
            self._unpacking[digest] = running
            running.add_done_callback(lambda _: self._unpacking.pop(digest))
        await asyncio.shield(running)
        return target

    async def prune(self) -> None:
        """Remove what was unpacked from packages whose blobs are gone."""
        await asyncio.to_thread(self._prune)

    def _prune(self) -> None:
        for target in self._folder.iterdir():
            if not target.name.startswith(".new-") and not self._blobs.path(target.name).exists():
                self._remove(target)

    def _remove(self, target: Path) -> None:
        """Out of sight in one step, so that a half-removed package is never taken for a whole one."""
        old = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            with contextlib.suppress(FileNotFoundError):
                target.rename(old / target.name)
        finally:
            shutil.rmtree(old)

    def _unpack(self, digest: str, target: Path) -> None:
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            files = new / digest
            unpack(self._blobs.path(digest), files)
            files.rename(target)
        finally:
            shutil.rmtree(new)
