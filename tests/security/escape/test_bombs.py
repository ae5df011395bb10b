"""Bombs: whatever a function uses up runs out inside, and neither the host nor a neighbour notices."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel.limits import ENVIRONMENT_OPEN_FILES, ENVIRONMENT_PROCESSES, MIB
from tests.security.escape.conftest import CANARY, Attacker, marked, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import ServerProcess

STORAGE_MB = 512
KILLED = 9


def while_served(neighbour: Attacker, bomb: Callable[[], Any]) -> Any:
    """Let a bomb go off, and have the neighbour answer meanwhile; returns how the bomb ended."""
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(bomb()))
    thread.start()
    try:
        assert neighbour("recall")[0] == f"{CANARY}-memory"
    finally:
        thread.join(60)
    return ended[0]


def test_processes_run_out_inside(attacker: Attacker) -> None:
    made, error = attacker("forks", most=2 * ENVIRONMENT_PROCESSES)
    assert error == "EAGAIN"
    assert ENVIRONMENT_PROCESSES - 64 <= made < ENVIRONMENT_PROCESSES


def test_threads_run_out_inside(attacker: Attacker) -> None:
    made, error = attacker("threads", most=2 * ENVIRONMENT_PROCESSES)
    assert error == "refused"
    assert made < ENVIRONMENT_PROCESSES


def test_a_fork_bomb_ends_with_its_environment(server: ServerProcess, neighbour: Attacker, level: str) -> None:
    bomb = Attacker.deployed(server, "fork-bomb", MemorySize=1024, Timeout=2)
    token = f"fork-bomb-{level}-{os.getpid()}"
    answer = while_served(neighbour, lambda: bomb.answer("fork_bomb", token=token))
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] in {"Sandbox.Timedout", "Runtime.ExitError"}
    wait_for_end(marked(token))
    assert marked(token) == []
    assert bomb("status")["Seccomp"] == "2", "the function has a new environment"


def test_memory_runs_out_inside_and_is_told_as_aws_tells_it(small: Attacker, neighbour: Attacker) -> None:
    answer = while_served(neighbour, lambda: small.answer("memory", mebibytes=1024))
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Runtime.OutOfMemory"
    assert "signal: killed" in answer["Payload"]["errorMessage"]
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB" in answer["LogResult"]
    assert small("status")["Seccomp"] == "2"


def test_the_process_that_uses_the_memory_up_is_the_one_that_is_killed(small: Attacker) -> None:
    assert small("memory_of_children", mebibytes=1024) == KILLED


def test_memory_that_processes_share_runs_out_inside(small: Attacker) -> None:
    assert small("shared_memory_of_children", mebibytes=2048) == KILLED


def test_storage_is_full_at_its_size_and_is_not_memory(small: Attacker, neighbour: Attacker) -> None:
    written, error = while_served(neighbour, lambda: small("fill", folder="/tmp", mebibytes=2 * STORAGE_MB))
    assert error == "ENOSPC"
    assert STORAGE_MB * MIB * 0.98 <= written <= STORAGE_MB * MIB


def test_shared_memory_is_full_soon(small: Attacker) -> None:
    written, error = small("fill", folder="/dev/shm", mebibytes=STORAGE_MB)
    assert (error, written < STORAGE_MB * MIB) == ("ENOSPC", True)


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_files_run_out_inside(small: Attacker, folder: str) -> None:
    made, error = small("inodes", folder=folder, most=1_000_000)
    assert error == "ENOSPC"
    assert made > 1


def test_descriptors_run_out_inside(small: Attacker) -> None:
    assert small("open_files", most=2 * ENVIRONMENT_OPEN_FILES) == [ENVIRONMENT_OPEN_FILES, "EMFILE"]
