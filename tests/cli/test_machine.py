"""What `lambent doctor` finds is what is there."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lambent.cli import interpreters, machine, main
from lambent.cli.failure import Exit
from lambent.compute.sandbox.cgroups import CONTROLLERS, Cgroups, Tree
from lambent.kernel.settings import Settings
from tests.support import free_port

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ("jail", "userns", "process")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


def finding(folder: Path, what: str, **settings: Any) -> machine.Finding:
    values: dict[str, Any] = {"data": str(folder / "data"), "port": free_port(), **settings}
    found = machine.look(Settings(**values), {})
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
@pytest.mark.skipif(os.geteuid() == 0, reason="user namespaces are for those who are not root")
def test_user_namespaces_are_possible_where_the_kernel_really_makes_them() -> None:
    """util-linux's own program is the witness."""
    witness = subprocess.run(["unshare", "-Urmpn", "--fork", "true"], capture_output=True, check=False)
    levels = {level.name: level for level in machine.sandbox_levels()}
    assert levels["userns"].possible == (witness.returncode == 0)
    assert levels["jail"] == machine.Level("jail", False, "the server is not root")


def test_every_level_that_is_not_possible_says_why() -> None:
    levels = {level.name: level for level in machine.sandbox_levels()}
    assert list(levels) == ["jail", "userns", "process"]
    assert levels["process"].possible
    for level in levels.values():
        assert level.possible != bool(level.why_not)


def levels_found(monkeypatch: pytest.MonkeyPatch, *possible: str, **settings: Any) -> dict[str, machine.Finding]:
    """What is told of the levels on a machine that has those."""
    known = [machine.Level(name, name in possible, "" if name in possible else "no") for name in LEVELS]
    monkeypatch.setattr(machine, "sandbox_levels", lambda: known)
    found = machine.look(Settings(port=0, **settings), {})
    return {item.what.removeprefix("sandbox "): item for item in found if item.what.startswith("sandbox ")}


def test_the_strongest_level_that_works_is_the_one_that_functions_run_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels_found(monkeypatch, "jail", "process")
    assert [found[name].state for name in LEVELS] == ["good", "fair", "good"]
    assert "functions run in it" in found["jail"].found
    assert "functions run in it" not in found["process"].found


def test_without_walls_functions_have_the_rights_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels_found(monkeypatch, "process")["process"]
    assert (found.state, found.found) == ("fair", "functions have your own rights")
    assert levels_found(monkeypatch, "process", mode="production")["process"].state == "bad"


def test_a_level_that_is_asked_for_and_does_not_work_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    found = levels_found(monkeypatch, "userns", "process", sandbox="jail")
    assert [found[name].state for name in LEVELS] == ["bad", "good", "good"]


def test_where_the_system_forbids_user_namespaces_the_command_that_allows_them_is_told(tmp_path: Path) -> None:
    assert machine.switch(tmp_path) == ""
    for name in ("kernel", "user"):
        (tmp_path / name).mkdir()
    (tmp_path / "user" / "max_user_namespaces").write_text("15000\n")
    assert machine.switch(tmp_path) == ""
    (tmp_path / "kernel" / "apparmor_restrict_unprivileged_userns").write_text("1\n")
    command = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    assert machine.switch(tmp_path) == f"allow them: {command}"


def test_limits_are_good_where_control_groups_hold_functions_to_all_of_them() -> None:
    tree = Tree("/nowhere", unified=True, controls=frozenset(CONTROLLERS))
    found = machine.control_groups(Cgroups([tree]))
    assert (found.state, found.found) == ("good", "limit memory, cpu, pids of functions")
    found = machine.control_groups(Cgroups.none("no control group may be made here"))
    assert found.state == "fair"
    assert found.found.startswith("no control group may be made here; memory is still held")
    assert found.advice == machine.delegation()


def test_who_has_no_control_groups_is_told_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "systemd-run --user --scope -p Delegate=yes" in machine.delegation(tmp_path)
    assert "systemd" not in machine.delegation(tmp_path / "absent")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "a container needs them mounted for writing" in machine.delegation(tmp_path)


def test_doctor_prints_what_it_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBENT_PORT", str(free_port()))
    assert main.run(["doctor", "--json"]) == Exit.OK
    found = {item["what"]: item for item in json.loads(capsys.readouterr().out)}
    assert {"python", "system", "sandbox jail", "sandbox userns", "sandbox process", "control groups", "port"} <= set(
        found
    )
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
