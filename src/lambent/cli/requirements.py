"""Installs a function's requirements for its runtime; what is installed is kept, so the next deploy is quick."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lambent.cli.failure import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEPT: Final = 20
"""Installed sets that the cache holds; the least recently used go first."""

_RUNTIME: Final = re.compile(r"python(3)\.(\d+)")
_INCLUDE: Final = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
_LOCAL: Final = re.compile(r"^(?:-e\b|--editable\b|\.{0,2}/|\.\s*$|file:)|@\s*file:")
_VARIABLE_PART: Final = re.compile(r"\$\{[A-Z0-9_]+\}")
_QUIETLY: Final = ("--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")
_OFFLINE_SIGNS: Final = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "SSLError", "ProxyError")


def install(requirements: Path, runtime: str, cache: Path, say: Callable[[str], None], *, fresh: bool = False) -> Path:
    """A folder with the packages of the file `requirements`, installed for `runtime`.

    `fresh` installs again what is in the cache. Raises Failure.
    """
    version = _RUNTIME.fullmatch(runtime)
    if version is None:
        raise Failure(f"{requirements} can be installed for Python runtimes only, not for {runtime}", Exit.USAGE)
    # pip runs in the project's folder, because paths in a requirements file count from there.
    requirements, cache = requirements.absolute(), cache.absolute()
    content, cacheable = _content(requirements)
    seal = hashlib.sha256("\0".join([runtime, sys.platform, platform.machine(), content]).encode()).hexdigest()
    folder = cache / seal[:32]
    if folder.is_dir() and cacheable and not fresh:
        os.utime(folder)
        return folder
    say(f"installing {requirements.name} for {runtime}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as scratch:
            target = Path(scratch, "packages")
            target.mkdir()
            _pip(requirements, (int(version[1]), int(version[2])), target)
            shutil.rmtree(folder, ignore_errors=True)
            target.rename(folder)
    except OSError as error:
        raise Failure(f"the cache {cache} cannot be written: {error.strerror}", Exit.MACHINE) from None
    _prune(cache, folder)
    return folder


def cache_folder(environ: dict[str, str]) -> Path:
    """Where installed requirements are kept for this user. Raises Failure for one without a home."""
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
        try:
            base = Path("~/.cache").expanduser()
        except RuntimeError:
            raise Failure("this user has no home folder for a cache: set XDG_CACHE_HOME", Exit.MACHINE) from None
    return base / "lambent" / "requirements"


def _content(path: Path, seen: frozenset[Path] = frozenset()) -> tuple[str, bool]:
    """The text of a requirements file and of those it includes, and whether it alone decides what is installed."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: cannot be read: {error}", Exit.USAGE) from None
    lines = [line.strip() for line in text.splitlines()]
    parts, cacheable = [text], True
    for line in lines:
        if included := _INCLUDE.match(line):
            inner = path.parent / included[1]
            if inner not in seen:
                more, certain = _content(inner, seen | {path})
                parts.append(more)
                cacheable &= certain
        elif _LOCAL.search(line) or _VARIABLE_PART.search(line):
            cacheable = False
    return "\0".join(parts), cacheable


def _pip(requirements: Path, version: tuple[int, int], target: Path) -> None:
    arguments = [*_QUIETLY, "--no-compile", "--target", str(target), "--requirement", str(requirements)]
    done = subprocess.run(  # noqa: S603 - the interpreter and pip are ours, the file is the user's own
        [*_pip_for(version), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=requirements.parent,
    )
    if done.returncode != 0:
        raise Failure(f"{requirements} could not be installed: {_reason(done.stdout)}", Exit.MACHINE)


def _pip_for(version: tuple[int, int]) -> Sequence[str]:
    """The pip that installs for a Python version: that version's own, or else ours, from wheels only."""
    if version == sys.version_info[:2]:
        return [sys.executable, "-m", "pip", "install"]
    # Finding interpreters loads parts of the server, and most functions run on our own version.
    from lambent.cli import interpreters

    wanted = f"{version[0]}.{version[1]}"
    name = f"python{wanted}"
    runtime = interpreters.find([name], os.environ)[name]
    if runtime and _has_pip(str(runtime.program)):
        return [str(runtime.program), "-m", "pip", "install"]
    return [sys.executable, "-m", "pip", "install", "--only-binary", ":all:", "--python-version", wanted]


def _has_pip(python: str) -> bool:
    probe = [python, "-c", "import pip"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603 - proven to be one


def _reason(output: str) -> str:
    """The one line of pip's output that says what went wrong, or what to do about it."""
    if "No module named pip" in output:
        return f"{sys.executable} has no pip; install it with: {sys.executable} -m ensurepip"
    if any(sign in output for sign in _OFFLINE_SIGNS):
        return "the package index cannot be reached; check the network and deploy again"
    lines = [line for line in output.splitlines() if line.strip()] or ["pip gave no reason"]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return errors[0] if errors else lines[-1].strip()


def _prune(cache: Path, keep: Path) -> None:
    kept = sorted(
        (entry for entry in cache.iterdir() if entry != keep and not entry.name.startswith(".")),
        key=lambda entry: entry.stat().st_mtime,
        reverse=True,
    )
    for entry in kept[KEPT - 1 :]:
        shutil.rmtree(entry, ignore_errors=True)
