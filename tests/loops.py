"""An event loop for tests on the virtual clock, where nothing outside can ever wake anybody."""

from __future__ import annotations

import asyncio
import selectors


class _Sleepless(selectors.DefaultSelector):
    """Looks, and never waits."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            raise AssertionError("everybody waits, and nobody is left who could wake them")
        return super().select(0)


def sleepless() -> asyncio.AbstractEventLoop:
    """A loop that fails where it would have to wait, for it would do so for ever.

    A signal handler that raises, as that of pytest-timeout does, may do so within a callback of the loop, which then is
    not carried out: the loop logs that and goes on. Where it was the callback that ends `run_until_complete`, a usual
    loop waits from then on without end, and the one alarm that there was has gone by.
    """
    return asyncio.SelectorEventLoop(_Sleepless())
