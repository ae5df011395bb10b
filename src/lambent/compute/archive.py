"""Opening a zip that a stranger made: every name, size, type and link is checked before it touches the disk."""

from __future__ import annotations

import calendar
import os
import re
import stat
import zipfile
import zlib
from io import BufferedReader, FileIO
from typing import TYPE_CHECKING, BinaryIO

from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 18
_ENCRYPTED = 0x1
_MADE_ON_UNIX = 3
_DRIVE = re.compile(r"[A-Za-z]:")
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_COMMENT_BYTES = 65_535
_ENTRY = b"PK\x01\x02"
_IN_ZIP64 = 0xFFFFFFFF


def unpack(package: Path, target: Path) -> None:
    """Write the files of the zip `package` into the folder `target`, which is made where it is not there.

    Nothing of it can be written to, `target` included: folders get mode 555, files 444, or 555 where they were
    executable. Relative links that stay inside are kept. Raises AwsError for what is not a zip, empty, too large, or
    not safe to open. Leaves a half-filled `target` then.
    """
    try:
        with _Package(FileIO(package)) as file:
            _check_entries(file)
            with zipfile.ZipFile(file) as archive:
                _Unpacking(archive, target).run()
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # What zipfile raises for broken input; UnicodeDecodeError is a ValueError.
        raise _unreadable() from error


class _Unsafe(ValueError):
    """A well-formed entry that is refused."""


class _Package(BufferedReader):
    """The file, of which nobody takes more into memory at once than a directory may have: zipfile reads as much as the
    package itself says that its directory is."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = limits.ARCHIVE_DIRECTORY_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        if len(data) == most:
            raise _Unsafe("a directory that is too large")
        return data


class _Unpacking:
    def __init__(self, archive: zipfile.ZipFile, target: Path) -> None:
        self._archive = archive
        self._target = target
        self._written = 0
        self._folders: set[Path] = set()
        self._links: list[tuple[Path, str]] = []

    def run(self) -> None:
        entries = self._archive.infolist()
        if all(_is_folder(entry) for entry in entries):
            raise _empty()
        if sum(entry.file_size for entry in entries) > limits.FUNCTION_UNZIPPED_BYTES:
            raise _too_large()
        self._folder(self._target)
        try:
            for entry in entries:
                self._entry(entry)
            self._make_links()
            self._close()
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _Unsafe("two entries claim one name") from error

    def _entry(self, entry: zipfile.ZipInfo) -> None:
        path = self._target.joinpath(*_parts(entry))
        kind = _kind(entry)
        if kind == stat.S_IFDIR:
            self._folder(path)
            return
        if path == self._target:
            raise _Unsafe("a file without a name")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Unsafe("an encrypted entry, or a compression that AWS does not open")
        if entry.header_offset < 0:
            raise _Unsafe("an entry before the file")
        self._folder(path.parent)
        if kind == stat.S_IFLNK:
            self._links.append((path, self._link_target(entry)))
        else:
            self._file(entry, path)

    def _folder(self, path: Path) -> None:
        """Make `path` and what is above it. Only folders made here are trusted to be folders."""
        if path in self._folders:
            return
        if path != self._target:
            self._folder(path.parent)
        if len(self._folders) >= limits.FUNCTION_FILES:
            raise _Unsafe("too many folders")
        path.mkdir(exist_ok=path == self._target)
        path.chmod(0o755)  # whatever the server's umask
        self._folders.add(path)

    def _file(self, entry: zipfile.ZipInfo, path: Path) -> None:
        mode = 0o555 if (entry.external_attr >> 16) & 0o111 and entry.create_system == _MADE_ON_UNIX else 0o444
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as out, self._archive.open(entry) as content:
            os.fchmod(descriptor, mode)
            while chunk := content.read(_CHUNK):
                self._written += len(chunk)
                if self._written > limits.FUNCTION_UNZIPPED_BYTES:
                    raise _too_large()
                out.write(chunk)
        os.utime(path, (_modified(entry),) * 2)

    def _link_target(self, entry: zipfile.ZipInfo) -> str:
        with self._archive.open(entry) as content:
            target = content.read(limits.ARCHIVE_LINK_BYTES + 1)
        if not target or len(target) > limits.ARCHIVE_LINK_BYTES or target.startswith(b"/") or b"\0" in target:
            raise _Unsafe("a link that is absolute or has no sound target")
        return os.fsdecode(target)

    def _make_links(self) -> None:
        """Links come last, so that no file is written through one. Where each leads shows only when all are there."""
        for path, target in self._links:
            path.symlink_to(target)
        inside = os.path.realpath(self._target) + os.sep
        for path, _ in self._links:
            if not (os.path.realpath(path) + os.sep).startswith(inside):
                raise _Unsafe("a link that leaves the package")

    def _close(self) -> None:
        for folder in self._folders:
            folder.chmod(0o555)


def _check_entries(file: BinaryIO) -> None:
    """Refuse a directory with too many entries before zipfile makes an object of each."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise _empty()
    file.seek(max(size - _END_RECORD_BYTES - _COMMENT_BYTES, 0))
    end = file.read()
    found = end.rfind(_END_RECORD)
    if found < 0:
        raise _unreadable()
    directory = int.from_bytes(end[found + 12 : found + 16], "little")
    behind = len(end) - found
    file.seek(0 if directory == _IN_ZIP64 else max(size - behind - directory, 0))
    if _count_entries(file) > limits.FUNCTION_FILES:
        raise _unreadable()
    file.seek(0)


def _count_entries(file: BinaryIO) -> int:
    """How many entries begin between here and the end; piece by piece, for this may be the whole package."""
    count, rest = 0, b""
    while piece := file.read(_CHUNK):
        piece = rest + piece
        count += piece.count(_ENTRY)
        rest = piece[1 - len(_ENTRY) :]
    return count


def _parts(entry: zipfile.ZipInfo) -> list[str]:
    """The path of an entry, relative and without detours. A backslash is a letter like others on the systems that
    functions run on, unless what it would mean elsewhere leaves the package."""
    name = entry.filename
    if "\0" in entry.orig_filename or len(os.fsencode(name)) > limits.ARCHIVE_NAME_BYTES:
        raise _Unsafe("an impossible name")
    elsewhere = name.replace("\\", "/")
    if elsewhere.startswith("/") or _DRIVE.match(elsewhere) or ".." in elsewhere.split("/"):
        raise _Unsafe("a name that leaves the package")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if any(len(os.fsencode(part)) > limits.ARCHIVE_PART_BYTES for part in parts):
        raise _Unsafe("an impossible name")
    return parts


def _kind(entry: zipfile.ZipInfo) -> int:
    """The file type: a folder, a link or a plain file; devices, pipes and sockets are refused."""
    if _is_folder(entry):
        return stat.S_IFDIR
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == _MADE_ON_UNIX else 0
    if kind in (0, stat.S_IFREG, stat.S_IFLNK):
        return kind or stat.S_IFREG
    raise _Unsafe("an entry that is neither file, folder nor link")


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith("/")


def _modified(entry: zipfile.ZipInfo) -> int:
    """Seconds since the epoch; archives do not say in which zone their times are."""
    return calendar.timegm((*entry.date_time, 0, 0, 0)) if entry.date_time[1] else 0


def _unreadable() -> AwsError:
    return _refused("Could not unzip uploaded file. Please check your file, then try to upload again.")


def _empty() -> AwsError:
    return _refused("Uploaded file must be a non-empty zip")


def _too_large() -> AwsError:
    return _refused(f"Unzipped size must be smaller than {limits.FUNCTION_UNZIPPED_BYTES} bytes")


def _refused(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, Type="User")
