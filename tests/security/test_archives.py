"""Hostile packages: nothing is written outside, nothing endless is read, and AWS's words are the answer."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.compute import archive
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from pathlib import Path

UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."
EMPTY = "Uploaded file must be a non-empty zip"
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"


def packed(*entries: tuple[str, bytes | str, int], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name, content, unix mode)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as made:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            entry.external_attr = mode << 16
            entry.compress_type = compression
            made.writestr(entry, content)
    return data.getvalue()


def refusal(tmp_path: Path, data: bytes) -> str:
    """What `data` is refused with; nothing may have been written outside."""
    (tmp_path / "package.zip").write_bytes(data)
    with pytest.raises(AwsError) as refused:
        archive.unpack(tmp_path / "package.zip", tmp_path / "target")
    assert refused.value.code == "InvalidParameterValueException"
    assert refused.value.members == {"Type": "User"}
    assert {path.name for path in tmp_path.iterdir()} <= {"package.zip", "target"}
    return refused.value.message


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "//evil",
        "..",
        "a/..",
        "..\\evil",
        "a\\..\\..\\evil",
        "\\evil",
        "C:\\evil",
        "c:evil",
        "C:/evil",
        "x" * 256,
        "/".join(["d"] * 600),
        ".",
    ],
)
def test_names_that_leave_or_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, packed(("good", "x", 0o100644), (name, "x", 0o100644))) in (UNREADABLE, EMPTY)


def test_a_name_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    data = packed(("good-name", "x", 0o100644)).replace(b"good-name", b"good\0name")
    assert refusal(tmp_path, data) == UNREADABLE


@pytest.mark.parametrize(
    "links",
    [
        [("link", "/etc/passwd")],
        [("link", "../outside")],
        [("a/link", "../../outside")],
        [("here", "."), ("link", "here/../../outside")],
        [("d/deep/up", "../.."), ("link", "d/deep/up/../outside")],
        [("one", "two"), ("two", "three"), ("three", "../outside")],
        [("link", "")],
        [("link", "x" * 2000)],
    ],
)
def test_links_that_leave_are_refused(tmp_path: Path, links: list[tuple[str, str]]) -> None:
    (tmp_path / "package.zip").touch()
    entries = [(name, target, 0o120777) for name, target in links]
    assert refusal(tmp_path, packed(("f", "x", 0o100644), *entries)) == UNREADABLE


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    data = packed(("link", "../", 0o120777), ("link/evil", "x", 0o100644))
    assert refusal(tmp_path, data) == UNREADABLE


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    entries = (("lib/a.so.1", "x", 0o100644), ("lib/a.so", "a.so.1", 0o120777), ("up/l", "../lib", 0o120777))
    (tmp_path / "p").write_bytes(packed(*entries))
    archive.unpack(tmp_path / "p", tmp_path / "target")
    assert (tmp_path / "target/up/l/a.so").read_text() == "x"


@pytest.mark.parametrize("kind", [0o010644, 0o020644, 0o060644, 0o140644])
def test_pipes_devices_and_sockets_are_refused(tmp_path: Path, kind: int) -> None:
    assert refusal(tmp_path, packed(("good", "x", 0o100644), ("odd", "", kind))) == UNREADABLE


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = packed(("a", "1", 0o100644), ("a", "2", 0o100644))
    assert refusal(tmp_path, data) == UNREADABLE


def test_a_file_where_a_folder_must_be_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, packed(("a", "1", 0o100644), ("a/b", "2", 0o100644))) == UNREADABLE


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_aws_does_not_open_are_refused(tmp_path: Path, compression: int) -> None:
    assert refusal(tmp_path, packed(("a", "x" * 99, 0o100644), compression=compression)) == UNREADABLE


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("a", "x" * 99, 0o100644)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(tmp_path, bytes(data)) == UNREADABLE


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18)])
def test_an_empty_package_is_refused_as_empty(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path, data) == EMPTY


def test_a_package_of_folders_alone_is_empty(tmp_path: Path) -> None:
    assert refusal(tmp_path, packed(("folder/", "", 0o40755))) == EMPTY


@pytest.mark.parametrize("data", [b"x", b"PK", b"not a zip at all" * 100, b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path, data) == UNREADABLE


def test_a_declared_size_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    data = bytearray(packed(("a", "x", 0o100644)))
    head = data.index(b"PK\x01\x02")
    data[head + 24 : head + 28] = (262_144_001).to_bytes(4, "little")
    assert refusal(tmp_path, bytes(data)) == TOO_LARGE


def test_a_bomb_that_declares_little_is_stopped(tmp_path: Path) -> None:
    data = bytearray(packed(("a", bytes(300_000_000), 0o100644)))
    assert len(data) < 1_000_000
    head = data.index(b"PK\x01\x02")
    for offset in (22, head + 24):
        data[offset : offset + 4] = (10).to_bytes(4, "little")
    assert refusal(tmp_path, bytes(data)) in (UNREADABLE, TOO_LARGE)
    written = sum(path.stat().st_size for path in (tmp_path / "target").iterdir())
    assert written <= 262_144_000


def test_entries_that_overlap_count_each_time(tmp_path: Path) -> None:
    """Many directory entries that point at one large body."""
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(60_000_000)
    deflated = body.compress(content) + body.flush()
    crc = zlib.crc32(content)
    sizes = struct.pack("<LLL", crc, len(deflated), len(content))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", 1, 0) + b"a" + deflated
    entries = b"".join(
        b"PK\x01\x02"
        + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33)
        + sizes
        + struct.pack("<HHHHHLL", 1, 0, 0, 0, 0, 0, 0)
        + bytes([ord("a") + number])
        for number in range(10)
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 10, 10, len(entries), len(local), 0)
    assert refusal(tmp_path, local + entries + end) in (UNREADABLE, TOO_LARGE)


def test_too_many_entries_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.limits, "FUNCTION_FILES", 50)
    data = packed(*((f"f{number}", "", 0o100644) for number in range(51)))
    monkeypatch.setattr(archive.zipfile, "ZipFile", None)
    assert refusal(tmp_path, data) == UNREADABLE


@pytest.mark.parametrize("said", [0xFFFFFFFF, 4_000_000], ids=["elsewhere", "large"])
def test_no_directory_is_read_that_is_larger_than_one_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int
) -> None:
    """What a package says of its directory does not make the server hold the package in memory."""
    monkeypatch.setattr(archive.limits, "ARCHIVE_DIRECTORY_BYTES", 500_000)
    data = bytearray(packed(("f", os.urandom(4_000_000), 0o644)))
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = said.to_bytes(4, "little")
    data[end + 16 : end + 20] = bytes(4)
    tracemalloc.start()
    try:
        assert refusal(tmp_path, bytes(data)) == UNREADABLE
        held = tracemalloc.get_traced_memory()[1] - len(data)
    finally:
        tracemalloc.stop()
    assert held < 2_000_000


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_packages_are_opened_or_refused_and_never_reach_outside(tmp_path: Path, data: st.DataObject) -> None:
    entries = (
        ("app.py", "def handler(e, c): pass\n" * 20, 0o100644),
        ("lib/x.so", bytes(range(50)), 0o100755),
        ("lib/", "", 0o40755),
        ("link", "lib/x.so", 0o120777),
    )
    original = packed(*entries)
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(mutated) - 1))
        mutated[position] = data.draw(st.sampled_from([0, 1, 0x2E, 0x2F, 0x5C, 0x7F, 0xFF, mutated[position] ^ 1]))
    if data.draw(st.booleans()):
        mutated = mutated[: data.draw(st.integers(0, len(mutated)))]
    place = tmp_path / os.urandom(8).hex()
    place.mkdir()
    (place / "package.zip").write_bytes(mutated)
    try:
        archive.unpack(place / "package.zip", place / "target")
    except AwsError as error:
        assert error.message in (UNREADABLE, EMPTY, TOO_LARGE)
    assert {path.name for path in place.iterdir()} <= {"package.zip", "target"}
    inside = str((place / "target").resolve())
    for path in (place / "target").rglob("*"):
        assert str(path.resolve()).startswith(inside)
