"""Watches over memory: where the looking is done, who is killed, and who is not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox import cgroups, overdraft
from lambent.compute.sandbox.cgroups import MemoryWatch
from lambent.compute.sandbox.killing import kill
from lambent.compute.sandbox.overdraft import Overdrafts
from lambent.kernel.limits import KILLED_AT_ONCE, MIB, OVERDRAFT_STEP_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 20


class Scripted:
    """An account in which `sizes` are in use, one after the other and the last for ever, by `inhabitants`."""

    arming_waits = urgent = False

    def __init__(self, *sizes: int, inhabitants: set[int] | None = None) -> None:
        self.memory = 10 * MIB
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.sizes = [*sizes]
        self.inhabitants = [inhabitants or set()]
        self.threads: set[int] = set()
        self.thresholds: list[int] = []
        self.armed = threading.Semaphore(0)
        self.may_look = threading.Event()
        self.may_look.set()
        self.kills = 0

    def balance(self) -> tuple[int, int]:
        self.threads.add(threading.get_ident())
        assert self.may_look.wait(WAIT_S)
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0], 0

    def members(self) -> set[int]:
        return self.inhabitants.pop(0) if len(self.inhabitants) > 1 else self.inhabitants[0]

    def arm(self, threshold: int) -> None:
        self.thresholds.append(threshold)
        self.armed.release()

    def killed(self) -> None:
        self.kills += 1

    def tell(self) -> None:
        os.eventfd_write(self.descriptor, 1)


@contextmanager
def watched(account: Scripted) -> Iterator[Overdrafts]:
    overdrafts = Overdrafts()
    overdrafts.watch(account.descriptor, account)
    assert account.armed.acquire(timeout=WAIT_S)
    yield overdrafts
    overdrafts.forget(account.descriptor)
    overdrafts.close()
    os.close(account.descriptor)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "300"]) as child:
        yield child
        child.kill()


def attended(overdrafts: Overdrafts, account: Scripted) -> None:
    account.tell()
    assert select.select([overdrafts.descriptor], [], [], WAIT_S)[0]
    overdrafts.attend()


def test_the_largest_process_is_killed_and_the_loop_waits_for_nothing(sleeper: subprocess.Popen[bytes]) -> None:
    account = Scripted(11 * MIB, 9 * MIB, inhabitants={sleeper.pid})
    account.may_look.clear()
    with watched(account) as overdrafts:
        attended(overdrafts, account)
        assert sleeper.poll() is None
        account.may_look.set()
        assert sleeper.wait(WAIT_S) == -9
        assert account.armed.acquire(timeout=WAIT_S)
    assert threading.get_ident() not in account.threads
    assert account.kills == 1
    assert account.thresholds == [10 * MIB, 10 * MIB + OVERDRAFT_STEP_BYTES], "looked at again when it has ended"


def test_nobody_is_killed_for_the_memory_of_one_that_is_ending(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["sleep", "300"]) as dying:
        monkeypatch.setattr(overdraft, "_resident", {dying.pid: 0, sleeper.pid: 11 * MIB}.__getitem__)
        account = Scripted(11 * MIB, 9 * MIB, inhabitants={dying.pid, sleeper.pid})
        with watched(account) as overdrafts:
            attended(overdrafts, account)
            assert dying.wait(WAIT_S) == -9
            assert account.armed.acquire(timeout=WAIT_S)
    assert (sleeper.poll(), account.kills) == (None, 0)


def test_as_many_are_killed_as_it_takes(sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "300"]) as other:
        monkeypatch.setattr(overdraft, "_resident", {sleeper.pid: 12 * MIB, other.pid: 11 * MIB}.__getitem__)
        account = Scripted(23 * MIB, 11 * MIB, 11 * MIB, 11 * MIB, MIB, inhabitants={sleeper.pid, other.pid})
        account.inhabitants = [*account.inhabitants * 2, {other.pid}]
        with watched(account) as overdrafts:
            attended(overdrafts, account)
            assert (sleeper.wait(WAIT_S), other.wait(WAIT_S)) == (-9, -9)
    assert account.kills == 2


def test_nobody_is_killed_within_the_memory(sleeper: subprocess.Popen[bytes]) -> None:
    account = Scripted(10 * MIB, inhabitants={sleeper.pid})
    with watched(account) as overdrafts:
        attended(overdrafts, account)
        assert account.armed.acquire(timeout=WAIT_S)
    assert (sleeper.poll(), account.kills) == (None, 0)


def test_what_is_told_during_a_look_leads_to_one_more_look_and_never_to_two_at_once() -> None:
    account = Scripted(1)
    account.may_look.clear()
    with watched(account) as overdrafts:
        for _ in range(5):
            attended(overdrafts, account)
        account.may_look.set()
        for _ in range(2):
            assert account.armed.acquire(timeout=WAIT_S)
    assert len(account.thresholds) == 3


def test_a_threshold_that_is_passed_while_it_is_set_is_not_missed() -> None:
    account = Scripted(9 * MIB, 12 * MIB, 9 * MIB)
    with watched(account) as overdrafts:
        attended(overdrafts, account)
        for _ in range(2):
            assert account.armed.acquire(timeout=WAIT_S)


def test_in_version_1_a_threshold_is_set_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(cgroups, "write", lambda _, file, value: written.append((file, value.split()[-1])))
    (tmp_path / "memory.usage_in_bytes").write_text("0")
    watch = MemoryWatch(str(tmp_path), unified=False, memory=MIB)
    for threshold in (1, 2, 1):
        watch.arm(threshold)
    assert watch.close(lambda: True)
    assert written == [("cgroup.event_control", "1"), ("cgroup.event_control", "2")]


def test_a_process_that_was_given_the_id_of_a_member_lives(sleeper: subprocess.Popen[bytes]) -> None:
    account = Scripted(11 * MIB)
    account.inhabitants = [{sleeper.pid}, set()]
    with watched(account) as overdrafts:
        attended(overdrafts, account)
        assert account.armed.acquire(timeout=WAIT_S)
    sleeper.terminate()
    assert sleeper.wait(WAIT_S) == -signal.SIGTERM, "nothing else has ended it"


def test_members_are_killed_and_what_is_gone_or_no_process_is_passed_over(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    ids = {0, gone.pid, sleeper.pid}
    assert kill(ids, lambda: ids) == 1
    assert sleeper.wait(WAIT_S) == -9


def test_many_are_killed_with_few_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    looks: list[int] = []

    def pidfd(_: int) -> int:
        opened.append(os.eventfd(0))
        return opened[-1]

    def members() -> set[int]:
        looks.append(len(opened))
        return set()

    monkeypatch.setattr(os, "pidfd_open", pidfd)
    assert kill(range(1, 2 * KILLED_AT_ONCE + 2), members) == 0
    assert looks == [KILLED_AT_ONCE, 2 * KILLED_AT_ONCE, 2 * KILLED_AT_ONCE + 1]
    assert len(set(opened)) == KILLED_AT_ONCE
