"""Reaching for other processes, and for a life after one's own."""

# ruff: noqa: PTH115, PTH123, PTH208 what is probed are the system's own calls

import ctypes
import os
import signal
import subprocess
import sys

from attempts import AARCH64, call, outcome, read


def status(process="self"):
    """The lines of /proc/<process>/status, by name."""
    with open(f"/proc/{process}/status") as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def processes():
    """What can be read of every process that can be seen, by its number."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            files = ("cmdline", "environ", "maps", "mem", "stat")
            found[name] = read([f"/proc/{name}/{file}" for file in files])
            for link in ("cwd", "root", "exe"):
                path = f"/proc/{name}/{link}"
                found[name][path] = outcome(lambda path=path: os.readlink(path))
    return {"own": str(os.getpid()), "found": found}


def signals(numbers, number=9):
    """What becomes of sending a signal to processes by their numbers."""
    return {str(process): outcome(lambda process=process: os.kill(process, number)) for process in numbers}


def variables():
    """The variables that this process has."""
    return dict(os.environ)


def signal_everybody():
    """SIGKILL to every process that may be reached, in a child, and whether this one is still there to tell."""
    child = os.fork()
    if child == 0:
        for number in range(1, 1 << 16):
            if number not in (os.getpid(), os.getppid()):
                outcome(lambda number=number: os.kill(number, signal.SIGKILL))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def trace(process):
    """Attach to a process, and look at its memory."""
    attach = 117 if AARCH64 else 101
    peek = 270 if AARCH64 else 310
    vector = (ctypes.c_ulong * 2)()
    return [call(attach, 16, process, 0, 0), call(peek, process, vector, 1, vector, 1, 0)]


def descriptors():
    """The open descriptors and what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            continue
    return found


def stay(token):
    """Leave a process behind that has nothing to do with this one any more, and never ends by itself."""
    program = "import os, signal\nos.setsid()\nif os.fork(): os._exit(0)\n"
    program += "for each in range(1, 32):\n  each in (9, 19) or signal.signal(each, signal.SIG_IGN)\n"
    program += "while True: [None for _ in range(100000)]\n"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", program, token], stdin=subprocess.DEVNULL)
    return child.wait(timeout=20)
