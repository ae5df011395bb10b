"""The test's side of a server that halts: it is told what to hold, copied while it stands still, and killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stories.crashes.scenario import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60
CACHES = shutil.ignore_patterns("runtimes", "cells", "server.json", "lock")
"""What is made anew at each start."""


class HaltingServer:
    """A running `halting`."""

    def __init__(self, child: subprocess.Popen[str], folder: Path) -> None:
        self.folder = folder
        self.endpoint = ""
        self.tokens: dict[str, str] = {}
        """The checkpoint token of the invocation that each durable execution has, by its ARN."""
        self.ran: set[str] = set()
        """The ARNs of the functions that were invoked."""
        self.changed = threading.Condition()
        """Notified of all that the server tells."""
        self.held: dict[str, str] = {}
        """The steps that calls are held at, by the account of the caller."""
        self.stopped: str | None = None
        """The step that the process has stopped itself at."""
        self._swept = False
        self._ended = False
        self._child = child
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait(self, until: Callable[[], bool]) -> None:
        """Return once that is so; what the test itself changes it notifies."""
        with self.changed:
            assert self.changed.wait_for(lambda: until() or self._ended, PATIENCE_S), self.held
            assert not self._ended, "the server has ended"

    def ready(self) -> None:
        """Return once it takes requests."""
        self.wait(lambda: bool(self.endpoint))

    def say(self, word: str) -> None:
        """Tell it what to do; see `halting`."""
        with self.changed:
            self.held.clear()
        assert self._child.stdin is not None
        self._child.stdin.write(f"{word}\n")
        self._child.stdin.flush()

    def sweep(self) -> None:
        """Remove the packages that nothing names and nobody has needed for a while."""
        self.say("sweep")
        self.wait(lambda: self._swept)

    def copy(self, target: Path) -> None:
        """Stop the process, copy its folder as it is at this moment, and let it go on: what SIGKILL would leave."""
        self._child.send_signal(signal.SIGSTOP)
        self._copy(target)

    def copy_stopped(self, target: Path | None) -> None:
        """The same for a process that has stopped itself; without a target it only goes on."""
        with self.changed:
            self.stopped = None
        self._copy(target)

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()
        self._child.wait()
        self._reader.join()

    def _copy(self, target: Path | None) -> None:
        _, status = os.waitpid(self._child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"the server has ended with {status}"
        if target is not None:
            shutil.copytree(self.folder, target, ignore=CACHES)
        self._child.send_signal(signal.SIGCONT)

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            word, _, rest = line.strip().partition(" ")
            with self.changed:
                self._heard(word, rest)
                self.changed.notify_all()
        with self.changed:
            self._ended = True
            self.changed.notify_all()

    def _heard(self, word: str, rest: str) -> None:
        match word:
            case "ready":
                self.endpoint = rest
            case "held":
                caller, _, step = rest.partition(" ")
                self.held[caller] = step
            case "stopped":
                self.stopped = rest
            case "turn":
                arn, _, token = rest.partition(" ")
                self.tokens[arn] = token
            case "ran":
                self.ran.add(rest)
            case "swept":
                self._swept = True


@contextmanager
def halting(folder: Path, *words: str) -> Iterator[HaltingServer]:
    """Run a server with its data in `folder` until the block ends; then it is killed. It is ready when the block
    begins, unless `words` say what to hold from its first step on."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.stories.crashes.halting", str(folder), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", str(folder)),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
    )
    server = HaltingServer(child, folder)
    try:
        if not words:
            server.ready()
        yield server
    finally:
        server.kill()
        CLIENTS.close(server.endpoint)
        for stream in (child.stdin, child.stdout):
            assert stream is not None
            stream.close()
