"""One cell as the server sees it: the socket to its process 1, its descriptors, and its control groups."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from lambent.compute.sandbox import mounts
from lambent.compute.sandbox.api import Usage
from lambent.compute.sandbox.branches import Branches
from lambent.compute.sandbox.descriptors import Ends, Socket, high_water, internet, received
from lambent.compute.sandbox.letters import Letters
from lambent.compute.sandbox.looks import Watch
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lambent.compute.sandbox.api import Exits, Program, Tenancy, Volume
    from lambent.compute.sandbox.branches import Branch
    from lambent.compute.sandbox.cgroups import Cgroup
    from lambent.compute.sandbox.looks import Looks

_DESCRIPTORS: Final = 16
FIRST: Final = 0
"""The slot of the first guest."""


class Attachment(Protocol):
    """One cell's way out."""

    def close(self) -> None:
        """Answer nothing any more, and close the descriptors that came with it."""


class Guard(Protocol):
    """Who decides what a cell may reach of the network: see `egress`."""

    def attach(self, notify_fd: int, dns_udp: socket.socket, dns_tcp: socket.socket) -> Attachment:
        """Serve a new cell; all three are the guard's from here on."""


class Keeper(Protocol):
    """Who is told how a cell fares."""

    def made(self, cell: JailCell) -> None:
        """It is ready."""

    def cgroup(self) -> Cgroup:
        """Control groups for a branch. Raises OSError."""

    def gone(self, cell: JailCell, reason: str) -> None:
        """Nothing is left of it. `reason` says, where it is not empty, why it could not be."""


class Outfit(NamedTuple):
    """What a cell has from the beginning."""

    seat: int
    """By which its user is told from others'."""
    control: socket.socket
    """The server's end of its control socket."""
    cgroup: Cgroup
    keeper: Keeper
    code: Path
    volumes: tuple[Path, ...]
    share: Callable[[int], float | None]
    guard: Guard | None
    looks: Looks


class JailCell(Ends):
    """The cell; see `api.Cell`."""

    paths = mounts.PATHS
    runtime_api_address = "127.0.0.1:9001"

    def __init__(self, outfit: Outfit) -> None:
        super().__init__()
        self.seat = outfit.seat
        self.alive = True
        """Until it is killed, or lost."""
        self.ready = False
        """Whether it has ever been."""
        self._control = outfit.control
        self._letters = Letters(outfit.control)
        self._cgroup = outfit.cgroup
        self._keeper = outfit.keeper
        self._code = outfit.code
        self._share = outfit.share
        self._guard = outfit.guard
        self._looks = outfit.looks
        self._watch = Watch(outfit.looks)
        self._volumes = outfit.volumes
        self._attachment: Attachment | None = None
        self._reason = ""
        self._process = self._status = -1
        self._endpoint: socket.socket
        self._usage = Usage(peak_memory=0, out_of_memory=False)
        self._tenancy: Tenancy | None = None
        self._branches: Branches | None = None
        self._slots = 0
        self._exits: dict[int, Exits] = {}
        self._connectors: deque[asyncio.Future[Socket]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control.fileno(), self._hear)

    @property
    def endpoint(self) -> socket.socket:
        self._take("endpoint")
        return self._endpoint

    def furnish(self, tenancy: Tenancy) -> None:
        order = [mounts.temporary(tenancy.ephemeral_mb)]
        order += [self._named(folder) for folder in (tenancy.task, *tenancy.layers)]
        self._cgroup.limit(memory_mb=tenancy.memory_mb, files_mb=tenancy.ephemeral_mb)
        if tenancy.volumes:  # before the packages: with them everything hidden goes
            self._say(b"V" + "\0".join(self._placed(tenancy.volumes)).encode())
        self._say(b"T" + "\0".join(order).encode())
        self._tenancy = tenancy
        self._watch.hold(tenancy.memory_mb * limits.MIB)

    def _named(self, folder: Path) -> str:
        """A package's folder as it is called within the one of all code."""
        name, above = str(folder), f"{self._code}/"
        assert name.startswith(above)
        return name.removeprefix(above)

    def _placed(self, volumes: tuple[Volume, ...]) -> list[str]:
        return [word for each in volumes for word in (mounts.hidden(each.source, self._volumes), each.target)]

    def pace(self) -> None:
        self._hurry(False)

    def enter(self, program: Program, exits: Exits) -> JailGuest:
        self._say(b"E" + packed(program))
        self._exits[FIRST] = exits
        if self._tenancy is not None:
            groups = self._keeper.cgroup
            self._branches = Branches(self, self._tenancy, program.variables, self._share, groups, self._hurry)
        return JailGuest(self, FIRST)

    def start(self, program: Program, output: int, exits: Exits) -> JailGuest:
        slot = self.expect(exits)
        try:
            self.tell(b"S", {"slot": slot, "program": program}, output)
        except OSError:
            self.forget(slot)
            raise
        return JailGuest(self, slot)

    def expect(self, exits: Exits) -> int:
        """A new slot; `exits` is told of the end of its guest."""
        self._slots += 1
        self._exits[self._slots] = exits
        return self._slots

    def forget(self, slot: int) -> None:
        """Nobody comes for that slot after all."""
        del self._exits[slot]

    async def branch(self, gone: Callable[[], None]) -> Branch:
        if self._branches is None:
            raise OSError("nobody has entered yet")
        self._watch.rest()  # the first guest waits to be forked, and does nothing else
        return await self._branches.make(gone)

    def watch(self, root: str) -> Watch:
        """A watch over a branch whose root is at that path. Raises OSError."""
        return self._watch.branch(root)

    async def socket(self) -> Socket:
        answer: asyncio.Future[Socket] = self._loop.create_future()
        self._ask_for_socket()
        self._connectors.append(answer)
        return await answer

    def _ask_for_socket(self) -> None:
        self.tell(b"C", None)

    def freeze(self) -> None:
        if self.alive:
            self._cgroup.freeze()
            self._watch.rest()

    def thaw(self) -> None:
        if self.alive:
            self._cgroup.thaw()
            self._watch.wake()

    def usage(self) -> Usage:
        if self._status >= 0:
            resident = max(high_water(self._status), self._watch.most)
            peak = max(self._usage.peak_memory, resident, self._cgroup.peak())
            killed = self._usage.out_of_memory or self._cgroup.oom_kills() + self._watch.kills > 0
            self._usage = Usage(peak_memory=peak, out_of_memory=killed)
        return self._usage

    def kill(self) -> None:
        if not self.alive:
            return
        self.usage()
        self.alive = False
        if self._process >= 0:
            self._kill_first()
        else:
            # It is still being made, and ends at the latest when it has said so: until then it makes control groups.
            self._control.shutdown(socket.SHUT_WR)
        self._cgroup.kill()

    def send_signal(self, slot: int, number: signal.Signals) -> None:
        """Signal the guest in `slot`; harmless when it is gone."""
        if slot in self._exits:
            with contextlib.suppress(OSError):  # the cell is ending
                self.tell(b"K", (slot, int(number)))

    def tell(self, kind: bytes, message: object, *descriptors: int) -> None:
        """Send process 1 a packet. Raises OSError."""
        self._say(kind + msgspec.json.encode(message), *descriptors)

    def _say(self, packet: bytes, *descriptors: int) -> None:
        if not self.alive:
            raise ProcessLookupError("the cell is gone")
        if len(packet) > limits.CELL_PACKET_BYTES:
            raise OSError("the arguments and variables are too long")
        self._letters.send(packet, descriptors)

    def _hear(self) -> bool:
        """Take one packet; False where there is none."""
        try:
            packet, descriptors, lost = received(self._control, _DESCRIPTORS)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # said once where it left something unread, before what it has said itself
            return True
        if lost:
            self._short_of_descriptors(descriptors)
            return True
        match packet[:1]:
            case b"M":
                self._furnished(descriptors)
            case b"X":
                self._exited(*msgspec.json.decode(packet[1:], type=tuple[int, int]))
            case b"B":
                number, problem = msgspec.json.decode(packet[1:], type=tuple[int, str])
                self._grown().laid(number, problem, descriptors)
            case b"R":
                self._grown().arrived(msgspec.json.decode(packet[1:], type=int), descriptors[0])
            case b"C":
                self._connected(socket.socket(fileno=descriptors[0]))
            case b"F":
                self._reason = packet[1:].decode(errors="replace")
            case _:
                self._hung_up()
                return False
        return True

    def _short_of_descriptors(self, descriptors: list[int]) -> None:
        """The kernel could not give the server all that process 1 has sent: the cell is of no use."""
        for descriptor in descriptors:
            os.close(descriptor)
        self._reason = "the server has too many open files"
        self.kill()

    def _hurry(self, wanted: bool) -> None:
        assert self._tenancy is not None
        share = self._share(self._tenancy.memory_mb)
        if share is not None and self.alive:
            self._cgroup.throttle(None if wanted else share)

    def _grown(self) -> Branches:
        assert self._branches is not None
        return self._branches

    def _furnished(self, descriptors: Sequence[int]) -> None:
        self._process, self._status, channel, output, frames, api, endpoint, *guarded = descriptors
        self._loop.add_reader(self._process, self._ended)
        self._hold(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, channel), output, frames)
        self._hold_runtime_api(internet(api))
        self._endpoint = self._untaken["endpoint"] = internet(endpoint)
        self._watch = self._looks.watch(self._inhabitant())
        if self._guard is not None:
            datagrams, listener, notifications = guarded
            self._attachment = self._guard.attach(notifications, internet(datagrams), internet(listener))
        if self.alive:
            self.ready = True
            self._keeper.made(self)
        else:
            self._kill_first()

    def _inhabitant(self) -> int:
        """A pidfd of a process that sees the cell's own files."""
        return self._process

    def _kill_first(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended of itself
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def _exited(self, slot: int, status: int) -> None:
        exits = self._exits.pop(slot, None)
        if exits is not None:
            exits.exited(status)
        elif slot == FIRST:
            self.kill()  # before anybody entered

    def _connected(self, connector: Socket | None) -> None:
        answer = self._connectors.popleft()
        if connector is None:
            if not answer.done():
                answer.set_exception(ProcessLookupError("the cell is gone"))
            return
        connector.setblocking(False)
        if answer.done():
            connector.close()
        else:
            answer.set_result(connector)

    def _listen(self) -> None:
        """Take in all that has been said."""
        while self._control.fileno() >= 0 and self._hear():
            pass

    def _hung_up(self) -> None:
        """Process 1 is ending, or never was."""
        self.alive = False
        self._mute()
        if self._process < 0:
            self._clear(self._reason)

    def _mute(self) -> None:
        if self._control.fileno() >= 0:
            self._letters.close()
            self._loop.remove_reader(self._control.fileno())
            self._control.close()

    def _ended(self) -> None:
        """Process 1 is gone, and with it all others; what it said last may still be unread."""
        self.alive = False
        self._listen()
        self._mute()
        self._loop.remove_reader(self._process)
        self._clear(self._reason)

    def _clear(self, reason: str) -> None:
        self.alive = False
        if self._attachment is not None:
            self._attachment.close()
        self.usage()
        self._watch.end()
        for descriptor in (self._process, self._status):
            if descriptor >= 0:
                os.close(descriptor)
        self._status = -1
        self._close_untaken()
        try:
            self._cgroup.remove()
            for answer in self._connectors:
                if not answer.done():
                    answer.set_exception(ProcessLookupError("the cell is gone"))
            exits, self._exits = self._exits, {}
            for guest in exits.values():
                guest.exited(-signal.SIGKILL)
            if self._branches is not None:
                self._branches.end()
        finally:
            self._keeper.gone(self, reason)


def packed(program: Program) -> bytes:
    """As `bootstraps/cell/guest.py` unpacks it. Raises OSError where no program could be started so."""
    words = [str(len(program.command)), *program.command]
    for variable in program.variables.items():
        words += variable
    packet = "\0".join([*words, ""]).encode()
    if packet.count(b"\0") != len(words):
        raise OSError("an argument or a variable holds a zero byte")
    return packet


class JailGuest:
    """A process of the cell; see `api.Guest`."""

    def __init__(self, cell: JailCell, slot: int) -> None:
        self._cell = cell
        self._slot = slot

    def signal(self, number: signal.Signals) -> None:
        self._cell.send_signal(self._slot, number)
