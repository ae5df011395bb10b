"""Process 1 of a lone cell: that its instructions do what they say."""

from __future__ import annotations

import os
import platform
import select
import signal
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox import sleeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_MS = 10_000


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """It, as a process, and the other end of what it sleeps on. Skips where there is none."""
    program = sleeper.program()
    if program is None:
        pytest.skip("there is no such program for this machine")
    path = tmp_path / "first"
    path.write_bytes(program)
    path.chmod(0o700)
    reading, writing = os.pipe()
    process = os.posix_spawn(path, [str(path)], {}, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)])
    os.close(reading)
    try:
        yield process, writing
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_it_sleeps_until_nobody_has_the_other_end(sleeping: tuple[int, int]) -> None:
    process, writing = sleeping
    handle = os.pidfd_open(process)
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    assert not ended.poll(0)
    os.close(writing)
    assert ended.poll(PATIENCE_MS)
    os.close(handle)
    information = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert information is not None
    assert (information.si_code, information.si_status) == (os.CLD_EXITED, 0)


def test_other_processors_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert sleeper.program() is None
