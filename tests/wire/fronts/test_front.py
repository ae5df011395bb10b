"""A front's process: it ends with its server, also where it cannot hear of the end."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lambent.kernel.settings import Settings
from lambent.wire.fronts.link import Link
from lambent.wire.fronts.messages import FromFront, Hello, Ready

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30
SERVER = """
import subprocess, sys
front = subprocess.Popen([sys.executable, "-P", "-m", "lambent.front", *sys.argv[1:]], pass_fds=map(int, sys.argv[1:]))
print(front.pid, flush=True)
front.wait()
"""


class Pair:
    """A server of which there is only the process, its front, and this end of their link."""

    def __init__(self) -> None:
        self.link, link = socket.socketpair()
        self.passage, passage = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        numbers = link.fileno(), passage.fileno()
        command = [sys.executable, "-c", SERVER, *map(str, numbers)]
        self.server = subprocess.Popen(command, pass_fds=numbers, stdout=subprocess.PIPE, text=True)
        for theirs in (link, passage):
            theirs.close()
        assert self.server.stdout is not None
        self.pid = int(self.server.stdout.readline())
        self.front = os.pidfd_open(self.pid)
        self._welcome()

    def _welcome(self) -> None:
        """Returns when the front is ready."""
        heard: list[FromFront] = []
        ours: Link[FromFront] = Link(FromFront, heard.append, lambda: None)
        ours.connection_made(self)  # type: ignore[arg-type]
        ours.send(Hello(Settings(), bytes(32), (), 30))
        self.link.settimeout(PATIENCE_S)
        while heard != [Ready()]:
            ours.data_received(self.link.recv(100))

    def write(self, data: bytes) -> None:
        self.link.sendall(data)

    def close(self) -> None:
        self.server.kill()
        self.server.wait()
        assert self.server.stdout is not None
        for end in (self.server.stdout, self.link, self.passage):
            end.close()
        if not self.ended(0):
            signal.pidfd_send_signal(self.front, signal.SIGKILL)
        os.close(self.front)

    def ended(self, patience: float = PATIENCE_S) -> bool:
        """Whether the front ends within so many seconds."""
        return bool(select.select([self.front], [], [], patience)[0])


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_a_front_ends_with_its_link(pair: Pair) -> None:
    pair.link.close()
    assert pair.ended()


def test_a_front_that_hangs_ends_with_a_server_that_is_killed(pair: Pair) -> None:
    signal.pidfd_send_signal(pair.front, signal.SIGSTOP)
    pair.server.kill()
    assert pair.ended()
