"""The note of a running server: private, and believed only of a process that still is the one it names."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from lambent.cli import presence
from lambent.cli.presence import FILE


def write(folder: Path, **changes: object) -> None:
    """Leave the note of this process in `folder`, with changes."""
    with presence.announced(folder, "http://127.0.0.1:4566", "1.0", "jail", "key"):
        note = presence.read(folder)
    assert note is not None
    (folder / FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(note, **changes)))


def test_a_note_is_there_while_its_server_runs(tmp_path: Path) -> None:
    with presence.announced(tmp_path, "http://127.0.0.1:4566", "1.0", "jail", "key", "no cpu", 2):
        note = presence.read(tmp_path)
        assert note is not None
        assert (note.endpoint, note.pid, note.version) == ("http://127.0.0.1:4566", os.getpid(), "1.0")
        assert (note.sandbox, note.unlimited, note.fronts) == ("jail", "no cpu", 2)
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_process_with_the_same_number_is_not_the_server(tmp_path: Path) -> None:
    write(tmp_path)
    assert presence.read(tmp_path) is not None
    write(tmp_path, began=1)
    assert presence.read(tmp_path) is None


def test_a_server_that_is_gone_left_nothing_to_believe(tmp_path: Path) -> None:
    write(tmp_path, pid=2**22 + 1)
    assert presence.read(tmp_path) is None


def test_a_note_that_may_not_be_read_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)

    def refuse(path: Path) -> bytes:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)  # permissions do not bind root
    assert presence.read(tmp_path) is None


@pytest.mark.parametrize("text", [b"", b"{}", b'{"endpoint":"http://127.0.0.1:4566","pid":1,"version":"1.0"}'])
def test_a_damaged_note_says_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FILE).write_bytes(text)
    assert presence.read(tmp_path) is None
