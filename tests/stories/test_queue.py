"""Accepted events survive SIGKILL: each one is run at least once, and a crowd of clients shares the disk."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support import ServerProcess, create, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = 50
PATIENCE_S = 60
HANDLER = """
import json, socket

def handler(event, context):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(json.dumps(event).encode(), PLACE)
"""


class Witness:
    """Hears of every run of the function, which has no walls, through a socket in the file system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._runs: set[str] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def wait_for(self, events: set[str]) -> None:
        """Return once each of `events` was run."""
        with self._changed:
            assert self._changed.wait_for(lambda: events <= self._runs, PATIENCE_S), sorted(events - self._runs)

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()
        self.path.unlink()

    def _listen(self) -> None:
        while heard := self._socket.recv(4096):
            with self._changed:
                self._runs.add(heard.decode().strip('"'))
                self._changed.notify_all()


@contextmanager
def witness(folder: Path) -> Iterator[Witness]:
    made = Witness(folder / "w")
    try:
        yield made
    finally:
        made.close()


class Senders:
    """Threads that send events until the server dies, and remember which were accepted."""

    def __init__(self, server: ServerProcess, prefix: str, accepted: set[str]) -> None:
        self._functions = server.client("lambda")
        self._prefix = prefix
        self._accepted = accepted
        self._count = 0
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Return once `count` events of this round were accepted."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, PATIENCE_S)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _send(self, number: int) -> None:
        step = 0
        try:
            while True:
                event = f"{self._prefix}-{number}-{step}"
                self._functions.invoke(FunctionName="f", InvocationType="Event", Payload=f'"{event}"')
                with self._changed:
                    self._accepted.add(event)
                    self._count += 1
                    self._changed.notify_all()
                step += 1
        except (BotoCoreError, ClientError):
            return


def killed_under_a_crowd(folder: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    accepted: set[str] = set()
    with witness(folder) as heard:
        for number in range(rounds):
            with server_process(folder, "--sandbox", "process") as server:
                if not number:
                    code = HANDLER.replace("PLACE", repr(str(heard.path)))
                    create(server.client("lambda"), "f", {"app.py": code}, "app.handler")
                senders = Senders(server, f"r{number}", accepted)
                senders.wait_for(chance.randint(1, 6 * CLIENTS))
                server.kill()
                senders.join()
        with server_process(folder, "--sandbox", "process") as server:
            heard.wait_for(accepted)
            functions: Any = server.client("lambda")
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'"last"')
            heard.wait_for({"last"})


def test_every_accepted_event_is_run_though_the_server_is_killed(tmp_path: Path) -> None:
    killed_under_a_crowd(tmp_path, rounds=3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_accepted_event_is_run_though_the_server_is_killed_often(tmp_path: Path) -> None:
    killed_under_a_crowd(tmp_path, rounds=20, seed=2)
