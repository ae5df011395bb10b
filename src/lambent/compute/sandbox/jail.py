"""The levels with walls: `jail` for a server that is root on Linux, `userns` for one that is anybody."""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import socket
import sys
from contextlib import ExitStack
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.compute.sandbox import looks, mounts, sleeper
from lambent.compute.sandbox.api import Image
from lambent.compute.sandbox.cells import JailCell, Outfit
from lambent.compute.sandbox.lone import LoneCell
from lambent.compute.sandbox.looks import Looks
from lambent.compute.sandbox.nurseries import Nursery
from lambent.compute.sandbox.zygotes import Privileges, Walls, group_name
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.cells import Guard
    from lambent.compute.sandbox.cgroups import Cgroup, Cgroups
    from lambent.compute.sandbox.users import Users
    from lambent.compute.sandbox.zygotes import Zygote
    from lambent.kernel.clock import Clock

log = logging.getLogger(__name__)


class JailSandbox:
    """Makes cells; see `api.Sandbox`.

    `code` is the folder that holds every package and layer, `volumes` are those with file systems, `share` says how
    many cores a function of so many megabytes may use (None: all that are free), `filters` are the seccomp programs of
    guests, `claim` finds users for them where each cell has its own. With a `guard` and its `notify` program cells may
    reach what the guard allows; without, nothing but the server. What an earlier server with these control groups has
    left running is ended here, which may take `CGROUP_SWEEP_S`. Made on the event loop.
    """

    def __init__(
        self,
        level: Literal["jail", "userns"],
        *,
        code: Path,
        volumes: tuple[Path, ...] = (),
        cgroups: Cgroups,
        share: Callable[[int], float | None],
        filters: tuple[bytes, ...],
        claim: Callable[[], Users],
        clock: Clock,
        guard: Guard | None = None,
        notify: bytes | None = None,
    ) -> None:
        assert (guard is None) == (notify is None)
        self.level = level
        self._code = code
        self._cgroups = cgroups
        self._share = share
        self._claim = claim
        self._clock = clock
        self._guard = guard
        self._nurseries: dict[Image, Nursery] = {}
        self._homes: dict[JailCell, Nursery] = {}
        self._born = 0
        self._seats = 0
        self._free_seats: list[int] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False
        self._resources = ExitStack()
        scripts = self._resources.enter_context(as_file(files("lambent.compute.bootstraps") / "cell"))
        self._walls = Walls(Privileges.of(level), cgroups, code, volumes, scripts, filters, sleeper.program(), notify)
        controls = cgroups.controls
        self._looks = Looks(clock, freezes="freeze" in controls, needless="memory" in controls)
        cgroups.sweep()
        asyncio.get_running_loop().add_reader(cgroups.descriptor, cgroups.attend)

    @property
    def unlimited(self) -> str:
        """Which limits functions are not held to, and why, for people; empty where to all."""
        return self._cgroups.lacking if self._looks.obstacle else looks.lacking(self._cgroups)

    def accompany(self) -> bool:
        """Make no lone cells any more; False where none were made anyway."""
        lone = self._walls.sleeper is not None
        self._walls = msgspec.structs.replace(self._walls, sleeper=None)
        return lone

    async def cell(self, image: Image) -> JailCell:
        return await self._nursery(self._possible(image)).take()

    def foresee(self, image: Image, count: int) -> None:
        image = self._possible(image)
        if count or image in self._nurseries:
            others = sum(each.wanted for known, each in self._nurseries.items() if known != image)
            self._nursery(image).foresee(max(0, min(count, limits.CELLS_FORESEEN - others)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for nursery in tuple(self._nurseries.values()):
            nursery.close()
        await self._empty.wait()
        await asyncio.to_thread(self._looks.close)
        await asyncio.to_thread(self._cgroups.sweep)
        asyncio.get_running_loop().remove_reader(self._cgroups.descriptor)
        self._cgroups.close()
        self._resources.close()

    def make(self, zygote: Zygote, nursery: Nursery) -> None:
        """Begin to make a cell, for a nursery."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs, ExitStack() as undo:
            undo.enter_context(ours)
            seat = self._seat()
            undo.callback(heapq.heappush, self._free_seats, seat)
            self._born += 1
            cgroup = self._cgroups.expect(group_name(self._born))
            undo.callback(cgroup.remove)
            zygote.fork(self._born, *self._identity(seat), theirs)
            undo.pop_all()
        cell = self._cell(zygote, seat, ours, cgroup)
        self._homes[cell] = nursery
        nursery.begun(cell)

    def made(self, cell: JailCell) -> None:
        """A cell is ready."""
        self._homes[cell].made(cell)

    def cgroup(self) -> Cgroup:
        """Control groups for a branch of a cell. Raises OSError."""
        self._born += 1
        return self._cgroups.open(group_name(self._born))

    def gone(self, cell: JailCell, reason: str) -> None:
        """Nothing is left of a cell: its user may be another's."""
        heapq.heappush(self._free_seats, cell.seat)
        self._homes.pop(cell).gone(cell, reason)

    def empty(self, nursery: Nursery) -> None:
        """A nursery has nothing to do any more."""
        for image in [image for image, each in self._nurseries.items() if each is nursery]:
            del self._nurseries[image]
        if not self._nurseries:
            self._empty.set()

    def _nursery(self, image: Image) -> Nursery:
        if self._closed:
            raise OSError("the sandbox is closed")
        nursery = self._nurseries.get(image)
        if nursery is None:
            self._claim_users()
            nursery = self._nurseries[image] = Nursery(image, self._walls, self, self._clock)
            self._empty.clear()
        return nursery

    def _claim_users(self) -> None:
        """Once, before the first cell. Raises OSError where there are none."""
        privileges = self._walls.privileges
        if privileges.nested or privileges.first_user:
            return
        users = self._claim()
        self._resources.callback(users.close)
        privileges = msgspec.structs.replace(privileges, first_user=users.first)
        self._walls = msgspec.structs.replace(self._walls, privileges=privileges)

    def _possible(self, image: Image) -> Image:
        """`image`, as far as there is a program for process 1."""
        return image if self._walls.sleeper else msgspec.structs.replace(image, lone=False)

    def _cell(self, zygote: Zygote, seat: int, control: socket.socket, cgroup: Cgroup) -> JailCell:
        """The cell that was born last."""
        places = self._code, self._walls.volumes
        outfit = Outfit(seat, control, cgroup, self, *places, self._share, self._guard, self._looks)
        return LoneCell(outfit, zygote, self._born) if zygote.lone else JailCell(outfit)

    def _seat(self) -> int:
        """The lowest number that no cell has."""
        if self._free_seats:
            return heapq.heappop(self._free_seats)
        if self._seats == limits.CELLS:
            raise OSError("there are too many cells")
        self._seats += 1
        return self._seats - 1

    def _identity(self, seat: int) -> tuple[int, int]:
        """The user and the group of a cell's guests: a pair of its own, or the names that the server's go by inside."""
        privileges = self._walls.privileges
        if privileges.nested:
            return mounts.USER, mounts.GROUP
        return privileges.first_user + seat, privileges.first_user + seat


async def refusal(sandbox: JailSandbox, runtime: Runtime) -> str | None:
    """Why this level cannot be used here, found out by making a cell of `runtime`; None where it can."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    if sandbox.level == "jail" and os.geteuid() != 0:
        return "the server is not root"
    if sandbox.level == "userns" and os.geteuid() == 0:
        return "the server is root, and so would be whoever breaks out of a user namespace"
    problem = await _problem(sandbox, Image(runtime, lone=True))
    if problem is None or not sandbox.accompany():
        return problem
    # Some machines run no programs but those that they know.
    reason, problem = problem, await _problem(sandbox, Image(runtime))
    if problem is None:
        log.warning("environments take more memory and time than they need: %s", reason)
    return problem


async def _problem(sandbox: JailSandbox, image: Image) -> str | None:
    """Why no cell of `image` can be made; None where one can."""
    try:
        cell = await sandbox.cell(image)
    except OSError as error:
        return str(error)
    cell.kill()
    return None
