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


class FileSystems:
    """`folder/ACCOUNT/REGION/ACCESS-POINT` stands for an access point, or what `named` has for its id.

    Nothing is ever removed: a file system does not belong to the functions that use it. In the jail, where every
    environment has another user, it belongs to a user of its own, as whom all of them come.
    """

    def __init__(self, folder: Path, named: Mapping[str, str], sandbox: Sandbox) -> None:
        self._folder = folder
        self._named = {name: Path(path).resolve() for name, path in named.items()}
        self._sandbox = sandbox
        self._proven: dict[Path, None] = {}
        """Those that could be mounted once, the oldest first."""
        self._trying = asyncio.Lock()

    async def volumes(self, function: FunctionVersion, runtime: Runtime, task: Path) -> tuple[Volume, ...]:
        """What its environments are to be shown; `task` is its unpacked package. Raises AwsError
        EFSMountFailureException or S3FilesMountFailureException where one cannot be."""
        return tuple([await self._volume(each, runtime, task) for each in function.file_systems])

    async def _volume(self, wanted: FileSystem, runtime: Runtime, task: Path) -> Volume:
        try:
            volume = Volume(await asyncio.to_thread(self._source, wanted), wanted.path)
            async with self._trying:  # of those who come at once the first one tries for all
                if volume.source not in self._proven:
                    await self._try(volume, runtime, task)
        except OSError as error:
            log.warning("%s cannot be mounted: %s", wanted.arn, error)
            raise _failure(wanted.arn) from error
        return volume

    def _source(self, wanted: FileSystem) -> Path:
        """The folder, which is made where it is Lambent's own. Raises OSError."""
        match = _ARN.fullmatch(wanted.arn)
        if match is None or not _PLACE.fullmatch(wanted.path):
            raise OSError(f"{wanted.arn} at {wanted.path} is no file system of a function")
        _, region, account, name = match.groups()
        named = self._named.get(name)
        if named is None:
            return self._own(self._folder / account / region / name)
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
        while len(self._proven) >= limits.FILE_SYSTEMS_PROVEN:
            del self._proven[next(iter(self._proven))]
        self._proven[volume.source] = None


def _failure(arn: str) -> AwsError:
    """https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
    if ":s3files:" in arn:
        text = f"The function could not mount the S3 file system with access point {arn}."
        return AwsError("S3FilesMountFailureException", text, Type="User")
    text = f"The function could not mount the EFS file system with access point {arn}."
    return AwsError("EFSMountFailureException", text, Type="User")
