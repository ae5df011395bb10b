"""The contract of a sandbox: what the engine asks of every level, and all it may assume of one.

A level starts the first process of an environment and answers for everything that descends from it. The engine never
signals, waits for or looks into a process itself; it speaks with the guest only through the descriptors it handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What to start."""

    command: tuple[str, ...]
    """An absolute path and its arguments."""
    variables: Mapping[str, str]
    """The whole environment of the process: nothing is inherited from the server."""
    descriptors: tuple[int, ...]
    """The guest's end of its descriptors 0, 1, 2, ... in order, and the only ones it has. They stay the caller's to
    close; the guest gets its own."""
    mark: bytes
    """`NAME=value` of a variable that no other launch ever has: a process that carries it came from this one."""
    scratch: Path
    """A folder of this environment alone that the guest may write to. The caller makes and removes it."""


class Guest(Protocol):
    """The running processes of one environment."""

    def peak_memory(self) -> int:
        """The most bytes of memory that were resident at once, measured; 0 where the level cannot tell any more."""

    def kill(self) -> None:
        """End every process at once (SIGKILL). Returns before they are gone; harmless when they are."""


class Exits(Protocol):
    """Who is told that a guest has ended."""

    def exited(self, status: int) -> None:
        """The first process is gone and reaped, and its descendants have been killed as far as the level finds them.
        `status` is its exit code, or the negated number of the signal that ended it. Called on the event loop, once."""


class Sandbox(Protocol):
    """One level of isolation."""

    @property
    def level(self) -> str:
        """`jail`, `userns` or `process`."""

    def spawn(self, launch: Launch, exits: Exits) -> Guest:
        """Start `launch`. Takes about a millisecond and must be called on the event loop. Raises OSError."""

    def clear(self, marks: Collection[bytes]) -> None:
        """End, in the background, what the guests of an earlier server have left: every process with one of `marks`."""

    async def close(self) -> None:
        """Wait until every guest that was killed is gone, descendants included, and let go of what the level holds."""
