"""What a cell's root shows: a plan, made from what the host has, that `bootstraps/cell` carries out inside."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.compute.sandbox.api import Paths
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambent.compute.runtimes import Runtime

PATHS: Final = Paths()
HIDDEN: Final = "/.lambent"
"""Everything below it is out of sight before a guest runs a function's code."""
CODE: Final = f"{HIDDEN}/code"
SCRIPTS: Final = f"{HIDDEN}/cell"
PROCESSES: Final = f"{HIDDEN}/proc"
_VOLUMES: Final = f"{HIDDEN}/volumes"
MOUNTED: Final = "/mnt"
"""Where file systems are."""
BRANCHES: Final = "/.branches"
"""Where the roots of branches are, none of which sees it filled."""
RUNTIME_API_PORT: Final = 9001
CLIENT: Final = f"{PATHS.runtime}/bootstrap.pyc"
HOST: Final = "sandbox"
USER: Final = 993
GROUP: Final = 990
_NAME: Final = "sbx_user1051"

LIBRARIES: Final = ":".join(
    (
        "/var/lang/lib",
        "/lib64",
        "/usr/lib64",
        PATHS.runtime,
        f"{PATHS.runtime}/lib",
        PATHS.task,
        f"{PATHS.task}/lib",
        f"{PATHS.opt}/lib",
    )
)
"""LD_LIBRARY_PATH as AWS sets it, which a process reads once, when it starts."""

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SHARED_SETTINGS: Final = (
    "/etc/alternatives",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
)
_SETTINGS: Final = ("/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/mime.types", "/etc/protocols", "/etc/services")
_FOLDERS: Final = (
    "/proc",
    "/sys",
    MOUNTED,
    "/tmp",  # noqa: S108 the cell's
    "/dev/shm",  # noqa: S108 the cell's
    "/etc/ssl",
    "/var/tmp",  # noqa: S108 the cell's, and not writable
    BRANCHES,
    HIDDEN,
    SCRIPTS,
    PROCESSES,
    # A process remembers for ever that a folder for libraries is not there, so they are there before a package is.
    f"{PATHS.runtime}/lib",
    f"{PATHS.task}/lib",
    f"{PATHS.opt}/lib",
)
_LINKS: Final = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/etc/mtab": "/proc/self/mounts",
    "/etc/os-release": "../usr/lib/os-release",
}
_TEXTS: Final = {
    "/etc/hosts": f"127.0.0.1 localhost {HOST}.localdomain {HOST}\n",
    "/etc/hostname": f"{HOST}\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}


class Shown(msgspec.Struct, frozen=True):
    """A file or folder of the host, read-only in the cell unless it is `writable`."""

    source: str
    target: str
    devices: bool = False
    """Whether it is a device that works as one."""
    writable: bool = False


class View(msgspec.Struct, frozen=True):
    """A root: `target`, `path` and `folders` are paths in the cell. Copied is what is small, shown what is large."""

    size: int
    """The most bytes that the root itself may hold."""
    folders: tuple[str, ...]
    texts: dict[str, str]
    links: dict[str, str]
    copied: tuple[tuple[str, str], ...]
    shown: tuple[Shown, ...]
    hidden: str = HIDDEN
    processes: str = PROCESSES


class Interpreter(msgspec.Struct, frozen=True):
    """What the zygote of an image runs on."""

    prefix: Path
    """Its installation on the host."""
    place: str
    """Where that is in the cell."""
    program: str
    """The path of the program in the cell."""


def interpreter(runtime: Runtime) -> Interpreter:
    """The runtime's own interpreter, or the server's, which is then hidden from the function, where it has none."""
    if runtime.prefix is not None:
        return Interpreter(runtime.prefix, "/var/lang", f"/var/lang/{runtime.interpreter}")
    prefix = Path(sys.base_prefix).resolve()
    program = Path(sys.executable).resolve().relative_to(prefix)
    return Interpreter(prefix, f"{HIDDEN}/lang", f"{HIDDEN}/lang/{program}")


def view(runtime: Runtime, code: Path, volumes: Sequence[Path], scripts: Path, users: Sequence[int]) -> View:
    """The root for `runtime`. `code` holds all unpacked packages, `volumes` the file systems, `scripts` is the folder
    `bootstraps/cell`; `users` are the numbers that go by the name of a function's user."""
    system = {path: Path(path) for path in _SYSTEM}
    lang = interpreter(runtime)
    copied = [(str(each), f"{SCRIPTS}/{each.name}") for each in sorted(scripts.glob("*.py"))]
    copied += [(path, path) for path in _SETTINGS if os.access(path, os.R_OK)]
    if runtime.client is not None:
        copied += [(str(each), f"{PATHS.runtime}/{each.name}") for each in sorted(runtime.client.iterdir())]
    return View(
        size=limits.CELL_ROOT_BYTES,
        folders=_FOLDERS,
        texts=_TEXTS | _names(users),
        links=_LINKS | {path: str(each.readlink()) for path, each in system.items() if each.is_symlink()},
        copied=tuple(copied),
        shown=(
            *(Shown(path, path) for path, each in system.items() if each.is_dir() and not each.is_symlink()),
            *(Shown(path, path, devices=True) for path in _DEVICES),
            *(Shown(path, path) for path in _SHARED_SETTINGS if Path(path).is_dir()),
            Shown(str(lang.prefix), lang.place),
            *(Shown(str(each), f"{PATHS.runtime}/{each.name}") for each in runtime.packages),
            Shown(str(code), CODE),
            # One that the operator has taken away keeps only those functions from starting that want it.
            *(Shown(str(each), place, writable=True) for each, place in _places(volumes) if each.is_dir()),
        ),
    )


def hidden(volume: Path, volumes: Sequence[Path]) -> str:
    """Where process 1 finds a folder that lies in one of `volumes`, or is one. Raises OSError where it does not."""
    for folder, place in _places(volumes):
        if volume.is_relative_to(folder):
            return f"{place}/{volume.relative_to(folder)}"
    raise OSError(f"{volume} is no folder of a file system")


def _places(volumes: Sequence[Path]) -> list[tuple[Path, str]]:
    return [(folder, f"{_VOLUMES}/{number}") for number, folder in enumerate(volumes)]


def _names(users: Sequence[int]) -> dict[str, str]:
    """The files in which users and groups have their names: one name, as on AWS, whatever the number."""
    people = [f"{_NAME}:x:{user}:{GROUP if user == USER else user}::/home/{_NAME}:/bin/sh" for user in users]
    groups = [f"{_NAME}:x:{GROUP if user == USER else user}:" for user in users]
    return {
        "/etc/passwd": "\n".join(["root:x:0:0:root:/root:/bin/sh", *people, ""]),
        "/etc/group": "\n".join(["root:x:0:", *groups, ""]),
    }


def temporary(megabytes: int) -> str:
    """The options of a cell's /tmp."""
    inodes = max(megabytes, 1) * limits.CELL_INODES_PER_MB
    return f"mode=1777,size={megabytes}m,nr_inodes={inodes}"


def shared_memory() -> str:
    """The options of a cell's /dev/shm."""
    return f"mode=1777,size={limits.CELL_SHARED_MEMORY_BYTES},nr_inodes={limits.CELL_INODES_PER_MB}"


def mounted() -> str:
    """The options of the folder with a cell's file systems."""
    return f"mode=755,size={limits.CELL_MOUNT_FOLDER_BYTES}"


def branches() -> str:
    """The options of the folder with the roots of branches."""
    return f"mode=755,size={limits.CELL_BRANCH_FOLDER_BYTES}"


def private() -> tuple[tuple[str, str, str], ...]:
    """What every cell mounts for itself: kind, target, options. /tmp grows when it is known who moves in."""
    return (
        ("proc", "/proc", "hidepid=2"),
        ("tmpfs", "/tmp", temporary(1)),  # noqa: S108 the cell's
        ("tmpfs", "/dev/shm", shared_memory()),  # noqa: S108 the cell's
    )
