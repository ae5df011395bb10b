"""The composition root of a front (`wire/fronts`): a process that speaks HTTP for the server which has started it.

It is run as `python -m lambent.front LINK PASSAGE`, with the descriptors of its ends of both, and ends with the server.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvloop

from lambent.kernel.clock import SystemClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.tasks import Supervisor
from lambent.services.sts.authority import SessionAuthority
from lambent.wire.fronts.front import Front
from lambent.wire.fronts.screen import Screen
from lambent.wire.models import Models

if TYPE_CHECKING:
    from lambent.wire.fronts.messages import Hello

_PR_SET_PDEATHSIG = 1


async def _serve(link: int, passage: int) -> None:
    clock, ids = SystemClock(), SystemIds()
    tasks = Supervisor(clock)

    def screen(hello: Hello) -> Screen:
        logging.basicConfig(level=hello.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        authority = SessionAuthority(hello.settings, clock, ids, hello.sessions)
        made = Screen(Models(ids), authority, clock, hello.settings, hello.kinds)
        gc.collect()
        gc.freeze()  # as the server does with what it holds for good
        return made

    await Front(screen, clock, ids, tasks).serve(socket.socket(fileno=link), socket.socket(fileno=passage))
    await tasks.stop()


def _end_with_the_server() -> None:
    """Have the kernel kill this process with its parent: one that hangs would not hear that its link has ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    """Serve over the descriptors that the arguments name, until the server says so or is gone."""
    link, passage = map(int, sys.argv[1:])
    _end_with_the_server()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # where a whole group is told to end, the server decides when
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(link, passage))


if __name__ == "__main__":
    main()
