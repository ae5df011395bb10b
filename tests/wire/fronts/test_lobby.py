"""The lobby: a front that does not get ready, or cannot be made, holds nobody up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor
from lambent.wire.fronts.lobby import Lobby
from lambent.wire.fronts.messages import Hello

if TYPE_CHECKING:
    import pytest

    from lambent.kernel.call import Response
    from lambent.wire.fronts.messages import Ask
    from lambent.wire.http import HttpResponse

PATIENCE_S = 20


async def perform(ask: Ask) -> Response | HttpResponse:
    raise AssertionError(ask)


class Silent:
    """Starts processes that say nothing, and remembers them."""

    def __init__(self) -> None:
        self.processes: list[asyncio.subprocess.Process] = []
        self.started = asyncio.Event()

    async def spawn(self, link: int, passage: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec("sleep", "1000", pass_fds=(link, passage))
        self.processes.append(process)
        self.started.set()
        return process


class Real:
    """Starts fronts, and remembers them."""

    def __init__(self) -> None:
        self.processes: list[asyncio.subprocess.Process] = []

    async def spawn(self, link: int, passage: int) -> asyncio.subprocess.Process:
        command = (sys.executable, "-P", "-m", "lambent.front", str(link), str(passage))
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(link, passage), start_new_session=True)
        self.processes.append(process)
        return process


async def test_a_front_that_hangs_is_ended_and_replaced_and_its_clients_are_told() -> None:
    real, clock = Real(), VirtualClock()
    tasks = Supervisor(clock)
    lobby = Lobby(1, real.spawn, perform, lambda: Hello(Settings(), bytes(32), (), 30), clock, tasks)
    async with asyncio.timeout(PATIENCE_S):
        await lobby.open()
    os.kill(real.processes[0].pid, signal.SIGSTOP)
    client, connection = socket.socketpair()
    assert lobby.lend(connection.fileno())
    connection.close()
    client.setblocking(False)
    async with asyncio.timeout(PATIENCE_S):
        await clock.advance((limits.FRONT_PULSES + 1) * limits.FRONT_PULSE_S)
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
        await lobby.until(lambda: lobby.lent == 0)
        assert await real.processes[0].wait() == -signal.SIGKILL
        while len(real.processes) < 2:
            await clock.advance(limits.RESTART_PAUSE_MIN_S)
        await lobby.until(lambda: lobby.ready == 1)
    assert len(real.processes) == 2
    client.close()
    await lobby.close()
    await tasks.stop()


async def test_a_front_that_does_not_get_ready_is_killed_and_not_waited_for() -> None:
    silent, clock = Silent(), VirtualClock()
    tasks = Supervisor(clock)
    lobby = Lobby(1, silent.spawn, perform, lambda: Hello(Settings(), bytes(32), (), 30), clock, tasks)
    opening = asyncio.ensure_future(lobby.open())
    async with asyncio.timeout(PATIENCE_S):
        await silent.started.wait()
        await settle()
        await clock.advance(limits.FRONT_START_S - 1)
        assert not opening.done()
        await clock.advance(1)
        await opening
    assert silent.processes[0].returncode is not None
    assert lobby.ready == 0
    await lobby.close()
    await tasks.stop()


async def test_a_front_whose_sockets_cannot_be_made_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, clock = Silent(), VirtualClock()
    tasks = Supervisor(clock)
    made, real = [], socket.socketpair

    def pair(*arguments: int) -> tuple[socket.socket, socket.socket]:
        if made:
            raise OSError(24, "Too many open files")
        made.extend(real(*arguments))
        return made[0], made[1]

    lobby = Lobby(1, silent.spawn, perform, lambda: Hello(Settings(), bytes(32), (), 30), clock, tasks)
    monkeypatch.setattr(socket, "socketpair", pair)
    async with asyncio.timeout(PATIENCE_S):
        await lobby.open()
    monkeypatch.undo()
    assert [each.fileno() for each in made] == [-1, -1]
    assert not silent.processes
    await lobby.close()
    await tasks.stop()
