"""The name relay where the machine has no descriptors left: it pauses, and nothing spins."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox.egress.datagrams import Flows
from lambent.compute.sandbox.egress.names import Names, Servers
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Exhausted(socket.socket):
    """A listener on a machine without descriptors."""

    attempts = 0
    exhausted = True

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.attempts += 1
        if self.exhausted:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class Relay:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.supervisor = Supervisor(self.clock)
        self.listener = Exhausted()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.address = self.listener.getsockname()
        udp = socket.socket(type=socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        servers = Servers(folder / "resolv.conf")
        flows = Flows(udp, self.clock)
        self.names = Names(udp, self.listener, servers, flows, self.clock, self.supervisor)

    async def turns(self) -> None:
        """Let the loop look at its descriptors for some time."""
        for _ in range(20):
            await asyncio.sleep(0)
            await settle()


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    relay = Relay(tmp_path)
    yield relay
    if relay.names._open:
        relay.names.close()
    await relay.supervisor.stop()


async def test_without_descriptors_the_relay_pauses_and_then_serves_who_waits(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(relay.address) as client:
        await relay.turns()
        assert relay.listener.attempts == 1
        assert "cannot accept: Too many open files" in caplog.text
        relay.listener.exhausted = False
        await relay.clock.advance(limits.DNS_PAUSE_S)
        await relay.turns()
        assert relay.listener.attempts == 2
        assert len(relay.names._clients) == 1
        client.close()


async def test_a_relay_that_is_closed_during_the_pause_stays_closed(relay: Relay) -> None:
    with socket.create_connection(relay.address):
        await relay.turns()
        relay.names.close()
        await relay.clock.advance(limits.DNS_PAUSE_S)
    assert relay.listener.attempts == 1
