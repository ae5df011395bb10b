"""Functions' file systems: which folder of this machine stands for an access point, and whether it can be mounted.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lambent.compute.guests import discard
from lambent.compute.sandbox.api import Image, Tenancy, Volume
from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.function import FileSystem, FunctionVersion
    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Sandbox

log = logging.getLogger(__name__)

FOLDER: Final = "filesystems"
"""What the folder in the data folder is called."""

_ARN = re.compile(r"arn:[^:]+:(?P<service>elasticfilesystem|s3files):([a-z0-9-]+):(\d{12}):.*\b(fsap-[0-9a-f]+)")
_PLACE = re.compile(r"/mnt/(?!\.{1,2}$)[A-Za-z0-9_.-]+")

_STEPS: Final = 4_096
"""So many folders no path leads through; links that lead in a circle do."""


class FileSystems:
    """`folder/ACCOUNT/REGION/ACCESS-POINT` stands for an access point, or what `named` has for its id.

    Nothing is ever removed: a file system does not belong to the functions that use it. In the jail, where every
    environment has another user, it belongs to a user of its own, as whom all of them come.
    """

    def __init__(self, folder: Path, named: Mapping[str, str], sandbox: Sandbox) -> None:
        self._folder = folder
        self._named = {name: Path(path).resolve() for name, path in named.items()}
        self._sandbox = sandbox
        self._proven: dict[Path, tuple[int, ...]] = {}
        """What those were that could be mounted once, the oldest first."""
        self._trying = asyncio.Lock()

    async def volumes(self, function: FunctionVersion, runtime: Runtime, task: Path) -> tuple[Volume, ...]:
        """What its environments are to be shown; `task` is its unpacked package. Raises AwsError
        EFSMountFailureException or S3FilesMountFailureException where one cannot be."""
        return tuple([await self._volume(each, function.account, runtime, task) for each in function.file_systems])

    async def _volume(self, wanted: FileSystem, account: str, runtime: Runtime, task: Path) -> Volume:
        try:
            source, state = await asyncio.to_thread(self._found, wanted, account)
            volume = Volume(source, wanted.path)
            async with self._trying:  # of those who come at once the first one tries for all
                if self._proven.get(source) != state:
                    await self._try(volume, runtime, task)
                    self._remember(source, state)
        except OSError as error:
            log.warning("%s cannot be mounted: %s", wanted.arn, error)
            raise _failure(wanted.arn) from error
        return volume

    def _found(self, wanted: FileSystem, account: str) -> tuple[Path, tuple[int, ...]]:
        """The folder, and what it takes to mount it: where it has changed, it may not be possible any more."""
        source = self._source(wanted, account)
        found = source.stat()
        return source, (found.st_dev, found.st_ino, found.st_uid, found.st_gid)

    def _source(self, wanted: FileSystem, account: str) -> Path:
        """The folder, which is made where it is Lambent's own: those only a function of the same account gets. Raises
        OSError."""
        match = _ARN.fullmatch(wanted.arn)
        if match is None or not _PLACE.fullmatch(wanted.path):
            raise OSError(f"{wanted.arn} at {wanted.path} is no file system of a function")
        _, region, owner, name = match.groups()
        named = self._named.get(name)
        if named is None:
            if owner != account:
                raise OSError("it is another account's, and no folder is named for it")
            return self._own(self._folder / owner / region / name)
        if not named.is_dir():
            raise OSError(f"there is no folder {named} any more")
        return named

    def _own(self, folder: Path) -> Path:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self._sandbox.level == "jail" and folder.stat().st_uid == 0:
            os.chown(folder, limits.FILE_SYSTEM_USER, limits.FILE_SYSTEM_USER)
        return folder

    async def _try(self, volume: Volume, runtime: Runtime, task: Path) -> None:
        """Mount it once in a cell that nobody lives in: whose environment cannot be furnished dies without a word. A
        cell does what it is told in order, so one that answers has mounted it. Raises OSError."""
        cell = await self._sandbox.cell(Image(runtime))
        try:
            cell.furnish(Tenancy(name="file systems", task=task, memory_mb=128, ephemeral_mb=1, volumes=(volume,)))
            (await cell.socket()).close()
        finally:
            discard(cell)

    def _remember(self, source: Path, state: tuple[int, ...]) -> None:
        while source not in self._proven and len(self._proven) >= limits.FILE_SYSTEMS_PROVEN:
            del self._proven[next(iter(self._proven))]
        self._proven[source] = state


def entangled(named: Mapping[str, str], folder: Path) -> str | None:
    """Why the folders of file systems, those that are `named` and the server's own in its `folder`, cannot be given to
    functions, for people; None where they can.

    What lies in one of them a function can replace by a link. So none may be found by way of another, or such a link
    would say what is shown in its place, and with the server's rights. Nor may one hold what the server itself keeps.
    """
    own = folder / FOLDER
    places = {name: Path(os.path.realpath(path)) for name, path in named.items()}
    for name, path in named.items():
        if folder.is_relative_to(places[name]):
            return f"{name}: {path} holds the server's data"
        looked_into = _looked_into(Path(path))
        for other in (own, *places.values()):
            if any(each.is_relative_to(other) for each in looked_into):
                return f"{name}: {path} lies in {other}, which functions may change"
    return None


def _looked_into(path: Path) -> list[Path]:
    """The folders, none of them a link, that the kernel looks into to find a path."""
    found: list[Path] = []
    here, ahead = Path("/"), list(path.absolute().parts[:0:-1])
    while ahead and len(found) < _STEPS:
        part = ahead.pop()
        found.append(here)
        if part == "..":
            here = here.parent
        elif (here / part).is_symlink():
            target = (here / part).readlink()
            here = Path("/") if target.is_absolute() else here
            ahead += [each for each in reversed(target.parts) if each != "/"]
        else:
            here = here / part
    return found


def _failure(arn: str) -> AwsError:
    """https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
    if ":s3files:" in arn:
        text = f"The function could not mount the S3 file system with access point {arn}."
        return AwsError("S3FilesMountFailureException", text, Type="User")
    text = f"The function could not mount the EFS file system with access point {arn}."
    return AwsError("EFSMountFailureException", text, Type="User")
