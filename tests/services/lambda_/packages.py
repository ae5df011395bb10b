"""The deployment packages of these tests, built in memory and by name."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).parent / "functions"


@cache
def package(name: str) -> bytes:
    """The package called `name`: a module of `functions/`, or one that is wrong in the way its name says."""
    match name:
        case "not a zip":
            return b"this is not a zip archive"
        case "bomb":
            return archive({"index.py": (FUNCTIONS / "echo.py").read_bytes(), "zeros": bytes(262_144_000)})
        case "too large":
            return bytes(52_428_801)
    return source((FUNCTIONS / f"{name}.py").read_bytes())


def source(text: bytes) -> bytes:
    """A package whose modules `index` and `handler` are both `text`."""
    return archive({"index.py": text, "handler.py": text})


def archive(files: dict[str, bytes]) -> bytes:
    """A zip of `files`, always the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, data)
    return buffer.getvalue()
