"""The event loop for tests on the virtual clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from lambent.kernel.clock import VirtualClock, settle
from tests.loops import sleepless

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = sleepless()
    yield made
    made.close()


async def idle() -> None:
    await settle()


def test_it_runs_what_can_run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(VirtualClock().advance(10.0))


def test_it_does_not_wait_for_what_never_comes(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(AssertionError, match="everybody waits"):
        loop.run_until_complete(asyncio.Event().wait())


def test_it_does_not_wait_for_an_end_that_a_signal_has_swallowed(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> NoReturn:
        pytest.fail("the time is up")

    monkeypatch.setattr(asyncio.base_events, "_run_until_complete_cb", interrupted)
    with pytest.raises(AssertionError, match="everybody waits"):
        loop.run_until_complete(idle())
