"""Makes a function's zip. The same files give the same bytes, so unchanged code keeps its hash."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

from lambent.cli import project
from lambent.cli.failure import Exit, Failure
from lambent.kernel import limits

if TYPE_CHECKING:
    from pathlib import Path

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_PLAIN: Final = 0o100644
_EXECUTABLE: Final = 0o100755


def build(source: project.Project, dependencies: Path | None) -> bytes:
    """The zip of `source` and of the packages installed in the folder `dependencies`.

    Where both have a file, the project's own wins. Raises Failure where Lambda would not take the package.
    """
    files = dict(project.walk(dependencies, project.NEVER_PACKAGED)) if dependencies else {}
    files |= dict(source.files())
    if not files:
        raise Failure(f"{source.path}: nothing to package", Exit.USAGE)
    _check("unzipped", sum(path.stat().st_size for path in files.values()), limits.FUNCTION_UNZIPPED_BYTES)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: the permissions below count on every machine.
            entry.external_attr = (_EXECUTABLE if files[name].stat().st_mode & 0o111 else _PLAIN) << 16
            archive.writestr(entry, files[name].read_bytes())
    _check("zipped", buffer.tell(), limits.FUNCTION_ZIP_BYTES)
    return buffer.getvalue()


def _check(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise Failure(
            f"the package has {megabytes(size)} {what}, and Lambda takes {megabytes(limit)}; exclude files in"
            f" {project.FILE} or drop requirements",
            Exit.USAGE,
        )


def megabytes(size: int) -> str:
    """`size` in bytes, for people."""
    return f"{size / limits.MIB:.1f} MB" if size >= limits.MIB / 10 else f"{size / limits.KIB:.1f} KB"
