"""Files: a function reads its own and the runtime's, and writes to /tmp."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.security.escape.conftest import CANARY, PROBES, Attacker
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from tests.security.escape.conftest import Host
    from tests.support import ServerProcess

SHOWN = {"bin", "dev", "etc", "lib", "lib32", "lib64", "mnt", "opt", "proc", "sbin", "sys", "tmp", "usr", "var"}
HIDDEN = ".lambent"
"""Where a cell had things before the function came."""
EVERYWHERE = ["/bin", "/dev", "/etc", "/opt", "/proc", "/sbin", "/sys", "/tmp", "/var/task", "/var/runtime", "/var/tmp"]
WRITABLE = {"/tmp", "/dev/shm"}


def test_the_root_shows_what_a_lambda_environment_shows(attacker: Attacker) -> None:
    found = attacker("listing", paths=["/", "/mnt", "/var", "/root", "/home", "/run"])
    assert set(found["/"]) <= SHOWN | {HIDDEN, ".branches"}
    assert set(found["/var"]) == {"lang", "runtime", "task", "tmp"}
    assert found["/mnt"] == []
    assert {found[path] for path in ("/root", "/home", "/run")} == {"ENOENT"}


def test_secrets_of_the_host_cannot_be_read(attacker: Attacker, host: Host) -> None:
    paths = [*map(str, host.secrets), "/etc/shadow", "/root/.ssh/id_rsa", "/proc/kcore", "/dev/mem", "/proc/kmsg"]
    paths += ["/dev/kmsg", "/dev/sda", "/dev/vda", "/proc/1/environ", "/proc/1/root/etc/shadow", "/etc/ssl/private"]
    for path, found in attacker("read", paths=paths).items():
        assert found in {"ENOENT", "EACCES", "EPERM", "EISDIR"}, path


def test_accounts_of_the_host_are_not_shown(attacker: Attacker) -> None:
    inside = attacker("read", paths=["/etc/passwd", "/etc/group", "/etc/hostname"])
    assert {line.split(":")[0] for line in inside["/etc/passwd"].splitlines()} == {"root", "sbx_user1051"}
    assert inside["/etc/passwd"] != Path("/etc/passwd").read_text()
    assert inside["/etc/hostname"].strip() != os.uname().nodename


def test_the_data_folder_cannot_be_reached(attacker: Attacker, host: Host) -> None:
    paths = [str(host.data), str(host.folder), *(str(path) for path in host.data.iterdir())]
    assert set(attacker("listing", paths=paths).values()) == {"ENOENT"}
    assert attacker("listing", paths=[f"/{HIDDEN}"])[f"/{HIDDEN}"] in ([], "ENOENT")


def test_nothing_of_a_neighbour_or_the_host_is_anywhere(attacker: Attacker, neighbour: Attacker) -> None:
    assert neighbour("files_with", needle=CANARY, roots=["/var/task", "/tmp", "/dev/shm"]), (
        "the search finds what is there"
    )
    assert attacker("files_with", needle=CANARY, roots=EVERYWHERE) == []


def test_packages_of_neighbours_are_not_beside_ones_own(attacker: Attacker) -> None:
    found = attacker("listing", paths=["/var/task", "/var/task/..", "/opt", "/opt/.."])
    assert set(found["/var/task"]) >= set(PROBES)
    assert set(found["/opt/.."]) == set(attacker("listing", paths=["/"])["/"])


def test_only_tmp_can_be_written(attacker: Attacker) -> None:
    roots = ["/dev", "/etc", "/opt", "/sys", "/tmp", "/var/task", "/var/runtime", "/var/tmp"]
    writable = {
        path for path in attacker("writable", roots=roots) if not path.startswith("/dev/") or path == "/dev/shm"
    }
    assert {path for path in writable if not path.startswith("/tmp/")} <= WRITABLE
    tops = ["/", "/usr", "/usr/bin", "/usr/lib", "/var", "/var/lang", "/var/lang/bin", "/var/lang/lib"]
    assert attacker("writable_folders", folders=tops) == []


def test_every_mount_is_read_only_or_ones_own_and_gives_nobody_privileges(attacker: Attacker) -> None:
    for point, options, kind in attacker("mounts"):
        given = set(options.split(","))
        assert "nosuid" in given, point
        assert "nodev" in given or point.startswith("/dev/"), point
        assert "ro" in given or point in WRITABLE | {"/proc"} or point.startswith("/dev/"), (point, options, kind)


def test_links_lead_nowhere(attacker: Attacker, host: Host) -> None:
    targets = [str(host.secrets[0]), "/etc/shadow", "/proc/1/root", "/proc/1/cwd/etc/passwd", "/var/task/probe.py"]
    found = attacker("make_links", targets=targets)
    own = found.pop("/var/task/probe.py")
    assert own == [PROBES["probe.py"], "EXDEV"] or own[1] in {"EXDEV", "EPERM", "EROFS"}
    for target, (through_symbolic, hard) in found.items():
        assert through_symbolic in {"ENOENT", "EACCES", "EPERM"}, target
        assert hard in {"ENOENT", "EACCES", "EPERM", "EXDEV"}, target


def test_setuid_programs_give_nothing(attacker: Attacker) -> None:
    own = attacker("status")["Uid"]
    told = attacker("setuid_programs")
    for path, given in told["tried"].items():
        assert given in ("gone", "EACCES", "EPERM") or given == [own, "0" * 16], path
    code, user = told["made"]
    assert code != 0 or user == own.split()[0]


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_what_one_invocation_leaves_no_neighbour_finds(attacker: Attacker, neighbour: Attacker, folder: str) -> None:
    assert attacker("read", paths=[f"{folder}/neighbour"]) == {f"{folder}/neighbour": "ENOENT"}
    assert neighbour("recall")[1][f"{folder}/neighbour"] == f"{CANARY}-memory"


LINK, FILE = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644
PACKAGES = {
    "an absolute name": ("/tmp/escaped-absolute", "x", FILE),
    "a name that climbs": ("../../../escaped", "x", FILE),
    "a link to a secret": ("innocent.txt", "{secret}", LINK),
    "a link to passwords": ("innocent.txt", "/etc/shadow", LINK),
    "a link that climbs": ("innocent.txt", "../" * 12 + "{secret}", LINK),
    "a link to a folder": ("folder", "/", LINK),
    "a device": ("innocent.txt", "", stat.S_IFCHR | 0o666),
    "a pipe": ("innocent.txt", "", stat.S_IFIFO | 0o666),
    "a setuid program": ("innocent.txt", "#!/bin/sh\nid -u\n", stat.S_IFREG | 0o6755),
}


@pytest.mark.parametrize("trick", PACKAGES)
def test_tricks_in_packages_are_refused_or_harmless(server: ServerProcess, host: Host, trick: str, level: str) -> None:
    name, content, mode = PACKAGES[trick]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        for each, text in PROBES.items():
            package.writestr(each, text)
        entry = zipfile.ZipInfo(name)
        entry.filename, entry.external_attr, entry.create_system = name, mode << 16, 3
        package.writestr(entry, content.format(secret=host.secrets[0]))
    functions = server.client("lambda")
    request = {"FunctionName": trick.replace(" ", "-"), "Runtime": RUNTIME, "Role": ROLE, "Handler": "probe.handler"}
    try:
        functions.create_function(**request, Code={"ZipFile": data.getvalue()})
    except ClientError as refused:
        assert refused.response["Error"]["Code"] == "InvalidParameterValueException"
    else:
        functions.get_waiter("function_active_v2").wait(FunctionName=request["FunctionName"])
        _assert_harmless(Attacker(functions, request["FunctionName"]), name)
    assert not Path("/tmp/escaped-absolute").exists()
    assert not list(host.folder.rglob("escaped"))


def _assert_harmless(function: Attacker, name: str) -> None:
    told = function("read", paths=[f"/var/task/{name}", f"/var/task/{name}/etc/passwd"])
    assert CANARY not in str(told)
    assert "root:$" not in str(told)
    own = function("status")["Uid"].split()[0]
    assert function("run", command=[f"/var/task/{name}"])[1] in {"", own}
