"""The plan of a cell's root: what it takes from the host, and what it must agree on with others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import mounts

SCRIPTS = Path(mounts.__file__).parents[1] / "bootstraps" / "cell"
CUSTOM = Runtime("provided.al2023", "al2023")


def test_a_managed_runtime_is_where_lambda_has_it(tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.mkdir()
    (client / "bootstrap.pyc").write_bytes(b"")
    packages = (tmp_path / "boto3",)
    runtime = Runtime("python3.13", "3.13.0", tmp_path / "python", "bin/python3.13", client, packages)
    view = mounts.view(runtime, tmp_path / "code", (), SCRIPTS, ())
    shown = {each.source: each.target for each in view.shown}
    assert shown[str(tmp_path / "python")] == "/var/lang"
    assert shown[str(tmp_path / "boto3")] == "/var/runtime/boto3"
    assert (str(tmp_path / "client" / "bootstrap.pyc"), mounts.CLIENT) in view.copied
    assert mounts.interpreter(runtime).program == "/var/lang/bin/python3.13"


def test_the_interpreter_of_a_custom_runtime_is_hidden(tmp_path: Path) -> None:
    lang = mounts.interpreter(CUSTOM)
    assert lang.prefix == Path(sys.base_prefix).resolve()
    assert lang.place.startswith(mounts.HIDDEN)
    assert not any(each.target == "/var/lang" for each in mounts.view(CUSTOM, tmp_path, (), SCRIPTS, ()).shown)


def test_only_devices_work_as_devices_and_packages_are_hidden(tmp_path: Path) -> None:
    view = mounts.view(CUSTOM, tmp_path, (), SCRIPTS, ())
    assert {each.target for each in view.shown if each.devices} == {
        f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")
    }
    assert {each.target for each in view.shown if each.source == str(tmp_path)} == {mounts.CODE}
    assert mounts.CODE.startswith(f"{mounts.HIDDEN}/")


def test_every_user_of_a_cell_goes_by_one_name(tmp_path: Path) -> None:
    people = mounts.view(CUSTOM, tmp_path, (), SCRIPTS, (993, 2000)).texts["/etc/passwd"].splitlines()
    assert [person.split(":")[:4] for person in people] == [
        ["root", "x", "0", "0"],
        ["sbx_user1051", "x", "993", "990"],
        ["sbx_user1051", "x", "2000", "2000"],
    ]


def test_temporary_storage_has_inodes_by_its_size() -> None:
    assert mounts.temporary(512) == "mode=1777,size=512m,nr_inodes=32768"


def test_only_file_systems_can_be_written_and_one_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    own, gone = tmp_path / "own", tmp_path / "gone"
    own.mkdir()
    shown = mounts.view(CUSTOM, tmp_path, (own, gone), SCRIPTS, ()).shown
    assert [each.source for each in shown if each.writable] == [str(own)]
    assert all(each.target.startswith(f"{mounts.HIDDEN}/") for each in shown if each.writable)


def test_a_file_system_is_found_below_the_folder_that_holds_it_or_as_it(tmp_path: Path) -> None:
    own, operators = tmp_path / "own", tmp_path / "models"
    folders = (own, operators)
    assert mounts.hidden(own / "a" / "b", folders).endswith("/0/a/b")
    assert mounts.hidden(operators, folders).endswith("/1/.")
    with pytest.raises(OSError, match="no folder of a file system"):
        mounts.hidden(tmp_path / "own-else", folders)
