"""The kernel: the surfaces that no function needs are closed, whoever asks and however."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.security.escape.conftest import Attacker

CLOSED = {"EPERM", "ENOSYS"}
MACHINE_FILES = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sysrq-trigger",
    "/proc/acpi/wakeup",
    "/proc/kcore",
    "/proc/irq/default_smp_affinity",
    "/proc/1/oom_score_adj",
    "/proc/1/mem",
    "/proc/1/uid_map",
    "/sys/power/state",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/memory/cgroup.procs",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/unified/cgroup.procs",
    "/sys/fs/cgroup/release_agent",
    "/dev/kmsg",
    "/dev/mem",
    "/dev/port",
    "/dev/sda",
    "/dev/vda",
    "/dev/loop0",
    "/dev/loop-control",
    "/dev/fuse",
    "/dev/kvm",
    "/dev/net/tun",
    "/dev/userfaultfd",
    "/dev/vhost-vsock",
]


def test_no_call_that_changes_the_machine(anybody: Attacker) -> None:
    told = anybody("forbidden_calls")
    assert {name: error for name, error in told.items() if error not in CLOSED} == {}


def test_no_new_namespaces_by_any_call(anybody: Attacker) -> None:
    told = anybody("new_namespaces")
    assert {name: errors for name, errors in told.items() if set(errors) != {"EPERM"}} == {}


def test_no_process_is_left_to_the_parent_of_a_function(anybody: Attacker) -> None:
    assert anybody("sibling") == "EPERM"


@pytest.mark.parametrize("process", [1, "self"])
def test_no_entering_of_other_namespaces(anybody: Attacker, process: int | str) -> None:
    assert set(anybody("enter_namespaces", process=process).values()) <= {"EPERM", "EACCES", "ENOENT"}


def test_tools_that_make_namespaces_fail(anybody: Attacker) -> None:
    for command in (["unshare", "-Ur", "true"], ["mount", "-t", "tmpfs", "none", "/tmp"], ["chroot", "/", "true"]):
        assert anybody("run", command=["/usr/bin/env", *command])[0] != 0, command


def test_files_of_the_kernel_cannot_be_written(anybody: Attacker) -> None:
    told = anybody("open_for_writing", paths=MACHINE_FILES)
    assert [path for path, outcome in told.items() if outcome == "done"] == []


def test_no_device_can_be_made(anybody: Attacker) -> None:
    assert set(anybody("make_devices").values()) <= {"EPERM", "EROFS", "EACCES"}


def test_nobody_becomes_root(anybody: Attacker) -> None:
    assert set(anybody("become_root")) <= {"EPERM", "EINVAL"}


def test_limits_are_not_raised(anybody: Attacker) -> None:
    assert set(anybody("raise_limits").values()) == {"refused"}


def test_what_can_be_opened_cannot_be_changed(anybody: Attacker) -> None:
    texts = {
        "/proc/self/oom_score_adj": "-1000",
        "/proc/self/uid_map": "0 0 1",
        "/proc/self/gid_map": "0 0 1",
        "/proc/sys/kernel/ns_last_pid": "1",
    }
    assert set(anybody("write", texts=texts).values()) <= {"EACCES", "EPERM"}


def test_nobody_types_into_terminals(anybody: Attacker) -> None:
    assert "done" not in anybody("type_into_terminal")
