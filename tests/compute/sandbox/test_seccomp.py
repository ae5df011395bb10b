"""The filter of system calls: installed for real in a child, and read as the kernel reads it for the other machine."""

from __future__ import annotations

import errno
import os
import platform
import struct
import subprocess
import sys
from typing import Any

import pytest

from lambent.compute.sandbox.seccomp import REFUSED, filters

ALLOWED = 0
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEW_NAMESPACES = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
CLONE_PARENT = 0x8000
CLONES = [*NEW_NAMESPACES, CLONE_PARENT]
"""Flags that no guest gives."""

INSTALL = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
assert libc.prctl(38, 1, 0, 0, 0) == 0
for steps in [bytes.fromhex(text) for text in sys.argv[1].split(",")]:
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = Program(len(steps) // 8, ctypes.addressof(buffer))
    assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
"""

ORDINARY = """
import asyncio, mmap, multiprocessing, os, socket, sqlite3, ssl, subprocess, threading
thread = threading.Thread(target=lambda: None)
thread.start(), thread.join()
assert subprocess.run(["true"]).returncode == 0 and os.system("true") == 0
os.waitpid(os.posix_spawnp("true", ["true"], {}), 0)
async def main():
    return await (await asyncio.create_subprocess_exec("true")).wait()
assert asyncio.run(main()) == 0
sqlite3.connect(":memory:").execute("select 1")
ssl.create_default_context()
mmap.mmap(-1, 1 << 20)
with multiprocessing.Pool(2) as pool:
    assert pool.map(abs, [-1]) == [1]
socket.if_nameindex(), socket.getaddrinfo("localhost", 80), socket.socketpair()
os.sync(), os.memfd_create("a"), os.mkfifo(f"/tmp/fifo-{os.getpid()}"), os.unlink(f"/tmp/fifo-{os.getpid()}")
print("fine")
"""

FORBIDDEN = """
import errno, fcntl, socket
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(number, *map(ctypes.c_long, arguments))
    return ctypes.get_errno()
def refusal(*arguments):
    try:
        socket.socket(*arguments).close()
    except OSError as error:
        return error.errno
numbers = list(map(int, sys.argv[2].split(",")))
print([call(number, 0, 0, 0, 0, 0, 0) for number in numbers])
print([refusal(family, kind) for family, kind in [(16, 3), (1, 1), (2, 1), (10, 2)]])
print([refusal(16, 3, 15), refusal(17, 3), refusal(38, 5), refusal(40, 1)])
print([call(int(sys.argv[3]), flag | 17, 0, 0, 0, 0) for flag in map(int, sys.argv[4].split(","))])
print(call(2000), call(0x40000027))
"""


def run(program: str, *arguments: str) -> str:
    """Run a Python program after the filter is in force; returns what it printed."""
    command = [sys.executable, "-I", "-c", INSTALL + program, ",".join(part.hex() for part in filters()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the programs answer to a call: 0 to let it go on, or an error number; run as the kernel runs them."""
    data = struct.pack("=iIQ6Q", number, architecture or MACHINES[machine], 0, *(arguments + (0,) * 6)[:6])
    found = [_interpreted(program, data) for program in filters(machine)]
    refusals = [action & 0xFFFF for action in found if action & 0xFFFF0000 == 0x00050000]
    return refusals[0] if refusals else ALLOWED


def _interpreted(program: bytes, data: bytes) -> int:
    steps = list(struct.iter_unpack("=HBBI", program))
    accumulator, position = 0, 0
    while True:
        operation, if_true, if_false, operand = steps[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x06:
            return int(operand)
        else:
            position += if_true if _holds(operation, accumulator, operand) else if_false


def _holds(operation: int, accumulator: int, operand: int) -> bool:
    return {0x15: accumulator == operand, 0x25: accumulator > operand, 0x45: accumulator & operand != 0}[operation]


NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "clone": 56,
        "clone3": 435,
        "socket": 41,
        "socketpair": 53,
        "ioctl": 16,
        "personality": 135,
        "sync": 162,
    },
    "aarch64": {
        "clone": 220,
        "clone3": 435,
        "socket": 198,
        "socketpair": 199,
        "ioctl": 29,
        "personality": 92,
        "sync": 81,
    },
}
here = pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")


@here
def test_ordinary_programs_do_not_notice_it() -> None:
    assert run(ORDINARY) == "fine\n"


@here
def test_the_kernel_refuses_what_is_named() -> None:
    column = list(MACHINES).index(platform.machine())
    numbers = [row[column] for row in REFUSED.values() if row[column] is not None]
    clone = NUMBERS[platform.machine()]["clone"]
    printed = run(
        FORBIDDEN, ",".join(map(str, numbers)), str(clone), ",".join(str(flag) for flag in CLONES)
    ).splitlines()
    assert printed[0] == str([errno.EPERM] * len(numbers))
    assert printed[1] == str([None] * 4)
    assert printed[2] == str([errno.EAFNOSUPPORT] * 4)
    assert printed[3] == str([errno.EPERM] * len(CLONES))
    assert printed[4] == f"{errno.ENOSYS} {errno.ENOSYS}"


@here
def test_no_new_user_namespace_by_the_usual_tool() -> None:
    program = "import subprocess; print(subprocess.run(['unshare', '-Ur', 'true'], stderr=-3).returncode)"
    assert run(program) == "1\n"


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_every_named_call_is_refused_and_every_other_goes_on(machine: str) -> None:
    column = list(MACHINES).index(machine)
    refused = {row[column] for row in REFUSED.values()} - {None}
    special = set(NUMBERS[machine].values()) | {306 if machine == "x86_64" else 267}
    assert refused.isdisjoint(special)
    for number in set(range(467)) - special:
        assert answer(machine, number) == (errno.EPERM if number in refused else ALLOWED), number
    assert {answer(machine, number) for number in (467, 1000, 0x40000000, 0x40000065, 0xFFFFFFF)} == {errno.ENOSYS}


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_calls_of_other_machines_do_not_exist(machine: str) -> None:
    for architecture in {0x40000003, 0x40000028, *MACHINES.values()} - {MACHINES[machine]}:
        assert answer(machine, 1, architecture=architecture) == errno.ENOSYS


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_new_processes_and_threads_but_no_new_namespaces(machine: str) -> None:
    clone = NUMBERS[machine]["clone"]
    assert answer(machine, clone, 17) == ALLOWED
    assert answer(machine, clone, 0x3D0F00) == ALLOWED, "a thread"
    assert {answer(machine, clone, flag | 17) for flag in CLONES} == {errno.EPERM}
    assert answer(machine, NUMBERS[machine]["clone3"]) == errno.ENOSYS


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_only_local_and_internet_sockets(machine: str) -> None:
    for call in ("socket", "socketpair"):
        number = NUMBERS[machine][call]
        allowed = {family for family in range(64) if answer(machine, number, family, 1, 0) == ALLOWED}
        assert allowed == {1, 2, 10, 16}
        assert {answer(machine, number, 16, 3, protocol) for protocol in range(1, 32)} == {errno.EAFNOSUPPORT}


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_no_typing_into_terminals(machine: str) -> None:
    number = NUMBERS[machine]["ioctl"]
    assert [answer(machine, number, 0, command) for command in (0x5412, 0x541C)] == [errno.EPERM] * 2
    assert answer(machine, number, 0, 0xFFFFFFFF_00005412) == errno.EPERM, "the upper half is not looked at"
    assert {answer(machine, number, 0, command) for command in (0x5401, 0x5413, 0x541B)} == {ALLOWED}


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_only_harmless_personalities(machine: str) -> None:
    number = NUMBERS[machine]["personality"]
    assert {answer(machine, number, value) for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)} == {ALLOWED}
    assert answer(machine, number, 0x0040000) == errno.EPERM, "no address space without random places"


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_the_disks_of_the_host_are_not_made_busy(machine: str) -> None:
    (program,) = filters(machine)
    data: Any = struct.pack("=iIQ6Q", NUMBERS[machine]["sync"], MACHINES[machine], 0, *[0] * 6)
    assert _interpreted(program, data) == 0x00050000


def test_a_machine_without_a_table_is_told() -> None:
    with pytest.raises(OSError, match="riscv64"):
        filters("riscv64")


def test_it_is_assembled_once() -> None:
    assert filters() is filters(os.uname().machine) or filters() == filters(os.uname().machine)
    assert filters() is filters()
