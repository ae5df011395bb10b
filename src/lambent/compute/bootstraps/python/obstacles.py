"""What forks made at the end of INIT would lack, or share by accident: where there is any, there is no snapshot."""

# mypy: ignore-errors

import os
import signal
import time

GLANCES, GLANCE_S = 10, 0.01
KEPT = "at the end of INIT"
TIMERS = signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF
SYSTEM_V = (("shm", "shared memory"), ("sem", "semaphores"), ("msg", "message queues"))


class Obstacle(Exception):
    """Why there can be no snapshot, in words for the function's log."""


def left_open(text):
    """The Obstacle that such a thing is open."""
    return Obstacle("%s is open %s" % (text, KEPT))


def look():
    """Raise Obstacle for whatever is no descriptor: those are another matter."""
    threads = _threads()
    if threads > 1:
        raise Obstacle("%d threads run %s" % (threads, KEPT))
    if _children() or _others():
        raise Obstacle("processes run " + KEPT)
    for mapped in _shared_memory():
        raise Obstacle("memory is shared %s: %s" % (KEPT, mapped))
    for kind in _system_v():
        raise Obstacle("%s of System V are there %s" % (kind, KEPT))
    if any(signal.getitimer(each)[0] for each in TIMERS):
        raise Obstacle("an alarm is set " + KEPT)


def _threads():
    """How many the kernel knows. One that a hook has joined may be a moment from its end, of which nobody is told."""
    for _ in range(GLANCES):
        threads = len(os.listdir("/proc/self/task"))
        if threads == 1:
            break
        time.sleep(GLANCE_S)
    return threads


def _children():
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _others():
    """Those who have lost their parent are the children of process 1 and live on."""
    return {name for name in os.listdir("/proc") if name.isdigit()} - {"1", str(os.getpid())}


def _shared_memory():
    """What memory is written to by all forks: the rest is copied as soon as somebody writes."""
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if b"w" in fields[1] and fields[1].endswith(b"s"):
                yield os.fsdecode(fields[5].rstrip()) if len(fields) > 5 else "nameless"


def _system_v():
    """Which kinds of objects there are in the cell: below a header they have one line each. A kernel that does not know
    them has no such folder."""
    for name, kind in SYSTEM_V if os.path.isdir("/proc/sysvipc") else ():
        with open("/proc/sysvipc/" + name, "rb") as objects:
            if len(objects.readlines()) > 1:
                yield kind
