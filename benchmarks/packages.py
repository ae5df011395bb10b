"""Interpreters with nothing installed, and packages of other people that functions import; kept in the cache folder."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = Path(__file__).parent.parent / ".cache" / "benchmarks"
VERSION = sys.version_info[:2]
SNAPSHOT_VERSIONS = ((3, 14), (3, 13), (3, 12))
"""Those that SnapStart takes: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html"""


class Unavailable(Exception):
    """This machine has no such interpreter or cannot install the packages."""


def interpreter(version: tuple[int, int] = VERSION) -> str:
    """A Python of that version with an empty site-packages, as functions have it: what a machine has installed there
    may run at every start. Raises Unavailable."""
    name = f"python{version[0]}.{version[1]}"
    program = CACHE / name / "bin" / "python3"
    if not program.exists():
        _run(_base(version), "-m", "venv", "--without-pip", str(CACHE / name))
    return str(program)


def snapshot_version() -> tuple[int, int]:
    """The newest Python here that SnapStart takes. Raises Unavailable."""
    for version in SNAPSHOT_VERSIONS:
        try:
            interpreter(version)
        except Unavailable:
            continue
        return version
    raise Unavailable("no Python 3.12 or newer is here")


def installed(*names: str, version: tuple[int, int] = VERSION) -> Path:
    """The folder that holds `names` and what they need, for Python of that version. Raises Unavailable."""
    folder = CACHE / f"{'-'.join(names)}-{version[0]}.{version[1]}"
    if not folder.exists():
        making = folder.with_suffix(".new")
        pip = (sys.executable, "-m", "pip", "--python", interpreter(version), "install", "-q")
        _run(*pip, "--target", str(making), *names)
        making.rename(folder)
    return folder


def zipped(folder: Path, files: Mapping[str, str]) -> bytes:
    """A deployment package of everything in `folder` and of `files`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as output:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                output.write(path, path.relative_to(folder))
        for name, content in files.items():
            output.writestr(name, content)
    return buffer.getvalue()


def _base(version: tuple[int, int]) -> str:
    """An interpreter of that version as somebody has installed it here. Raises Unavailable."""
    if version == VERSION:
        return str(getattr(sys, "_base_executable", sys.executable))
    name = f"python{version[0]}.{version[1]}"
    kept = Path.home().glob(f".pyenv/versions/{version[0]}.{version[1]}.*/bin/{name}")
    for program in (*Path("/usr").glob(f"bin/{name}"), *Path("/usr/local").glob(f"bin/{name}"), *kept):
        return str(program)
    raise Unavailable(f"no {name} is here")


def _run(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError as error:
        raise Unavailable(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {error.stderr.strip()[-200:]}") from error
