"""Which level of isolation a server runs its functions at: the strongest that works here, or the one asked for."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from lambent.compute.file_systems import FOLDER as FILE_SYSTEMS
from lambent.compute.file_systems import entangled
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import egress, seccomp
from lambent.compute.sandbox.cgroups import cpu_share
from lambent.compute.sandbox.hierarchies import find
from lambent.compute.sandbox.jail import JailSandbox, refusal
from lambent.compute.sandbox.process import ProcessSandbox
from lambent.compute.sandbox.users import claim
from lambent.kernel.clock import SystemClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.settings import Settings
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from lambent.compute.sandbox.api import Sandbox
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids

log = logging.getLogger(__name__)

Walled = Literal["jail", "userns"]

_PROBE = Runtime("provided.al2023", "al2023")
"""What a level is tried with: it needs nothing of the machine."""


_UNWALLED = "cells"
"""The folder of the level without walls."""


class Unavailable(Exception):
    """The level that is asked for cannot be used here, or none that may be."""


class Choice(NamedTuple):
    """The sandbox of a server."""

    sandbox: Sandbox
    obstacle: str = ""
    """Why it has no walls, for people; empty where it has, or where none are asked for."""
    unlimited: str = ""
    """Which limits functions are not held to behind their walls, and why, for people; empty where to all."""


async def choose(settings: Settings, folder: Path, clock: Clock, ids: Ids, supervisor: Supervisor) -> Choice:
    """The sandbox of a server whose engine owns `folder`. Raises Unavailable."""
    folder = Path(os.path.realpath(folder))  # noqa: ASYNC240 once, at the start
    obstacle = "" if settings.sandbox == "process" else "walls need Linux"
    level = _tried(settings.sandbox)
    if level is not None:
        sandbox = walled(level, settings, folder, clock, ids, supervisor)
        problem = await refusal(sandbox, _PROBE)
        if problem is None:
            await _clear(folder / _UNWALLED)
            return Choice(sandbox, unlimited=sandbox.unlimited)
        await sandbox.close()
        obstacle = f"{level}: {problem}"
    _check_without_walls(settings, obstacle)
    return Choice(ProcessSandbox(folder / _UNWALLED), obstacle)


async def _clear(folder: Path) -> None:
    """End and remove what a server without walls has left there. The reverse is not needed: cells with walls end with
    their server."""
    if folder.is_dir():  # noqa: ASYNC240 once, at the start
        await ProcessSandbox(folder).close()


def _check_without_walls(settings: Settings, obstacle: str) -> None:
    if settings.sandbox not in ("auto", "process"):
        raise Unavailable(f"the sandbox level that the settings ask for does not work here: {obstacle}")
    if not settings.development:
        raise Unavailable(f"production mode needs a sandbox with walls: {obstacle or 'the settings ask for none'}")


def walled(
    level: Walled, settings: Settings, folder: Path, clock: Clock, ids: Ids, supervisor: Supervisor
) -> JailSandbox:
    """A sandbox of that level, whether it works here or not. Raises Unavailable where the settings name no networks, or
    folders that cannot be given to functions."""
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    code = folder / "code"
    code.mkdir(mode=0o755, exist_ok=True)  # a cell can only show what is there when its zygote starts
    own = folder / FILE_SYSTEMS
    own.mkdir(mode=0o700, exist_ok=True)
    if (problem := entangled(settings.file_systems, folder)) is not None:
        raise Unavailable(f"file_systems: {problem}")
    policy = _policy(settings)
    return JailSandbox(
        level,
        code=code,
        volumes=(own, *(Path(each).resolve() for each in settings.file_systems.values())),
        cgroups=find(name, privileged=level == "jail"),
        share=cpu_share if settings.metered_cpu else _unlimited,
        filters=seccomp.filters(),
        claim=partial(claim, ids),
        clock=clock,
        guard=None if policy is None else egress.Egress(policy, clock, ids, supervisor),
        notify=None if policy is None else egress.notify_filter(),
    )


def _policy(settings: Settings) -> egress.Policy | None:
    """What functions reach of other machines; None where that is nothing."""
    if not (settings.online or settings.internet_allow):
        return None
    if (reason := egress.available()) is not None:
        log.warning("functions cannot reach other machines: %s", reason)
        return None
    try:
        return egress.Policy(allow=settings.internet_allow)
    except ValueError as error:
        raise Unavailable(f"internet_allow: {error}") from None


async def obstacle(level: Walled) -> str | None:
    """Why `level` cannot be used on this machine, found out by using it; None where it can."""
    clock, ids = SystemClock(), SystemIds()
    supervisor = Supervisor(clock)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = walled(level, Settings(), Path(folder), clock, ids, supervisor)
        try:
            return await refusal(sandbox, _PROBE)
        finally:
            await sandbox.close()
            await supervisor.stop()


def _unlimited(_memory_mb: int) -> None:
    """No share: on a developer's machine a slow INIT teaches nobody anything."""


def _tried(wanted: str) -> Walled | None:
    """The level with walls that is to be tried."""
    if wanted == "process" or (wanted == "auto" and not sys.platform.startswith("linux")):
        return None
    if wanted != "auto":
        return "jail" if wanted == "jail" else "userns"
    return "jail" if os.geteuid() == 0 else "userns"
