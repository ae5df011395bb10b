"""The server's view of one running runtime client: its process, its channel and its output."""

from __future__ import annotations

import asyncio
import os
import select
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from lambent.compute import channel
from lambent.compute.output import Output
from lambent.compute.sandbox.api import Launch
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lambent.compute.sandbox.api import Sandbox
    from lambent.kernel.clock import Clock, Timer

_MARK = "_LAMBENT_ENVIRONMENT"
"""The variable that tells an environment's processes from all others. No function can set it: the names of a function's
own variables start with a letter, and this one is placed last."""


def mark(scratch: Path) -> bytes:
    """What tells the processes of the environments that work below `scratch`."""
    return f"{_MARK}={scratch}".encode()


class Listener(Protocol):
    """The environment that a client works for."""

    def heard(self, client: Client, kind: bytes, sequence: int, body: bytes) -> None:
        """The client has sent a message; what was printed before it stands in `take`."""

    def printed(self, client: Client) -> None:
        """There is something to `take`."""

    def exited(self, client: Client, status: int) -> None:
        """The process is gone, and everything it said has been heard. `status` as in `sandbox.api`."""


class Client:
    """Starts the process and speaks with it until it is gone. Raises OSError where it cannot be started."""

    def __init__(
        self,
        sandbox: Sandbox,
        clock: Clock,
        listener: Listener,
        secret: bytes,
        command: tuple[str, ...],
        variables: Mapping[str, str],
        scratch: Path,
    ) -> None:
        self._clock = clock
        self._listener = listener
        self._output = Output(secret)
        self._loop = asyncio.get_running_loop()
        self._resume: Timer | None = None
        with ExitStack() as unless_started, ExitStack() as guests:
            self._printed, writing = os.pipe()
            unless_started.callback(os.close, self._printed)
            guests.callback(os.close, writing)
            ours, theirs = channel.pair()
            unless_started.callback(ours.close)
            guests.callback(theirs.close)
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            guests.callback(os.close, nothing)
            launch = Launch(
                command=command,
                variables={**variables, _MARK: str(scratch)},
                descriptors=(nothing, writing, writing, theirs.fileno()),
                mark=mark(scratch),
                scratch=scratch,
            )
            self._guest = sandbox.spawn(launch, self)
            unless_started.pop_all()
        os.set_blocking(self._printed, False)
        self._unread = select.poll()  # an answer from it costs far less than the exception of a read in vain
        self._unread.register(self._printed, select.POLLIN)
        self._channel = channel.Channel(ours, secret, self, limits.INVOKE_PAYLOAD_BYTES)
        self._loop.add_reader(self._printed, self._readable)

    def event(self, sequence: int, head: bytes, body: bytes) -> None:
        """Send one event."""
        self._channel.event(sequence, head, body)

    def take(self) -> list[str]:
        """The log messages since the last `take`; what was printed after an answer waits for `pass_answer`."""
        return self._output.take()

    def pass_answer(self) -> None:
        """Let `take` go on behind the answer."""
        self._output.pass_mark()

    def peak_memory(self) -> int:
        """Bytes, measured."""
        return self._guest.peak_memory()

    def kill(self) -> None:
        """End every process; `exited` follows. What it has printed until now stands in `take`."""
        self._guest.kill()
        self._drain(None)
        self._output.end()

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        self._drain(sequence)
        if self._output.mark != sequence:
            self._output.end()
        self._listener.heard(self, kind, sequence, body)

    def hung_up(self) -> None:
        self._guest.kill()

    def exited(self, status: int) -> None:
        self._channel.drain()
        self._channel.close()
        self._drain(None)
        self._output.end()
        self._mute()
        os.close(self._printed)
        self._listener.exited(self, status)

    def _drain(self, mark: int | None) -> None:
        """Read what is in the pipe: to the mark that was written before the message, or to the end. A process that
        goes on printing is not read for ever."""
        for _ in range(limits.OUTPUT_READS_DRAINED):
            if self._output.mark == mark or not self._unread.poll(0) or self._read() <= 0:
                return

    def _readable(self) -> None:
        size = self._read()
        if size == limits.OUTPUT_READ_BYTES:  # more than a pipe holds: a flood, and others are waiting
            self._mute()
            self._resume = self._clock.call_later(limits.OUTPUT_PAUSE_S, self._listen)
        elif size == 0:
            self._mute()
        self._listener.printed(self)

    def _read(self) -> int:
        """Take what is there: how many bytes, 0 at the end of all output, -1 where there is nothing yet."""
        try:
            data = os.read(self._printed, limits.OUTPUT_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return -1
        self._output.feed(data)
        return len(data)

    def _listen(self) -> None:
        self._loop.add_reader(self._printed, self._readable)

    def _mute(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._loop.remove_reader(self._printed)
