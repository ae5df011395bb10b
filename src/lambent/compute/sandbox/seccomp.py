"""The system calls that a guest may make, as the classic BPF programs that the kernel runs before each one.

One program per machine type, assembled here and not by a library: it is eighty comparisons, it must be the same on
every machine whatever is installed there, and what it does not know it has to answer as an older kernel would. It
forbids what the profile of the common container engines forbids to a container without capabilities, and some of what
that one lets through: keyrings, debugging, io_uring, and every kind of socket but local and internet ones. All numbers
up to the last one that was looked at are either named here or harmless; every later one does not exist, as far as a
guest can tell. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from typing import Final

_LAST_KNOWN: Final = 466
"""removexattrat, of Linux 6.13: the last call that was looked at. Both machine types count alike from 424 on."""

# Name to number on x86-64 and on 64-bit ARM; None where there is no such call.
REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    # File systems: what is mounted, and handles that go around paths.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "sysfs": (139, None),
    "ustat": (136, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    # Namespaces and the machine as a whole.
    "setns": (308, 268),
    "unshare": (272, 97),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "_sysctl": (156, None),
    "uselib": (134, None),
    # Kernel modules and ports.
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    # Other processes' memory and descriptors.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # Where memory lies in the machine.
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "get_mempolicy": (239, 236),
    "set_mempolicy_home_node": (450, 450),
    # Keyrings, which no namespace separates.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Large surfaces that most holes of the last years were in.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Never built, or built for one program.
    "afs_syscall": (183, None),
    "tuxcall": (184, None),
    "security": (185, None),
    "vserver": (236, None),
    "getpmsg": (181, None),
    "putpmsg": (182, None),
    "lsm_set_self_attr": (460, 460),
}
"""Answered EPERM, whatever the arguments."""

_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_IOCTL: Final = (16, 29)
_PERSONALITY: Final = (135, 92)
_SOCKET: Final = (41, 198)
_SOCKETPAIR: Final = (53, 199)
_SYNC: Final = (162, 81)
_SYNCFS: Final = (306, 267)

_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine type, as `uname` prints it, to its column above and its AUDIT_ARCH."""

_NAMESPACES: Final = 0x7E02_0000
"""CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID and _NEWNET."""
_SIBLING: Final = 0x8000
"""CLONE_PARENT: a child of one's parent, who would have to reap it. Many guests' is a zygote, others' as well."""
_TERMINAL_INPUT: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: typing into the terminal of somebody else."""
_PERSONALITIES: Final = (0, 0x8, 0x20000, 0x20008, 0xFFFF_FFFF)
"""The plain one, PER_LINUX32, UNAME26, both, and the question which one it is."""
_FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_NETLINK_ROUTE: Final = 0

# Offsets in `struct seccomp_data`; of an argument the lower half is read, which is all that these calls look at.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16

_LOAD, _RETURN, _IF_EQUAL, _IF_GREATER, _IF_BITS = 0x20, 0x06, 0x15, 0x25, 0x45
_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0000

_Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip if true and if false, operand."""
_Block = list[_Instruction]


@functools.cache
def filters(machine: str = os.uname().machine, *, chroot: bool = False) -> tuple[bytes, ...]:
    """The programs to be installed in this order, each an array of `struct sock_filter`. With `chroot` that call is
    left to the kernel to refuse, which grants it to nobody without the capability. Raises OSError (ENOTSUP) for a
    machine type that is not known."""
    if machine not in _MACHINES:
        raise OSError(errno.ENOTSUP, f"no filter of system calls for {machine}")
    column, architecture = _MACHINES[machine]
    program = _head(architecture) + _with_arguments(column) + _refused(column, {"chroot"} if chroot else set())
    return (b"".join(struct.pack("=HBBI", *instruction) for instruction in program),)


def _head(architecture: int) -> _Block:
    """Refuse the calls of other machine types (32-bit ones, by which every other check could be passed), and those that
    are not known, which includes x32."""
    return [
        (_LOAD, 0, 0, _MACHINE),
        (_IF_EQUAL, 1, 0, architecture),
        _answer(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_GREATER, 0, 1, _LAST_KNOWN),
        _answer(errno.ENOSYS),
    ]


def _with_arguments(column: int) -> _Block:
    """The calls that are neither always good nor always bad."""
    families = _only_families()
    blocks = {
        _CLONE: [_argument(0), (_IF_BITS, 0, 1, _NAMESPACES | _SIBLING), _answer(errno.EPERM), _answer(None)],
        # Its flags lie in memory, where no filter can look; told that there is none, C libraries use the older call.
        _CLONE3: [_answer(errno.ENOSYS)],
        _IOCTL: _unless(1, _TERMINAL_INPUT),
        _PERSONALITY: _only(0, _PERSONALITIES),
        _SOCKET: families,
        _SOCKETPAIR: families,
        # All that a guest can write is gone with it, but these would make the host write what is its own.
        _SYNC: [_answer(0)],
        _SYNCFS: [_answer(0)],
    }
    return [step for numbers, block in blocks.items() for step in [(_IF_EQUAL, 0, len(block), numbers[column]), *block]]


def _refused(column: int, granted: set[str]) -> _Block:
    """One comparison for each number, then the two answers."""
    numbers = [row[column] for name, row in REFUSED.items() if name not in granted]
    present = sorted(number for number in numbers if number is not None)
    steps = [(_IF_EQUAL, len(present) - index, 0, number) for index, number in enumerate(present)]
    return [*steps, _answer(None), _answer(errno.EPERM)]


def _only_families() -> _Block:
    """Local and internet sockets, and of netlink the part by which a process learns its own addresses."""
    return [
        _argument(0),
        *((_IF_EQUAL, len(_FAMILIES) + 3 - index, 0, int(family)) for index, family in enumerate(_FAMILIES)),
        (_IF_EQUAL, 0, 2, socket.AF_NETLINK),
        _argument(2),
        (_IF_EQUAL, 1, 0, _NETLINK_ROUTE),
        _answer(errno.EAFNOSUPPORT),
        _answer(None),
    ]


def _only(argument: int, values: tuple[int, ...]) -> _Block:
    """Refuse all but `values`."""
    steps = [(_IF_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_argument(argument), *steps, _answer(errno.EPERM), _answer(None)]


def _unless(argument: int, values: tuple[int, ...]) -> _Block:
    """Refuse `values`."""
    steps = [(_IF_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_argument(argument), *steps, _answer(None), _answer(errno.EPERM)]


def _argument(index: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _answer(number: int | None) -> _Instruction:
    """Let the call go on, or answer it: 0 for success without doing it, or an error."""
    return (_RETURN, 0, 0, _ALLOW if number is None else _ERRNO | number)
