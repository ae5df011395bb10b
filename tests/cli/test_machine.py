"""What `lambent doctor` finds is what is there."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lambent.cli import interpreters, machine, main
from lambent.cli.failure import Exit
from lambent.kernel.settings import Settings
from tests.support import free_port

if TYPE_CHECKING:
    from pathlib import Path

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


def finding(folder: Path, what: str, **settings: object) -> machine.Finding:
    found = machine.look(Settings(**({"data": str(folder / "data"), "port": free_port()} | settings)), {})
    return next(item for item in found if item.what == what)


def test_this_python_is_named(tmp_path: Path) -> None:
    assert finding(tmp_path, "python").found == f"{platform.python_version()} at {sys.executable}"


def test_a_free_port_is_good_and_a_busy_one_is_named(tmp_path: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        busy = finding(tmp_path, "port", port=port)
    assert (busy.state, busy.found) == ("fair", f"127.0.0.1:{port} is in use")
    free = finding(tmp_path, "port", port=port)
    assert (free.state, free.found) == ("good", f"127.0.0.1:{port} is free")


def test_an_address_of_another_machine_is_bad(tmp_path: Path) -> None:
    assert finding(tmp_path, "port", host="192.0.2.1", mode="production").state == "bad"


def test_a_data_folder_that_is_still_to_be_made_is_good(tmp_path: Path) -> None:
    found = finding(tmp_path, "data folder", data=str(tmp_path / "a" / "b"))
    assert found.state in ("good", "fair")
    assert found.found.startswith(f"{tmp_path / 'a' / 'b'}, ")
    assert not (tmp_path / "a").exists()


def test_a_data_folder_below_a_file_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = finding(tmp_path, "data folder", data=str(tmp_path / "file" / "data"))
    assert (found.state, found.advice) == ("bad", "choose another with --data")


def test_a_missing_interpreter_comes_with_what_to_install(tmp_path: Path) -> None:
    own = f"python3.{sys.version_info.minor}"
    found = machine.look(Settings(data=str(tmp_path)), interpreters.find([own, "python3.15"], os.environ))
    by_name = {item.what: item for item in found}
    assert by_name[own].state == "good"
    assert f"3.{sys.version_info.minor}." in by_name[own].found
    assert by_name["python3.15"].state == "fair"
    assert "uv python install 3.15" in by_name["python3.15"].advice


@LINUX
def test_a_sandbox_level_is_possible_where_the_kernel_really_does_it() -> None:
    """util-linux's own program is the witness."""
    witness = subprocess.run(["unshare", "-Urmpn", "--fork", "true"], capture_output=True, check=False)
    levels = {level.name: level for level in machine.sandbox_levels()}
    assert levels["userns"].possible == (witness.returncode == 0)
    assert levels["process"].possible
    for level in levels.values():
        assert level.possible != bool(level.why_not)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may have a jail")
def test_without_root_there_is_no_jail() -> None:
    assert machine.sandbox_levels()[0] == machine.Level("jail", False, "needs root")


def test_cgroups_of_both_versions_are_told_apart(tmp_path: Path) -> None:
    second = tmp_path / "v2"
    second.mkdir()
    (second / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    found = machine.cgroups(second)
    assert (found.state, found.found) == ("good", "v2, writable: cpuset cpu io memory pids")

    first = tmp_path / "v1"
    for controller in ("memory", "cpu,cpuacct", "unified"):
        (first / controller).mkdir(parents=True)
    found = machine.cgroups(first)
    assert found.found == "v1 and v2 side by side, writable: cpu,cpuacct memory"
    assert (found.state, found.advice) == ("fair", "missing: pids")

    assert machine.cgroups(tmp_path / "none").found == "none"


def test_doctor_prints_what_it_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBENT_PORT", str(free_port()))
    assert main.run(["doctor", "--json"]) == Exit.OK
    found = {item["what"]: item for item in json.loads(capsys.readouterr().out)}
    assert {"python", "system", "sandbox jail", "sandbox userns", "sandbox process", "cgroups", "port"} <= set(found)
    running = f"python3.{sys.version_info.minor}"
    assert found[running]["state"] == "good"

    assert main.run(["doctor"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[1] for line in lines] == list(found)


def test_doctor_ends_with_4_where_the_server_could_not_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBENT_DATA", str(tmp_path / "file" / "data"))
    assert main.run(["doctor"]) == Exit.MACHINE
    assert "cannot be written" in capsys.readouterr().out
