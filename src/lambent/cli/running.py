"""A server in the foreground: it starts, says where it is, deploys what it was told to, and stops on a signal."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import resource
import signal
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from lambent.app import App
from lambent.cli import helper, presence
from lambent.cli.banner import Facts, JsonScreen, Screen, TerminalScreen
from lambent.cli.failure import Exit, Failure
from lambent.cli.terminal import complain
from lambent.compute.sandbox import levels
from lambent.kernel import limits
from lambent.kernel.clock import SystemClock
from lambent.kernel.tasks import Supervisor
from lambent.store.errors import StoreError
from lambent.wire.server import CannotListen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambent.cli.settings import Loaded
    from lambent.kernel.settings import Settings


# Of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def run(loaded: Loaded, paths: Sequence[Path], level: str, *, json: bool) -> int:
    """Serve until a signal; returns the exit code. Raises Failure where the server cannot start."""
    for warning in loaded.warnings:
        complain(warning, warning=True)
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    screen: Screen = JsonScreen() if json else TerminalScreen(loaded.settings)
    data = Path(loaded.settings.data).absolute()
    _allow_descriptors()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(loaded.settings, data, paths, screen))
    return Exit.OK


def _allow_descriptors() -> None:
    """As many open files as the system lets us have: connections and environments need a few each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def settle() -> None:
    """What a server does once it is up, so that nobody waits for it later.

    What stays for good leaves the collector's sight, which would go through all of it. What a large event has taken
    stays with the process up to a limit: the C library would give it back, and fetch it for the next one page by page.
    """
    gc.collect()
    gc.freeze()
    with suppress(AttributeError):  # glibc alone has it; others keep less, or more
        adjust = ctypes.CDLL(None).mallopt
        adjust(_M_MMAP_THRESHOLD, limits.HEAP_BLOCK_BYTES)
        adjust(_M_TRIM_THRESHOLD, limits.HEAP_KEPT_BYTES)


async def _serve(settings: Settings, data: Path, paths: Sequence[Path], screen: Screen) -> None:
    stop = asyncio.Event()
    with _stopped_by_signals(stop), _clear_failures():
        async with App.running(settings) as app:
            settle()
            facts = Facts(
                endpoint=app.endpoint,
                data=str(data),
                mode=settings.mode,
                sandbox=app.sandbox,
                obstacle=app.obstacle,
                unlimited=app.unlimited,
                version=version("lambent"),
                process=os.getpid(),
            )
            known = (facts.endpoint, facts.version, facts.sandbox, app.key, facts.unlimited, settings.fronts)
            with presence.announced(data, *known):
                screen.ready(facts)
                tasks = Supervisor(SystemClock())
                tasks.start("report", _report(app.endpoint, settings, paths, screen, tasks))
                await stop.wait()
                screen.stopping()
                await tasks.stop()
    screen.stopped()


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first SIGINT or SIGTERM sets `stop`; a second one ends the process on the spot."""
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set():
            # The store is durable at every moment, so nothing is lost.
            os._exit(Exit.INTERRUPTED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _clear_failures() -> Iterator[None]:
    """What commonly keeps a server from starting leaves as a Failure."""
    try:
        yield
    except StoreError as error:
        raise Failure(str(error), Exit.MACHINE) from None
    except levels.Unavailable as error:
        raise Failure(f"{error}; lambent doctor tells what works", Exit.MACHINE) from None
    except CannotListen as error:
        raise Failure(f"{error}; choose another with --port, or stop what listens there", Exit.MACHINE) from None


async def _report(endpoint: str, settings: Settings, paths: Sequence[Path], screen: Screen, tasks: Supervisor) -> None:
    """Deploy `paths` and show each result as it comes; without paths, show what is there already."""
    try:
        if paths:
            with screen.deploying() as step:
                async for result in helper.run(("deploy", *map(str, paths)), endpoint, settings, tasks, step):
                    screen.deployed(result)
            screen.all_deployed()
        else:
            async for functions in helper.run(("ls",), endpoint, settings, tasks):
                screen.present(functions)
    except Failure as failure:
        complain(str(failure))
