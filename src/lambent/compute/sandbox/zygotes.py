"""Zygotes as the server sees them: one process for each image, which forks that image's cells."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import struct
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from lambent.compute.sandbox import mounts, seccomp
from lambent.compute.sandbox.descriptors import received
from lambent.compute.sandbox.killing import await_ends
from lambent.compute.sandbox.letters import Letters
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lambent.compute.sandbox.api import Image
    from lambent.compute.sandbox.cgroups import Cgroups

_CONTROL: Final = 3
_GROUP_NAME: Final = "cell-%d"
_ORDER: Final = struct.Struct("=III")
_EXIT: Final = struct.Struct("=Ii")
_NUMBER: Final = struct.Struct("=I")
_COMMON: Final = (
    "base64",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "functools",
    "hashlib",
    "json",
    "os",
    "re",
    "string",
    "time",
    "traceback",
    "typing",
    "urllib.parse",
    "uuid",
)
"""What nearly every function imports, itself or through a library. Not logging: it has every fork see to all its locks,
and AWS's set-up of it is best done when a function asks for it."""
_SDK: Final = (
    "boto3.session",
    "botocore.client",
    "botocore.handlers",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.retries.standard",
    "botocore.serialize",
    "botocore.session",
    "botocore.signers",
)
_RESOURCES: Final = {
    "RLIMIT_NOFILE": limits.ENVIRONMENT_OPEN_FILES,
    "RLIMIT_NPROC": limits.ENVIRONMENT_PROCESSES,
    "RLIMIT_CORE": 0,
    "RLIMIT_MEMLOCK": limits.CELL_LOCKED_BYTES,
}
"""What a guest may use where no control group counts. Its processes are those of the cell: no other has its user."""


class Privileges(msgspec.Struct, frozen=True):
    """In what the levels differ. As root every cell has a user of its own; elsewhere the server's own user is all there
    is, and a user namespace makes it the root of the walls, and one within that a user without rights behind them."""

    nested: bool
    first_user: int = 0
    """The number of the first of the cells' own users, and of the first of their groups."""
    user: int | None = None
    group: int | None = None

    @property
    def users(self) -> tuple[int, ...]:
        """The numbers of the users that guests may have and that have a name."""
        if self.nested:
            return (mounts.USER,)
        return tuple(range(self.first_user, self.first_user + limits.CELL_USERS_NAMED))

    @classmethod
    def of(cls, level: str) -> Privileges:
        """Those of `jail` or `userns`."""
        return cls(nested=False) if level == "jail" else cls(nested=True, user=os.geteuid(), group=os.getegid())


class Walls(msgspec.Struct, frozen=True):
    """What a level gives all its cells, whatever their image."""

    privileges: Privileges
    cgroups: Cgroups
    code: Path
    """The folder that holds all unpacked packages and layers."""
    volumes: tuple[Path, ...]
    """The folders that hold file systems, or are one."""
    scripts: Path
    """`bootstraps/cell`."""
    filters: tuple[bytes, ...]
    """The seccomp programs of guests."""
    sleeper: bytes | None
    """The program of process 1 in lone cells; None where it cannot be."""
    notify: bytes | None
    """The one whose notifications the guard of the network answers; None where cells have no way out."""


class Keeper(Protocol):
    """Who is told of a zygote's end."""

    def ended(self, reason: str) -> None:
        """The process is gone, and its cells with it; `reason` is empty where nothing went wrong."""


class Tenant(Protocol):
    """A lone cell, as its zygote speaks of it."""

    def exited(self, status: int) -> None:
        """Its guest has ended, and it ends, too."""

    def connected(self, connector: socket.socket | None) -> None:
        """A socket of its network, asked for before; None where it is gone."""


class Zygote:
    """A running zygote. Raises OSError where the process cannot be started."""

    def __init__(self, image: Image, walls: Walls, keeper: Keeper) -> None:
        self.lone = image.lone
        self._stopped = False
        self._keeper = keeper
        self._reason = ""
        self._tenants: dict[int, Tenant] = {}
        self._loop = asyncio.get_running_loop()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._letters = Letters(self._control)
        with theirs, ExitStack() as undo:
            undo.enter_context(self._control)
            self._pid = _spawn(walls.scripts / "furnish.py", theirs.fileno())
            undo.callback(_end, self._pid)
            self._process = os.pidfd_open(self._pid)
            undo.callback(os.close, self._process)
            self._control.send(msgspec.json.encode(_furnishing(image, walls)))
            self._tell_plan(image, walls)
            undo.pop_all()
        self._loop.add_reader(self._process, self._ended)
        self._loop.add_reader(self._control.fileno(), self.attend)

    def fork(self, number: int, user: int, group: int, control: socket.socket) -> None:
        """Have it make a cell that speaks over `control`, of which it gets a copy, and that makes its control groups by
        the name of `group_name`. Raises OSError."""
        self._letters.send(b"F" + _ORDER.pack(number, user, group), [control.fileno()])

    def connect(self, number: int, guest: int) -> None:
        """Have it make a socket of the network of the guest of that descriptor; the cell is told. Raises OSError."""
        self._letters.send(b"C" + _NUMBER.pack(number), [guest])

    def adopt(self, number: int, tenant: Tenant) -> None:
        """Tell `tenant` of what becomes of the lone cell of that number."""
        self._tenants[number] = tenant

    def disown(self, number: int) -> None:
        """Tell nobody any more."""
        self._tenants.pop(number, None)

    def stop(self) -> None:
        """Let it end, and its cells with it; `ended` follows."""
        self._stopped = True
        self._control.shutdown(socket.SHUT_WR)

    def kill(self, reason: str) -> None:
        """End it, and its cells with it, though it does not do as it is told; `ended` follows."""
        self._stopped = True
        self._reason = reason
        with suppress(ProcessLookupError):  # it has ended, of which the loop is still to hear
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether it goes on: it was not told to end, has not said that it will, and has not ended."""
        return not (self._stopped or self.last_words() or await_ends((self._process,), 0))

    def last_words(self) -> str:
        """Why there is no zygote, as far as it could say; empty where nothing went wrong until now."""
        self.attend()
        return self._reason

    def attend(self) -> None:
        """Take in what it has said."""
        while self._control.fileno() >= 0 and self._hear():
            pass

    def _hear(self) -> bool:
        """Take one packet; False where there is none."""
        try:
            packet, descriptors, _ = received(self._control, 1)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # said once where it left something unread, before what it has said itself
            return True
        match packet[:1]:
            case b"X":
                number, status = _EXIT.unpack_from(packet, 1)
                if number in self._tenants:
                    self._tenants[number].exited(status)
            case b"C":
                self._connected(_NUMBER.unpack_from(packet, 1)[0], descriptors)
            case b"F":
                self._reason = packet[1:].decode(errors="replace")
            case _:
                self._loop.remove_reader(self._control.fileno())
                return False
        return True

    def _connected(self, number: int, descriptors: Sequence[int]) -> None:
        made = socket.socket(fileno=descriptors[0]) if descriptors else None
        if number in self._tenants:
            self._tenants[number].connected(made)
        elif made is not None:
            made.close()

    def _tell_plan(self, image: Image, walls: Walls) -> None:
        """Raises OSError."""
        doors = walls.cgroups.doors()
        try:
            packet = msgspec.json.encode(_plan(image, walls, [door.pids for door in doors]))
            socket.send_fds(self._control, [packet], [door.folder for door in doors])
        finally:
            for door in doors:
                os.close(door.folder)

    def _ended(self) -> None:
        self._loop.remove_reader(self._process)
        os.close(self._process)
        _, status = os.waitpid(self._pid, 0)
        reason = self.last_words()
        self._loop.remove_reader(self._control.fileno())
        self._letters.close()
        self._control.close()
        if not reason and status:
            reason = f"the zygote ended with status {os.waitstatus_to_exitcode(status)}"
        self._keeper.ended(reason)


def group_name(number: int) -> str:
    """What the control groups of a cell are called."""
    return _GROUP_NAME % number


def _spawn(script: Path, control: int) -> int:
    """Start the script with the server's interpreter, with nothing of the server's but its standard error."""
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-S", "-B", str(script)),
        {},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, control, _CONTROL),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD),
    )


def _end(pid: int) -> None:
    """End a child that nobody watches yet, and reap it."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _furnishing(image: Image, walls: Walls) -> dict[str, object]:
    """The order that `furnish.py` reads."""
    program = mounts.interpreter(image.runtime).program
    return {
        "user": walls.privileges.user,
        "group": walls.privileges.group,
        "view": mounts.view(image.runtime, walls.code, walls.volumes, walls.scripts, walls.privileges.users),
        "command": (program, "-S", "-B", "-u", f"{mounts.SCRIPTS}/zygote.py"),
        "variables": {"LANG": "en_US.UTF-8", "TZ": ":UTC", "LD_LIBRARY_PATH": _libraries(image)},
    }


def _libraries(image: Image) -> str:
    if image.runtime.prefix is not None:
        return mounts.LIBRARIES
    return f"{mounts.interpreter(image.runtime).place}/lib"


def _filters(image: Image, walls: Walls) -> tuple[bytes, ...]:
    return seccomp.filters(chroot=True) if image.branches else walls.filters


def _resources(image: Image) -> dict[str, int]:
    """All branches of a cell have one user, whose processes the kernel counts together."""
    return _RESOURCES | ({"RLIMIT_NPROC": limits.CELL_BRANCH_PROCESSES} if image.branches else {})


def _plan(image: Image, walls: Walls, pids: list[str]) -> dict[str, object]:
    """The plan that `zygote.py` reads, with the folders to make control groups in, which `pids` is for."""
    runtime = image.runtime
    managed = runtime.client is not None
    program = mounts.interpreter(runtime).program
    return {
        "processes": mounts.PROCESSES,
        "hidden": mounts.HIDDEN,
        "code": mounts.CODE,
        "host": mounts.HOST,
        "mounts": mounts.private(),
        "mounted": (mounts.MOUNTED, mounts.mounted()),
        "branches": mounts.BRANCHES if image.branches else None,
        "task": mounts.PATHS.task,
        "opt": mounts.PATHS.opt,
        "runtime": mounts.PATHS.runtime,
        "groups": {"name": _GROUP_NAME, "pids": pids},
        "limits": {"oom_score": limits.CELL_OOM_SCORE, "resources": _resources(image)},
        "nested": walls.privileges.nested,
        "command": (program, "-S", "-B", "-u", mounts.CLIENT) if managed else (),
        "client": mounts.CLIENT if managed else None,
        "sleeper": base64.b64encode(walls.sleeper).decode() if walls.sleeper and image.lone else None,
        "preloaded": (_COMMON + (_SDK if image.sdk and runtime.packages else ())) if managed else (),
        "filters": [base64.b64encode(each).decode() for each in _filters(image, walls)],
        "notify": None if walls.notify is None else base64.b64encode(walls.notify).decode(),
    }
