"""Branches of a cell as the server sees them: forks of its first guest, in the same namespaces, apart in the rest.

A branch shares with the cell and with all its other branches the process, network, IPC and mount namespaces and the
user. What is its own: control groups, `/tmp` and `/dev/shm` in a root of its own, and the address of its Runtime API.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Protocol

from lambent.compute.sandbox import mounts
from lambent.compute.sandbox.api import Usage
from lambent.compute.sandbox.descriptors import Ends, Socket, high_water, internet, pipe
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.sandbox.api import Exits, Guest, Program, Tenancy
    from lambent.compute.sandbox.cgroups import Cgroup
    from lambent.compute.sandbox.looks import Watch


class Trunk(Protocol):
    """The cell, as its branches see it."""

    def tell(self, kind: bytes, message: object, *descriptors: int) -> None:
        """Send process 1 a packet. Raises OSError."""

    def expect(self, exits: Exits) -> int:
        """A new slot; `exits` is told of the end of its guest."""

    def forget(self, slot: int) -> None:
        """Nobody comes for that slot after all."""

    def send_signal(self, slot: int, number: signal.Signals) -> None:
        """Signal the guest in `slot`; harmless when it is gone."""

    def watch(self, root: str) -> Watch:
        """A watch over a branch whose root is at that path. Raises OSError."""

    async def socket(self) -> Socket:
        """As `api.Cell.socket`."""


class Branches:
    """Those of one cell. `tenancy` and `variables` are the cell's, `cgroup` opens control groups, `hurry` says whether
    the cell is to have all of the processor because somebody waits for it to fork."""

    def __init__(
        self,
        trunk: Trunk,
        tenancy: Tenancy,
        variables: Mapping[str, str],
        share: Callable[[int], float | None],
        cgroup: Callable[[], Cgroup],
        hurry: Callable[[bool], None],
    ) -> None:
        self.trunk = trunk
        self.variables = variables
        self.share = share
        self._cgroup = cgroup
        self._hurry = hurry
        self._awaited: set[Branch] = set()
        self._temporary = mounts.temporary(tenancy.ephemeral_mb)
        self._last = 0
        self._living: dict[int, Branch] = {}
        self._entered: dict[int, Branch] = {}
        self._emptied: list[Cgroup] = []

    async def make(self, gone: Callable[[], None]) -> Branch:
        """A new one; `gone` is called once nothing is left of it. Raises OSError where it cannot be made."""
        number, cgroup = self._number(), self._cgroup()
        try:
            branch = self._living[number] = Branch(self, number, cgroup)
        except OSError:
            cgroup.abandon()
            raise
        self._await(branch)
        try:
            self.trunk.tell(b"B", self._order(branch))
        except OSError:
            branch.exited(-signal.SIGKILL)
            raise
        try:
            await branch.laid
        except BaseException:
            branch.kill()
            raise
        branch.owner_told = gone
        return branch

    def laid(self, number: int, problem: str, descriptors: list[int]) -> None:
        """Process 1 has made room for a branch, or could not."""
        branch = self._living.get(number)
        if branch is not None:
            branch.arrange(problem, descriptors)
            return
        for each in descriptors:
            os.close(each)

    def entered(self, branch: Branch, slot: int) -> None:
        """Its guest is coming."""
        self._entered[slot] = branch

    def arrived(self, slot: int, status: int) -> None:
        """Its guest is there, and `status` is the open file by which it is measured."""
        branch = self._entered.get(slot)
        if branch is None:
            os.close(status)
        else:
            branch.arrived(status)
            self._awaited_no_more(branch)

    def gone(self, branch: Branch, slot: int, cgroup: Cgroup) -> None:
        """Nothing is left of a branch but, perhaps, processes that are ending in its control groups."""
        self._awaited_no_more(branch)
        del self._living[branch.number]
        self._entered.pop(slot, None)
        self._emptied.append(cgroup)
        self._sweep()

    def end(self) -> None:
        """The cell is gone, and every process of it."""
        for branch in tuple(self._living.values()):
            branch.exited(-signal.SIGKILL)
        self._sweep()

    def _await(self, branch: Branch) -> None:
        if not self._awaited:
            self._hurry(True)
        self._awaited.add(branch)

    def _awaited_no_more(self, branch: Branch) -> None:
        if branch in self._awaited:
            self._awaited.remove(branch)
            if not self._awaited:
                self._hurry(False)

    def _sweep(self) -> None:
        self._emptied = [cgroup for cgroup in self._emptied if not cgroup.remove()]

    def _number(self) -> int:
        """The next that no branch has: a number rests before it comes again, for the server may still hold the socket
        that listened at its address."""
        if len(self._living) >= limits.CELL_BRANCHES:
            raise OSError("the snapshot has too many environments")
        while True:
            self._last = self._last % limits.CELL_BRANCH_NUMBERS + 1
            if self._last not in self._living:
                return self._last

    def _order(self, branch: Branch) -> dict[str, object]:
        return {
            "number": branch.number,
            "address": branch.address,
            "folder": mounts.branches(),
            "/tmp": self._temporary,  # noqa: S108 the branch's
            "/dev/shm": mounts.shared_memory(),  # noqa: S108 the branch's
        }


class Branch(Ends):
    """One of them; see `api.Cell`. It has one guest."""

    paths = mounts.PATHS
    endpoint = None
    """The cell's own is at the same place for all."""

    def __init__(self, tree: Branches, number: int, cgroup: Cgroup) -> None:
        super().__init__()
        self.number = number
        self.owner_told: Callable[[], None] | None = None
        """Called once nothing is left of it."""
        self.address = f"127.0.{1 + number // 256}.{number % 256}"
        self.laid: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tree = tree
        self._cgroup = cgroup
        self._alive = True
        self._answered = False
        """Whether process 1 has said how the laying went; until then its number is not free."""
        self._over = False
        self._slot = 0
        self._exits: Exits | None = None
        self._status = -1
        self._watch: Watch | None = None
        """Once there is a root to know it by."""
        self._usage = Usage(peak_memory=0, out_of_memory=False)
        self._theirs: list[int] = []
        self._open()

    def _open(self) -> None:
        """Make the descriptors of the guest, and the server's ends."""
        with contextlib.ExitStack() as undo:
            ours, theirs = map(undo.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            ours.setblocking(False)
            (reading, output), (reading_frames, frames) = pipe(undo), pipe(undo)
            undo.pop_all()
        self._theirs = [theirs.detach(), output, frames]
        self._hold(ours, reading, reading_frames)

    @property
    def runtime_api_address(self) -> str:
        return f"{self.address}:{mounts.RUNTIME_API_PORT}"

    def furnish(self, tenancy: Tenancy) -> None:
        share = self._tree.share(tenancy.memory_mb)
        self._cgroup.limit(memory_mb=tenancy.memory_mb, files_mb=tenancy.ephemeral_mb)
        self._cgroup.throttle(share)
        if self._watch is not None:
            self._watch.hold(tenancy.memory_mb * limits.MIB)

    def pace(self) -> None:
        """Nothing to do: no INIT runs in it, and it had its share from the beginning."""

    def enter(self, program: Program, exits: Exits) -> Guest:
        if not self._alive:
            raise ProcessLookupError("the cell is gone")
        known = self._tree.variables
        self._slot = self._tree.trunk.expect(self)
        order = {
            "number": self.number,
            "slot": self._slot,
            "variables": {name: value for name, value in program.variables.items() if known.get(name) != value},
        }
        self._tree.entered(self, self._slot)
        try:
            self._tree.trunk.tell(b"R", order, *self._theirs, *self._cgroup.procs)
        except OSError:
            self._tree.trunk.forget(self._slot)
            raise
        self._exits = exits
        self._close_theirs()
        return self

    def start(self, program: Program, output: int, exits: Exits) -> Guest:  # noqa: ARG002 a cell's shape
        raise OSError("a branch has one guest")

    async def branch(self, gone: Callable[[], None]) -> Branch:  # noqa: ARG002 a cell's shape
        raise OSError("a branch has no branches")

    async def socket(self) -> Socket:
        return await self._tree.trunk.socket()

    def signal(self, number: signal.Signals) -> None:
        """Of the guest."""
        self._tree.trunk.send_signal(self._slot, number)

    def freeze(self) -> None:
        if self._alive:
            self._cgroup.freeze()
            if self._watch is not None:
                self._watch.rest()

    def thaw(self) -> None:
        if self._alive:
            self._cgroup.thaw()
            if self._watch is not None:
                self._watch.wake()

    def usage(self) -> Usage:
        if not self._over:
            resident = high_water(self._status) if self._status >= 0 else 0
            seen, kills = (self._watch.most, self._watch.kills) if self._watch else (0, 0)
            killed = self._usage.out_of_memory or self._cgroup.oom_kills() + kills > 0
            peak = max(self._usage.peak_memory, resident, seen, self._cgroup.peak())
            self._usage = Usage(peak_memory=peak, out_of_memory=killed)
        return self._usage

    def kill(self) -> None:
        if not self._alive:
            return
        self.usage()
        self._alive = False
        self._cgroup.kill()
        if self._exits is not None:
            self.signal(signal.SIGKILL)
        elif self._answered:
            self._undo()

    def arrange(self, problem: str, descriptors: list[int]) -> None:
        """There is room for it, or there is none, because of `problem`."""
        self._answered = True
        if descriptors:
            self._hold_runtime_api(internet(descriptors[0]))
        problem = problem or self._be_watched()
        if not self._alive:
            self._undo()
        elif problem:
            self.laid.set_exception(OSError(problem))
        else:
            self.laid.set_result(None)

    def _be_watched(self) -> str:
        """Why that cannot be, for people; empty where it can."""
        try:
            self._watch = self._tree.trunk.watch(f"{mounts.BRANCHES}/{self.number}")
        except OSError as error:
            return str(error)
        return ""

    def _undo(self) -> None:
        """Nobody has entered."""
        self._clear()
        with contextlib.suppress(OSError):  # the cell is ending, and its roots with it
            self._tree.trunk.tell(b"U", self.number)

    def arrived(self, status: int) -> None:
        """The guest is there."""
        self._status = status

    def exited(self, status: int) -> None:
        """Of the cell: the guest has ended. What it has started and left behind ends with it."""
        exits, self._exits = self._exits, None
        if not self.laid.done():
            self.laid.set_exception(ProcessLookupError("the cell is gone"))
        if self._alive:
            self.usage()
            self._alive = False
            self._cgroup.kill()
        self._clear()
        if exits is not None:
            exits.exited(status)

    def _clear(self) -> None:
        if self._over:
            return
        self.usage()
        self._over = True
        if self._watch is not None:
            self._watch.end()
        if self._status >= 0:
            os.close(self._status)
        self._close_untaken()
        self._close_theirs()
        self._tree.gone(self, self._slot, self._cgroup)
        if self.owner_told is not None:
            self.owner_told()

    def _close_theirs(self) -> None:
        for each in (*self._theirs, *self._cgroup.procs):
            os.close(each)
        self._theirs = []
        self._cgroup.procs = ()
