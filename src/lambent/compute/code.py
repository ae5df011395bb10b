"""Packages of functions and layers, unpacked once per content into folders that environments share, and only read."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lambent.compute import folders
from lambent.compute.archive import unpack

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Blobs(Protocol):
    """Where packages lie."""

    def path(self, digest: str) -> Path:
        """The file with the content of that sha256 (hex)."""


class CodeFolder:
    """`folder/BOOT/SHA256` is an unpacked package, `folder/BOOT/.new-*` one in the making or going, and
    `folder/BOOT/.opt-*` layers laid over one another by this server. What else is found at the start is litter, which
    goes with the first `prune`.

    A package is renamed into place when it is whole. It is not synced to the disk, which for thousands of small files
    would take longer than unpacking them: instead, what was unpacked before the machine last started is not trusted.
    """

    def __init__(self, folder: Path, blobs: Blobs, ids: Ids) -> None:
        self._blobs = blobs
        self._unpacking: dict[str, asyncio.Future[None]] = {}
        self._laid: dict[tuple[str, ...], asyncio.Future[Path]] = {}
        self._folder = folder / (_BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ids.uuid())
        for each in (folder, self._folder):
            each.mkdir(mode=0o755, parents=True, exist_ok=True)  # closed above: within a cell others must read it
        self._litter = [path for path in self._folder.iterdir() if not (_DIGEST.fullmatch(path.name) and path.is_dir())]
        self._litter += [path for path in folder.iterdir() if path != self._folder]

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

    @property
    def folder(self) -> Path:
        """All that is unpacked lies below it."""
        return self._folder

    async def laid(self, digests: tuple[str, ...]) -> Path | None:
        """One folder with the layers of those digests, each over the ones before it; None where there is none.

        Six layers cost an environment what one costs, for they are joined once, by links to the unpacked files.
        Raises AwsError as `archive.unpack` does.
        """
        if not digests:
            return None
        if len(digests) == 1:
            return await self.unpacked(digests[0])
        laid = self._laid.get(digests)
        if laid is None:
            folders_ = [await self.unpacked(digest) for digest in digests]
            laid = self._laid.get(digests)
            if laid is None:
                laid = self._laid[digests] = asyncio.get_running_loop().run_in_executor(None, self._lay, folders_)
                laid.add_done_callback(partial(self._laid_or_not, digests))
        return await asyncio.shield(laid)

    async def prune(self) -> None:
        """Remove what was unpacked from packages whose blobs are gone, and what an earlier server has left."""
        useless, self._litter = self._litter, []
        for digests in await asyncio.to_thread(self._orphans, tuple(self._laid)):
            laid = self._laid.get(digests)
            if laid is not None and laid.done() and not _failed(laid):
                del self._laid[digests]
                useless.append(laid.result())
        await asyncio.to_thread(self._prune, useless)

    def _laid_or_not(self, digests: tuple[str, ...], laid: asyncio.Future[Path]) -> None:
        """What could not be laid is tried again by who comes next, also where nobody waits for it any more."""
        if _failed(laid):
            del self._laid[digests]

    def _orphans(self, laid: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
        return [digests for digests in laid if not all(self._blobs.path(digest).exists() for digest in digests)]

    def _prune(self, useless: list[Path]) -> None:
        for path in useless:
            folders.remove(path)
        for target in self._folder.iterdir():
            if _DIGEST.fullmatch(target.name) and not self._blobs.path(target.name).exists():
                self._remove(target)

    def _remove(self, target: Path) -> None:
        """Out of sight in one step, so that a half-removed package is never taken for a whole one."""
        old = self._new()
        try:
            target.rename(old)
        finally:
            folders.remove(old)

    def _unpack(self, digest: str, target: Path) -> None:
        new = self._new()
        try:
            unpack(self._blobs.path(digest), new)
            new.rename(target)
        finally:
            folders.remove(new)

    def _lay(self, layers: list[Path]) -> Path:
        target = Path(tempfile.mkdtemp(prefix=".opt-", dir=self._folder))
        try:
            _fill(target, layers)
        except BaseException:
            folders.remove(target)
            raise
        return target

    def _new(self) -> Path:
        """An empty folder beside the packages: what cannot be written to can be renamed, but not moved elsewhere."""
        return Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))


def _failed(laid: asyncio.Future[Path]) -> bool:
    return laid.cancelled() or laid.exception() is not None


def _fill(target: Path, layers: list[Path]) -> None:
    for layer in layers:
        for place, below, names in os.walk(layer):
            above = target / Path(place).relative_to(layer)
            if above.is_symlink() or above.is_file():
                above.unlink()
            above.mkdir(exist_ok=True)
            above.chmod(0o755)
            for name in [*names, *(name for name in below if (Path(place) / name).is_symlink())]:
                _link(Path(place) / name, above / name)
    for place, _, _ in os.walk(target):
        Path(place).chmod(0o555)


def _link(file: Path, to: Path) -> None:
    """Make `to` the same file, whatever a layer below has put there."""
    if os.path.lexists(to):
        folders.remove(to)
    os.link(file, to, follow_symlinks=False)
