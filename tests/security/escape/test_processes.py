"""Processes: a function sees and reaches its own, has no privileges, and does not outlive its environment."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.security.escape.conftest import CANARY, PATIENCE_MS, Attacker, marked, prepared, read, serve, wait_for_end

if TYPE_CHECKING:
    from tests.support import ServerProcess

NONE = "0" * 16
CONTROL_GROUPS = Path("/sys/fs/cgroup")
HIDDEN = {"ENOENT", "EACCES", "EPERM", "ESRCH"}


def test_there_are_no_privileges(attacker: Attacker) -> None:
    status = attacker("status")
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NONE}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "0" not in status["Uid"].split() + status["Gid"].split() + status["Groups"].split()


def test_environments_of_root_have_users_of_their_own(attacker: Attacker, neighbour: Attacker, level: str) -> None:
    if level != "jail":
        pytest.skip("one user has only himself to give")
    users = {function("status")["Uid"] for function in (attacker, neighbour)}
    assert len(users) == 2
    assert all(int(user.split()[0]) != os.getuid() for user in users)


def test_only_own_processes_are_seen(attacker: Attacker) -> None:
    told = attacker("processes")
    for process, found in told["found"].items():
        if process != told["own"]:
            assert {found[name] for name in found if not name.endswith(("/cmdline", "/stat"))} <= HIDDEN, process
    assert len(told["found"]) <= 2


def test_variables_of_the_server_are_not_there(attacker: Attacker) -> None:
    told = attacker("processes")
    environ = told["found"][told["own"]][f"/proc/{told['own']}/environ"]
    assert CANARY not in environ
    assert CANARY not in str(attacker("variables"))


@pytest.mark.parametrize("process", [1, 2, "server", "neighbour"])
def test_no_process_can_be_traced(
    attacker: Attacker, neighbour: Attacker, server: ServerProcess, process: int | str
) -> None:
    numbers = {"server": server.pid, "neighbour": int(neighbour("processes")["own"])}
    pid = numbers.get(str(process), process)
    assert attacker("trace", process=pid) == ["EPERM", "EPERM"]


def test_nobody_is_killed(attacker: Attacker, neighbour: Attacker, server: ServerProcess) -> None:
    bystander = os.getpid()
    told = attacker("signals", numbers=[bystander, server.pid])
    assert set(told.values()) == {"ESRCH"}
    assert attacker("signal_everybody") == 0
    assert attacker("status")["Seccomp"] == "2"
    assert neighbour("recall")[0] == f"{CANARY}-memory", "the neighbour is the one it was"
    os.kill(server.pid, 0)


def test_the_first_process_cannot_be_ended_from_inside(attacker: Attacker) -> None:
    before = attacker("status")["Pid"]
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        assert attacker("signals", numbers=[1], number=int(number))["1"] in {"EPERM", "done"}
    assert attacker("status")["Pid"] == before


def test_no_descriptor_is_left_over(attacker: Attacker) -> None:
    told = attacker("descriptors")
    own = {target for name, target in told.items() if int(name) <= 4}
    listing = {target for target in told.values() if target.endswith("/fd")}
    assert set(told.values()) - listing == own, told
    assert all(target.startswith(("pipe:", "socket:")) or target == "/dev/null" for target in own), told


def test_what_is_left_behind_ends_with_its_environment(server: ServerProcess, level: str) -> None:
    function = Attacker.deployed(server, f"leaver-{level}")
    assert function("stay", token=f"staying-{level}") == 0
    left = marked(f"staying-{level}")
    assert left
    function.delete()
    wait_for_end(left)
    assert marked(f"staying-{level}") == []


def test_what_is_left_behind_stands_still_until_the_next_invocation(server: ServerProcess, level: str) -> None:
    function = Attacker.deployed(server, f"idler-{level}")
    token = f"idling-{level}-{os.getpid()}"
    assert function("stay", token=token) == 0
    (left,) = marked(token)
    events = freezing_told_by(left)
    if events is None:
        pytest.skip("the server has no control group that freezes")
    wait_until_frozen(events)
    assert function("status")["Seccomp"] == "2", "the function is thawed for it"
    wait_until_frozen(events)
    function.delete()
    wait_for_end([left])


def groups_of(process: int) -> list[Path]:
    """The folders of the environment of a process in the trees of control groups."""
    found = []
    for line in read(f"/proc/{process}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if "/lambent-" in path:
            tops = [CONTROL_GROUPS, *(CONTROL_GROUPS / name for name in (controllers or "unified").split(","))]
            found += [top / path[1:] for top in tops if (top / path[1:]).exists()]
    return found


def freezing_told_by(process: int) -> Path | None:
    """The file that tells whether the environment of a process is frozen, where there is one."""
    files = [group / "cgroup.events" for group in groups_of(process)]
    return next((file for file in files if file.exists()), None)


def wait_until_frozen(events: Path) -> None:
    with events.open() as file:
        waiting = select.poll()
        waiting.register(file, select.POLLPRI)
        while "frozen 1" not in file.read():
            assert waiting.poll(PATIENCE_MS), "nobody freezes it"
            file.seek(0)


def test_nothing_outlives_a_server_that_is_killed(level: str) -> None:
    with prepared(level) as host, serve(level, host) as server:
        function = Attacker.deployed(server, "leaver")
        token = f"outliving-{level}-{os.getpid()}"
        assert function("stay", token=token) == 0
        left = [*marked(token), *host.inhabitants()]
        assert left
        groups = [group.parent for process in left for group in groups_of(process)]
        server.kill()
        wait_for_end(left)
        assert marked(token) == []
        with serve(level, host) as next_server:
            assert next_server.stop() == 0
        assert [group for group in groups if group.exists()] == []
