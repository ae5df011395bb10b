"""The contract of a sandbox: what the engine asks of every level, and all it may assume of one.

A level makes cells. A cell is the walls of one environment: nobody has been in it before, one function version moves
in, and it is torn down when that one is done. Processes run in it as guests; the engine never signals, waits for or
looks into a process itself. It speaks with them through the descriptors and sockets that the cell has, and learns of
their end from `Exits`. All methods are called on the event loop, and none but the `async` ones waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lambent.compute.runtimes import Runtime


class Image(msgspec.Struct, frozen=True):
    """What a cell is furnished with before anybody knows who moves in: cells of one image are all alike."""

    runtime: Runtime
    sdk: bool = False
    """Whether the AWS SDK is imported already; for a runtime client that forks, and to which it belongs."""
    branches: bool = False
    """Whether the first guest may be forked into branches, for which it has to say that it is ready."""
    lone: bool = False
    """Whether there is to be no guest but the first, and no volume. A level may then refuse them, and end the cell with
    that guest."""


class Volume(msgspec.Struct, frozen=True):
    """A folder of the host that guests may change, at the place where they find it."""

    source: Path
    target: str


class Tenancy(msgspec.Struct, frozen=True, kw_only=True):
    """Who moves in: what the cell shows and how much of the machine it may use."""

    name: str
    """For people who look at the machine: the function's name and version."""
    task: Path
    """The unpacked package on the host: `Paths.task` within."""
    layers: tuple[Path, ...] = ()
    """The unpacked layers on the host, in the order in which they are laid over one another: `Paths.opt` within."""
    memory_mb: int
    ephemeral_mb: int
    """The size of `Paths.temporary`."""
    volumes: tuple[Volume, ...] = ()


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, as the guests of a cell see it."""

    task: str = "/var/task"
    opt: str = "/opt"
    runtime: str = "/var/runtime"
    """The runtime client, and the SDK where the runtime has one."""
    programs: str = "/var/lang/bin"
    """The folder of the interpreter."""
    temporary: str = "/tmp"  # noqa: S108 the function's own


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What to run."""

    command: tuple[str, ...]
    """A path as guests see it, and its arguments. Empty: the runtime's own client, which a cell may hold ready."""
    variables: Mapping[str, str]
    """The whole environment of the process: nothing is inherited."""


class Usage(msgspec.Struct, frozen=True):
    """What a cell has used until now."""

    peak_memory: int
    """The most bytes that were resident at once, measured; 0 where the level cannot tell any more."""
    out_of_memory: bool
    """Whether a process of the cell was killed because its memory was used up."""


class Guest(Protocol):
    """A running process of a cell, and whatever it has started."""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; harmless when it is gone."""


class Exits(Protocol):
    """Who is told that a guest has ended."""

    def exited(self, status: int) -> None:
        """The process is gone. `status` is its exit code, or the negated number of the signal that ended it. Called on
        the event loop, once, also where the cell was killed."""


class Cell(Protocol):
    """The walls of one environment. What nobody has taken of its ends is closed once nothing is left of it, which may
    be at any time; to take it then raises ProcessLookupError."""

    @property
    def paths(self) -> Paths:
        """Where its guests find things."""

    @property
    def channel(self) -> socket.socket:
        """The server's end of a SOCK_SEQPACKET pair; descriptor 3 of the first guest. Whoever takes it closes it."""

    @property
    def output(self) -> int:
        """The read end of the pipe that is descriptors 1 and 2 of the first guest. Whoever takes it closes it."""

    @property
    def frames(self) -> int:
        """The read end of the pipe that is descriptor 4 of the first guest: framed log messages (the protocol of
        `_LAMBDA_TELEMETRY_LOG_FD`). Whoever takes it closes it."""

    @property
    def runtime_api(self) -> socket.socket:
        """Listens at `runtime_api_address` of the cell; the caller accepts on it and closes it."""

    @property
    def runtime_api_address(self) -> str:
        """`host:port` as guests write it."""

    @property
    def endpoint(self) -> socket.socket | None:
        """Listens at `127.0.0.1:4566` of the cell for calls of AWS services; the caller accepts on it and closes it.
        None where guests reach the server at its own address."""

    def furnish(self, tenancy: Tenancy) -> None:
        """Show what belongs to who moves in, and hold them to their limits, that of the processor excepted; once,
        before any guest. Raises OSError."""

    def pace(self) -> None:
        """Hold whoever lives there to their share of the processor from here on. Harmless twice, when the cell is gone,
        and where the level cannot."""

    def enter(self, program: Program, exits: Exits) -> Guest:
        """Let the first guest in, once in a cell's life. Raises OSError where that cannot be."""

    def start(self, program: Program, output: int, exits: Exits) -> Guest:
        """Start another guest, before the first or beside it; `output`, which stays the caller's, is its descriptors 1
        and 2. Raises OSError."""

    async def branch(self, gone: Callable[[], None]) -> Cell:
        """A cell within this one for a fork of its first guest, which has parked (see `bootstraps/cell/parking.py`):
        that goes on in it with what `enter` says, whose program has no command. `furnish` says its limits; it has no
        `endpoint` but this one's, and no further guests. It ends with this one at the latest; `gone` is called once
        nothing is left of it. Raises OSError where there are no branches."""

    async def socket(self) -> socket.socket:
        """A new TCP socket of the cell's network, unconnected and non-blocking: with it the server reaches what guests
        listen on. The caller closes it. Raises OSError."""

    def freeze(self) -> None:
        """Stop the clock for everybody in the cell. Harmless twice, and where the level cannot."""

    def thaw(self) -> None:
        """End a freeze."""

    def usage(self) -> Usage:
        """What it has used."""

    def kill(self) -> None:
        """End every process at once (SIGKILL) and clear the cell away. Returns before it is gone; harmless twice."""


class Sandbox(Protocol):
    """One level of isolation."""

    @property
    def level(self) -> str:
        """`jail`, `userns` or `process`."""

    async def cell(self, image: Image) -> Cell:
        """A new cell: one that was made ahead, where there is one. Raises OSError where none can be made."""

    def foresee(self, image: Image, count: int) -> None:
        """Keep about `count` cells of `image` ready ahead; none after 0."""

    async def close(self) -> None:
        """Kill every cell, wait until nothing is left of any, and let go of what the level holds."""
