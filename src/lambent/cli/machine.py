"""Finds out what this machine can do for Lambent, by trying it."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from lambent.compute.sandbox import levels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.runtimes import Runtime
    from lambent.kernel.settings import Settings

State = Literal["good", "fair", "bad"]
"""`fair` is worth knowing; `bad` keeps Lambent from working."""

LOW_DISK_BYTES: Final = 1024**3
TRY_S: Final = 10
CGROUPS: Final = Path("/sys/fs/cgroup")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    advice: str = ""


class Level(msgspec.Struct, frozen=True):
    """Whether a sandbox level is possible here, and what is in the way if it is not."""

    name: str
    possible: bool
    why_not: str = ""


def look(settings: Settings, interpreters: Mapping[str, Runtime | None]) -> list[Finding]:
    """Everything that `lambent doctor` reports; `interpreters` holds what was found for each runtime."""
    return [
        _python(),
        _system(),
        *(_interpreter(name, runtime) for name, runtime in interpreters.items()),
        *(_level(level) for level in sandbox_levels()),
        cgroups(),
        _data(Path(settings.data)),
        _port(settings.host, settings.port),
    ]


def _python() -> Finding:
    # An older one never gets here: the package refuses it on import.
    return Finding("python", "good", f"{platform.python_version()} at {sys.executable}")


def _system() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("system", "good", f"{platform.system()} {platform.release()}, {platform.machine()}, {cores} cores")


def _interpreter(name: str, runtime: Runtime | None) -> Finding:
    if runtime is not None:
        return Finding(name, "good", f"{runtime.version} at {runtime.program}")
    version = name.removeprefix("python")
    return Finding(name, "fair", "not found", f"install one: uv python install {version}, or pyenv install {version}")


def _level(level: Level) -> Finding:
    return Finding(f"sandbox {level.name}", "good" if level.possible else "fair", level.why_not or "possible")


def sandbox_levels() -> list[Level]:
    """Each sandbox level, the strongest first, found out by making a cell of it."""
    walled = [
        Level(name, possible=reason is None, why_not=reason or "")
        for name in ("jail", "userns")
        for reason in [asyncio.run(levels.obstacle(name))]
    ]
    return [*walled, Level("process", possible=True)]


def cgroups(root: Path = CGROUPS) -> Finding:
    """The control groups mounted at `root`."""
    if (root / "cgroup.controllers").is_file():
        version, controllers = "v2", (root / "cgroup.controllers").read_text("ascii").split()
    elif root.is_dir():
        version = "v1 and v2 side by side" if (root / "unified").is_dir() else "v1"
        controllers = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name != "unified")
    else:
        return Finding("cgroups", "fair", "none", "functions have no memory and cpu limits of the kernel")
    missing = [
        name for name in ("memory", "cpu", "pids") if name not in controllers and f"{name},cpuacct" not in controllers
    ]
    writable = "writable" if _writable_cgroups(root) else "not writable"
    found = f"{version}, {writable}: {' '.join(controllers)}"
    return Finding("cgroups", "fair" if missing else "good", found, f"missing: {', '.join(missing)}" if missing else "")


def _writable_cgroups(root: Path = CGROUPS) -> bool:
    where = next((folder for folder in (root / "memory", root) if folder.is_dir()), None)
    return where is not None and os.access(where, os.W_OK)


def _data(folder: Path) -> Finding:
    where = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not where.is_dir() or not os.access(where, os.W_OK | os.X_OK):
        return Finding("data folder", "bad", f"{folder.absolute()} cannot be written", "choose another with --data")
    free = shutil.disk_usage(where).free
    found = f"{folder.absolute()}, {free / 1024**3:.1f} GB free"
    low = free < LOW_DISK_BYTES
    return Finding("data folder", "fair" if low else "good", found, "less than 1 GB is free" if low else "")


def _port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Finding("port", "fair", f"{host}:{port} is in use", "lambent status tells whether by Lambent")
            return Finding("port", "bad", f"{host}:{port} cannot be used: {error.strerror}", "choose another address")
    return Finding("port", "good", f"{host}:{port} is free")
