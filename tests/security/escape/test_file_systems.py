"""File systems: what functions may change, and share, leads nowhere else and gives nobody more than they had."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.security.escape.conftest import CANARY, Attacker
from tests.security.escape.test_files import EVERYWHERE, WRITABLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.escape.conftest import Host
    from tests.support import ServerProcess

SHARED = "/mnt/shared"


def files(name: str) -> dict[str, Any]:
    """The members of a function that has the file system of the access point `name`."""
    arn = f"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/{name}"
    return {
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "FileSystemConfigs": [{"Arn": arn, "LocalMountPath": SHARED}],
        "Environment": {"Variables": {"TMPDIR": SHARED}},
    }


OURS, THEIRS = f"fsap-{'0' * 17}", f"fsap-{'1' * 17}"


@pytest.fixture(scope="session")
def sharer(server: ServerProcess) -> Attacker:
    """A function with a file system, in which its temporary files are."""
    sharer = Attacker.deployed(server, "sharer", MemorySize=2048, **files(OURS))
    assert sharer("listing", paths=["/mnt"]) == {"/mnt": ["shared"]}
    return sharer


@pytest.fixture(scope="session")
def folder(host: Host, sharer: Attacker) -> Path:
    """Where that file system is on the host, once a function has it."""
    return host.data / "filesystems" / "000000000000" / "us-east-1" / OURS


def test_all_that_is_to_be_written_is_the_file_system(sharer: Attacker) -> None:
    places = {point: set(options.split(",")) for point, options, _ in sharer("mounts")}
    assert {"rw", "nosuid", "nodev"} <= places.pop(SHARED)
    assert {"ro", "nosuid", "nodev"} <= places.pop("/mnt")
    for point, options in places.items():
        assert "ro" in options or point in WRITABLE | {"/proc"} or point.startswith("/dev/"), point
    tops = ["/mnt", f"{SHARED}/..", SHARED]
    assert sharer("writable_folders", folders=tops) == [SHARED]


def test_nothing_is_above_it(sharer: Attacker) -> None:
    found = sharer("listing", paths=["/", f"{SHARED}/..", f"{SHARED}/../..", f"{SHARED}/../../.."])
    assert found[f"{SHARED}/.."] == ["shared"]
    assert found[f"{SHARED}/../.."] == found[f"{SHARED}/../../.."] == found["/"]


def test_the_file_systems_of_others_are_nowhere(sharer: Attacker, server: ServerProcess, host: Host) -> None:
    other = Attacker.deployed(server, "elsewhere", **files(THEIRS))
    assert other("writable_folders", folders=[SHARED]) == [SHARED]
    theirs = host.data / "filesystems" / "000000000000" / "us-east-1" / THEIRS
    (theirs / "secret").write_text(f"{CANARY}-file-system")
    assert other("files_with", needle=CANARY, roots=["/mnt"]) == [f"{SHARED}/secret"]
    assert sharer("files_with", needle=CANARY, roots=["/mnt", *EVERYWHERE]) == []
    assert sharer("listing", paths=[str(theirs), str(theirs.parent)]) == {
        str(theirs): "ENOENT",
        str(theirs.parent): "ENOENT",
    }


def test_links_in_it_lead_into_the_functions_own_root(sharer: Attacker, host: Host, folder: Path) -> None:
    targets = [str(host.secrets[0]), "/etc/shadow", "/proc/1/root", f"/{'../' * 12}{host.secrets[0]}"]
    for target, (through_symbolic, hard) in sharer("make_links", targets=targets).items():
        assert through_symbolic in {"ENOENT", "EACCES", "EPERM"}, target
        assert hard in {"ENOENT", "EACCES", "EPERM", "EXDEV"}, target
    planted = folder / "planted-by-the-operator"
    planted.symlink_to(host.secrets[0])
    assert sharer("read", paths=[f"{SHARED}/{planted.name}"]) == {f"{SHARED}/{planted.name}": "ENOENT"}


def test_setuid_programs_in_it_give_nothing_and_are_nobodys_on_the_host(sharer: Attacker, folder: Path) -> None:
    own = sharer("status")["Uid"].split()[0]
    code, user = sharer("setuid_programs")["made"]
    assert code != 0 or user == own
    owners = {path.lstat().st_uid for path in folder.rglob("made")}
    assert owners == {folder.stat().st_uid}
    assert os.geteuid() != 0 or 0 not in owners


def test_what_one_function_keeps_to_itself_the_other_can_read(
    sharer: Attacker, server: ServerProcess, folder: Path
) -> None:
    second = Attacker.deployed(server, "second-sharer", **files(OURS))
    assert second("writable_folders", folders=[SHARED]) == [SHARED]
    sharer("make_links", targets=["/nowhere"])
    made = [each for each in folder.iterdir() if each.is_dir()]
    assert {each.stat().st_mode & 0o777 for each in made} == {0o700}
    listed = second("listing", paths=[f"{SHARED}/{each.name}" for each in made])
    assert all(isinstance(names, list) for names in listed.values())
