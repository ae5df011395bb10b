"""Ctrl-C ends a command whenever it comes."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from lambent.cli.interrupts import interruptible


def test_an_interrupt_that_was_forgotten_ends_the_next_pause() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as pause:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            pause(60)
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_ends_a_pause_but_its_time() -> None:
    with interruptible() as pause:
        pause(0)
