"""A running server's note in its data folder: by it, `lambent status` knows version, process and folder."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "server.json"


class Presence(msgspec.Struct, frozen=True):
    """The server that has the folder open."""

    endpoint: str
    pid: int
    version: str


@contextmanager
def announced(folder: Path, endpoint: str, version: str) -> Iterator[None]:
    """Keep the note in `folder` until the block ends."""
    note = folder / FILE
    scratch = folder / f"{FILE}.new"
    scratch.write_bytes(msgspec.json.encode(Presence(endpoint, os.getpid(), version)))
    scratch.replace(note)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def read(folder: Path) -> Presence | None:
    """The note in `folder`, if its server still lives."""
    try:
        note = msgspec.json.decode((folder / FILE).read_bytes(), type=Presence)
        os.kill(note.pid, 0)
    except PermissionError:
        # It lives, under another user.
        return note
    except (OSError, msgspec.DecodeError):
        return None
    return note
