"""Fixtures that every suite shares: a real server on a free port with a temporary data folder."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings

from lambent.app import App
from lambent.kernel.settings import Settings
from tests.support import client

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

START_S = 30

# `make test` draws the same examples every time; `make test-all` looks for new ones. How long drawing takes says
# nothing on a busy machine. What fails is told as it was found, with what repeats it: to make it smaller takes minutes,
# in which the alarm of pytest-timeout counts as one more failure and is gone. The profile `small` does that, which
# `--timeout 0` is for.
_UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "database": None, "print_blob": True}
_FOUND = (Phase.explicit, Phase.generate)
hypothesis_settings.register_profile("steady", derandomize=True, phases=_FOUND, **_UNHURRIED)
hypothesis_settings.register_profile("search", phases=_FOUND, **_UNHURRIED)
hypothesis_settings.register_profile("small", derandomize=True, **_UNHURRIED)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


class Server:
    """A server that runs on a thread of this process, and clients for it."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.endpoint = app.endpoint
        self._loop = loop

    def client(self, service: str, **options: Any) -> Any:
        """An unmodified boto3 client; only the endpoint and the credentials are set."""
        return client(self.endpoint, service, **options)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine on the server's own event loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(START_S)


@contextmanager
def serving(settings: Settings) -> Iterator[Server]:
    """Run a server with `settings` until the block ends."""
    started: Future[tuple[Server, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        try:
            async with App.running(settings) as app:
                started.set_result((Server(app, asyncio.get_running_loop()), stop))
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    def thread() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            thread()
        except BaseException as error:  # noqa: BLE001 it is raised again on the test's own thread
            failures.append(error)

    runner = threading.Thread(target=guarded, name="lambent-server")
    runner.start()
    try:
        server, stop = started.result(START_S)
        try:
            yield server
        finally:
            server._loop.call_soon_threadsafe(stop.set)
    finally:
        runner.join(START_S)
    assert not failures, failures


def settings_for(folder: Path, **values: Any) -> Settings:
    """Settings of a test server: a free port and a temporary data folder."""
    return Settings(port=0, data=str(folder / "data"), **values)


@pytest.fixture
def lambent(tmp_path: Path) -> Iterator[Server]:
    """A fresh server for one test."""
    with serving(settings_for(tmp_path)) as server:
        yield server


@pytest.fixture(scope="module")
def shared_lambent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module that do not get in each other's way."""
    with serving(settings_for(tmp_path_factory.mktemp("server"))) as server:
        yield server
