"""Which folders stand for file systems, and that each is tried once."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.file_systems import FileSystems, entangled
from lambent.compute.function import FileSystem, FunctionVersion
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import levels
from lambent.compute.sandbox.api import Volume
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SystemIds
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor
from tests.compute.workshop import ROLE

if TYPE_CHECKING:
    from pathlib import Path

NAME = f"fsap-{'0' * 17}"
ARN = f"arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/{NAME}"
RUNTIME = Runtime("provided.al2023", "al2023")


class TriedCell:
    """A cell that nobody moves into."""

    endpoint = None

    def __init__(self, sandbox: CountingSandbox) -> None:
        self._sandbox = sandbox
        self.output, self._written = os.pipe()
        self.frames, self._framed = os.pipe()
        self.channel, self.runtime_api = socket.socketpair()

    def furnish(self, tenancy: Any) -> None:
        self._sandbox.mounted += tenancy.volumes

    async def socket(self) -> socket.socket:
        await asyncio.sleep(0)
        if self._sandbox.problem:
            raise OSError(self._sandbox.problem)
        return socket.socket()

    def kill(self) -> None:
        os.close(self._written)
        os.close(self._framed)
        self._sandbox.killed += 1


class CountingSandbox:
    """Cells that mount everything, or nothing."""

    level = "userns"

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.mounted: tuple[Volume, ...] = ()
        self.killed = 0

    async def cell(self, _image: Any) -> TriedCell:
        return TriedCell(self)


def version(arn: str = ARN, path: str = "/mnt/data") -> FunctionVersion:
    """A function version with one file system."""
    return FunctionVersion(
        account="111122223333", region="eu-west-1", name="f", version="1", revision="r", role=ROLE, handler="a.b",
        runtime="python3.13", code_sha256="0" * 64, memory_mb=128, timeout_s=3, variables={}, log_group="g",
        file_systems=(FileSystem(arn, path),),
    )  # fmt: skip


def volumes(systems: FileSystems, folder: Path, function: FunctionVersion) -> Any:
    return systems.volumes(function, RUNTIME, folder)


async def test_an_access_point_has_a_folder_of_its_own_that_is_tried_once(tmp_path: Path) -> None:
    sandbox: Any = CountingSandbox()
    systems = FileSystems(tmp_path, {}, sandbox)
    found = await asyncio.gather(*(volumes(systems, tmp_path, version()) for _ in range(5)))
    volume = Volume(tmp_path / "111122223333" / "eu-west-1" / NAME, "/mnt/data")
    assert found == [(volume,)] * 5
    assert volume.source.is_dir()
    assert (sandbox.mounted, sandbox.killed) == ((volume,), 1)


async def test_a_named_folder_stands_for_its_access_point_while_it_is_there(tmp_path: Path) -> None:
    sandbox: Any = CountingSandbox()
    (tmp_path / "models").mkdir()
    systems = FileSystems(tmp_path / "own", {NAME: str(tmp_path / "models")}, sandbox)
    assert await volumes(systems, tmp_path, version()) == (Volume(tmp_path / "models", "/mnt/data"),)
    (tmp_path / "models").rmdir()
    with pytest.raises(AwsError, match="could not mount"):
        await volumes(systems, tmp_path, version())


async def test_a_folder_that_is_another_now_is_tried_again(tmp_path: Path) -> None:
    sandbox: Any = CountingSandbox()
    for name in ("models", "others"):
        (tmp_path / name).mkdir()
    systems = FileSystems(tmp_path / "own", {NAME: str(tmp_path / "models")}, sandbox)
    assert await volumes(systems, tmp_path, version()) == await volumes(systems, tmp_path, version())
    (tmp_path / "models").rmdir()
    (tmp_path / "others").rename(tmp_path / "models")
    sandbox.problem = "no"
    with pytest.raises(AwsError, match="could not mount"):
        await volumes(systems, tmp_path, version())
    assert sandbox.killed == 2


async def test_what_cannot_be_mounted_is_tried_again(tmp_path: Path) -> None:
    sandbox: Any = CountingSandbox("no")
    systems = FileSystems(tmp_path, {}, sandbox)
    for count in (1, 2):
        with pytest.raises(AwsError) as caught:
            await volumes(systems, tmp_path, version())
        assert (caught.value.code, sandbox.killed) == ("EFSMountFailureException", count)
    sandbox.problem = ""
    assert await volumes(systems, tmp_path, version())


@pytest.mark.parametrize(
    ("arn", "path"),
    [(ARN, "/mnt/.."), (ARN, "/mnt/."), (ARN, "/mnt/a/b"), (ARN, "/etc/a"), (f"{ARN}/../../up", "/mnt/data")],
    ids=["climbs", "stays", "deeper", "elsewhere", "no access point"],
)
async def test_what_leads_elsewhere_is_never_mounted(tmp_path: Path, arn: str, path: str) -> None:
    sandbox: Any = CountingSandbox()
    with pytest.raises(AwsError, match="could not mount"):
        await volumes(FileSystems(tmp_path, {}, sandbox), tmp_path, version(arn, path))
    assert sandbox.mounted == ()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 of a folder that nobody else has


async def test_the_folders_of_other_accounts_are_not_given_away(tmp_path: Path) -> None:
    sandbox: Any = CountingSandbox()
    (tmp_path / "shared").mkdir()
    theirs = ARN.replace("111122223333", "444455556666")
    with pytest.raises(AwsError, match="could not mount"):
        await volumes(FileSystems(tmp_path / "own", {}, sandbox), tmp_path, version(theirs))
    assert not (tmp_path / "own").exists()
    systems = FileSystems(tmp_path / "own", {NAME: str(tmp_path / "shared")}, sandbox)
    assert await volumes(systems, tmp_path, version(theirs))  # the operator's own choice


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder `all` with `team` in it, beside it a link to it, a chain of links that leads through it, and `data`."""
    (tmp_path / "all" / "team").mkdir(parents=True)
    (tmp_path / "data" / "filesystems").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "alias").symlink_to("all")
    (tmp_path / "all" / "planted").symlink_to("../other")
    (tmp_path / "chain").symlink_to(tmp_path / "all" / "planted")
    return tmp_path


OTHER = f"fsap-{'1' * 17}"


@pytest.mark.parametrize(
    "named",
    [
        {NAME: "all", OTHER: "all/team"},
        {NAME: "all/team", OTHER: "all"},
        {NAME: "alias", OTHER: "all/team"},
        {NAME: "all", OTHER: "alias/team"},
        {NAME: "all", OTHER: "all/planted"},
        {NAME: "all", OTHER: "chain"},
        {NAME: "all", OTHER: "other/../all/team"},
        {NAME: "data/filesystems/1/2/fsap-3"},
        {NAME: "data"},
        {NAME: "."},
    ],
    ids=["below", "above", "linked", "by link", "planted", "chained", "around", "own", "data", "above data"],
)
def test_no_folder_is_found_by_way_of_another(disk: Path, named: dict[str, str]) -> None:
    folders = {name: f"{disk}/{path}" for name, path in named.items()}
    assert entangled(folders, disk / "data")


def test_no_sandbox_is_made_for_such_folders(disk: Path) -> None:
    settings = Settings(file_systems={NAME: f"{disk}/all", OTHER: f"{disk}/all/team"})
    clock = VirtualClock()
    with pytest.raises(levels.Unavailable, match=f"file_systems: {OTHER}: .*/all/team lies in .*/all, which functions"):
        levels.walled("userns", settings, disk / "data", clock, SystemIds(), Supervisor(clock))


def test_links_that_lead_in_a_circle_are_no_folders(disk: Path) -> None:
    (disk / "circle").symlink_to("circle")
    assert entangled({NAME: f"{disk}/circle/deeper"}, disk / "data") is None


@pytest.mark.parametrize(
    "named",
    [{}, {NAME: "all", OTHER: "other"}, {NAME: "all", OTHER: "alias"}, {NAME: "all/team", OTHER: "all/planted"}],
    ids=["none", "beside", "one folder twice", "in one that is nobodys"],
)
def test_folders_that_lie_apart_can_be_given(disk: Path, named: dict[str, str]) -> None:
    assert entangled({name: f"{disk}/{path}" for name, path in named.items()}, disk / "data") is None
