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

from lambent.compute.sandbox import hierarchies, levels, looks
from lambent.compute.sandbox.cgroups import CONTROLLERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.cgroups import Cgroups
    from lambent.kernel.settings import Settings

State = Literal["good", "fair", "bad"]
"""`fair` is worth knowing; `bad` keeps Lambent from working."""

LOW_DISK_BYTES: Final = 1024**3
MANAGED: Final = Path("/run/systemd/system")
"""Is there where systemd manages the machine: https://www.freedesktop.org/software/systemd/man/sd_booted.html."""

SYSTEM_SETTINGS: Final = Path("/proc/sys")
_SWITCHES: Final = (
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user/max_user_namespaces", "0", "15000"),
)
"""The settings by which Debian, Ubuntu and Red Hat forbid user namespaces: name, value, and the value that allows."""


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
        *_levels(settings),
        _control_groups(),
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


def _levels(settings: Settings) -> Iterator[Finding]:
    """Each sandbox level, the strongest first, and which of them a server with these settings takes."""
    known = sandbox_levels()
    taken = next((each for each in known if each.possible and settings.sandbox in ("auto", each.name)), None)
    for level in known:
        if level is taken:
            yield _taken(level, settings)
        elif level.possible:
            yield Finding(f"sandbox {level.name}", "good", "works")
        else:
            asked = settings.sandbox == level.name
            advice = switch() if level.name == "userns" and os.geteuid() != 0 else ""
            yield Finding(f"sandbox {level.name}", "bad" if asked else "fair", level.why_not, advice)


def _taken(level: Level, settings: Settings) -> Finding:
    what = f"sandbox {level.name}"
    if level.name != "process":
        return Finding(what, "good", "works; functions run in it")
    if settings.development:
        return Finding(what, "fair", "functions have your own rights", "run only code that you trust")
    return Finding(what, "bad", "production mode needs a level with walls", "see docs/security.md")


def sandbox_levels() -> list[Level]:
    """Each sandbox level, the strongest first, found out by making a cell of it."""
    walled = [
        Level(name, possible=reason is None, why_not=reason or "")
        for name in ("jail", "userns")
        for reason in [asyncio.run(levels.obstacle(name)) if _linux() else "it needs Linux"]
    ]
    return [*walled, Level("process", possible=True)]


def switch(root: Path = SYSTEM_SETTINGS) -> str:
    """The command that allows user namespaces where a setting of the system forbids them."""
    for name, forbidding, allowing in _SWITCHES:
        path = root / name
        if path.is_file() and path.read_text("ascii").strip() == forbidding:
            return f"allow them: sudo sysctl -w {name.replace('/', '.')}={allowing}"
    return ""


def _control_groups() -> Finding:
    """Which limits of functions the kernel holds them to, found out by making control groups."""
    if not _linux():
        return Finding("control groups", "fair", "none: they are Linux's")
    groups = hierarchies.find("doctor", privileged=os.geteuid() == 0)
    try:
        return control_groups(groups)
    finally:
        groups.close()


def control_groups(groups: Cgroups) -> Finding:
    """What `groups` control."""
    if groups.lacking:
        return Finding("control groups", "fair", looks.lacking(groups), delegation())
    return Finding("control groups", "good", f"limit {', '.join(CONTROLLERS)} of functions")


def delegation(managed: Path = MANAGED) -> str:
    """How this user gets control groups for functions."""
    if os.geteuid() == 0:
        return "a container needs them mounted for writing, and the server as its only process"
    if managed.is_dir():
        return "start it as root, or with: systemd-run --user --scope -p Delegate=yes lambent up"
    return "start it as root, or alone in a control group that is delegated to this user"


def _linux() -> bool:
    return sys.platform.startswith("linux")


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
