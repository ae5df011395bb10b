"""The program of process 1 in a lone cell: it sleeps for as long as its zygote lives, and the kernel does the rest.

A process namespace ends with its first process, and whoever is orphaned in it becomes a child of that one. Neither asks
for a line of code, so the first process of a cell in which nobody else needs a hand is these few instructions: four
pages of memory, where an interpreter has some hundred of its own. It is no library's and needs no compiler; on other
processors cells have a process 1 that is an interpreter.
"""

from __future__ import annotations

import platform
import struct
from typing import Final

_CODE: Final = bytes.fromhex(
    "b89d000000"  # mov eax, 157    prctl(PR_SET_DUMPABLE, 0): nobody of the same user may look into it
    "bf04000000"  # mov edi, 4
    "31f6"  # xor esi, esi
    "0f05"  # syscall
    "b80d000000"  # mov eax, 13     rt_sigaction(SIGCHLD, SIG_IGN): the kernel reaps orphans
    "bf11000000"  # mov edi, 17
    "488d3523000000"  # lea rsi, [action]
    "31d2"  # xor edx, edx
    "41ba08000000"  # mov r10d, 8
    "0f05"  # syscall
    "31c0"  # xor eax, eax          read(0, below the stack, 1): until nobody has the other end
    "31ff"  # xor edi, edi
    "488d742480"  # lea rsi, [rsp - 128]
    "ba01000000"  # mov edx, 1
    "0f05"  # syscall
    "b83c000000"  # mov eax, 60     exit(0)
    "31ff"  # xor edi, edi
    "0f05"  # syscall
)
_ACTION: Final = struct.pack("<QQQQ", 1, 0, 0, 0)
"""`struct sigaction` of the kernel, with SIG_IGN."""
_BASE: Final = 0x400000
_ELF_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")
_IDENTITY: Final = b"\x7fELF\x02\x01\x01"
_EXECUTABLE, _X86_64 = 2, 62
_LOAD, _STACK = 1, 0x6474E551
_READ_EXECUTE, _READ_WRITE = 5, 6
_PAGE: Final = 0x1000


def program() -> bytes | None:
    """The executable for this machine, in the format of https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html;
    None where there is none."""
    if platform.machine() != "x86_64":
        return None
    start = _ELF_HEADER.size + 2 * _PROGRAM_HEADER.size
    size = start + len(_CODE) + len(_ACTION)
    header = _ELF_HEADER.pack(
        _IDENTITY,
        _EXECUTABLE,
        _X86_64,
        1,
        _BASE + start,
        _ELF_HEADER.size,
        0,
        0,
        _ELF_HEADER.size,
        _PROGRAM_HEADER.size,
        2,
        0,
        0,
        0,
    )
    text = _PROGRAM_HEADER.pack(_LOAD, _READ_EXECUTE, 0, _BASE, _BASE, size, size, _PAGE)
    stack = _PROGRAM_HEADER.pack(_STACK, _READ_WRITE, 0, 0, 0, 0, 0, 16)  # not executable
    return header + text + stack + _CODE + _ACTION
