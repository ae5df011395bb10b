"""A running server's note in its data folder: by it, `lambent status` knows version, process and folder."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = "server.json"


class Presence(msgspec.Struct, frozen=True):
    """The server that has the folder open."""

    endpoint: str
    pid: int
    began: int | None
    """When the process began, as the system counts: a process id is given again, this pair is not."""
    version: str
    sandbox: str = ""
    """The sandbox level that its functions run at."""
    key: str = ""
    """What the pages ask for that are the operator's."""
    unlimited: str = ""
    """Which limits functions are not held to, and why; empty where to all."""
    fronts: int = 0
    """The further processes that speak HTTP for it."""


@contextmanager
def announced(
    folder: Path, endpoint: str, version: str, sandbox: str, key: str, unlimited: str = "", fronts: int = 0
) -> Iterator[None]:
    """Keep the note in `folder`, readable by its owner only, until the block ends."""
    note = folder / FILE
    scratch = folder / f"{FILE}.new"
    scratch.touch(mode=0o600)
    presence = Presence(endpoint, os.getpid(), _began(os.getpid()), version, sandbox, key, unlimited, fronts)
    scratch.write_bytes(msgspec.json.encode(presence))
    scratch.replace(note)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def read(folder: Path) -> Presence | None:
    """The note in `folder`, if it can be read and its server still lives."""
    try:
        note = msgspec.json.decode((folder / FILE).read_bytes(), type=Presence)
    except (OSError, msgspec.DecodeError):
        return None
    began = _began(note.pid)
    return note if began is not None and began == note.began else None


def _began(pid: int) -> int | None:
    """When a process began, in clock ticks after the boot; None where there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name of the program, in brackets, may hold anything; the start is the twentieth field behind it.
    return int(status.rpartition(b")")[2].split()[19])
