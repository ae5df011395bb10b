"""The read end of a guest's output: read when there is something, not read for ever where there is too much."""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock, Timer


class Reader(Protocol):
    """What takes the bytes."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""


class Pipe:
    """Owns `descriptor`, the read end. `heard` is called when `reader` was fed because something had come."""

    def __init__(self, descriptor: int, reader: Reader, clock: Clock, heard: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._reader = reader
        self._clock = clock
        self._heard = heard
        self._resume: Timer | None = None
        self._open = True
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._unread = select.poll()  # an answer from it costs far less than the exception of a read in vain
        self._unread.register(descriptor, select.POLLIN)
        self._listen()

    def drain(self, enough: Callable[[], bool] | None = None) -> None:
        """Read what is there now, or until there is `enough` of it. Who goes on printing is not read for ever."""
        for _ in range(limits.OUTPUT_READS_DRAINED):
            if not self._open or not self._unread.poll(0) or (enough is not None and enough()) or self._read() <= 0:
                return

    def close(self) -> None:
        """Read no more, and let go of the descriptor; harmless twice."""
        if self._open:
            self._open = False
            self._mute()
            os.close(self._descriptor)

    def _readable(self) -> None:
        size = self._read()
        if size == limits.OUTPUT_READ_BYTES:  # more than a pipe holds: a flood, and others are waiting
            self._mute()
            self._resume = self._clock.call_later(limits.OUTPUT_PAUSE_S, self._listen)
        elif size == 0:
            self._mute()
        self._heard()

    def _read(self) -> int:
        """Take what is there: how many bytes, 0 at the end of all output, -1 where there is nothing yet."""
        try:
            data = os.read(self._descriptor, limits.OUTPUT_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return -1
        self._reader.feed(data)
        return len(data)

    def _listen(self) -> None:
        self._loop.add_reader(self._descriptor, self._readable)

    def _mute(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._loop.remove_reader(self._descriptor)
