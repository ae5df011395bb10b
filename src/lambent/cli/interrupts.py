"""Ctrl-C for commands that go on without end."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def interruptible() -> Iterator[Callable[[float], None]]:
    """Gives a pause of so many seconds that raises KeyboardInterrupt also for a Ctrl-C which came before it: Python
    forgets an exception that is raised within a finaliser, and the command would go on."""
    pressed = threading.Event()

    def interrupt(*_: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    def pause(seconds: float) -> None:
        if pressed.wait(seconds):
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield pause
    finally:
        signal.signal(signal.SIGINT, before)
