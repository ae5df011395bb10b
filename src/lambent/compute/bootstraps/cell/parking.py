"""Where the first guest of a snapshot waits after INIT, and how it forks: see `branches.py` for the other side."""

# mypy: ignore-errors

import contextlib
import fcntl
import json
import os
import socket

import calls

PACKET = 1 << 18
DESCRIPTORS = 4
CLEAR_OF_GUESTS = 64


class Parking:
    """`orders` is the end of a socket that process 1 tells it on. What it needs is taken hold of before a function may
    have replaced it."""

    def __init__(self, task, orders, fork=os.fork):
        self._task = task
        self._orders = orders
        self._fork = fork

    @property
    def descriptor(self):
        """By which it is told."""
        return self._orders.fileno()

    def wait(self):
        """Fork as ordered, until there is nobody any more who orders. Returns in the forks only."""
        while True:
            packet, descriptors, _, _ = socket.recv_fds(self._orders, PACKET, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            if not packet:
                os._exit(0)
            if self._forked():
                self._arrive(json.loads(packet), *descriptors)
                return
            for each in descriptors:
                os.close(each)

    def _forked(self):
        """Fork twice, so that the new process is the child of process 1, which tells its end. What is registered to
        happen at forks happens once."""
        between = calls.fork()
        if between == 0:
            if self._fork():
                os._exit(0)
            return True
        with contextlib.suppress(ChildProcessError):  # the function may have its children reaped by the kernel
            os.waitpid(between, 0)
        return False

    def _arrive(self, order, hello, channel, output, frames):
        """Take the branch's place: its control groups, its root, its descriptors, its variables."""
        os.setsid()
        self._orders.close()
        with socket.socket(fileno=hello) as door:
            door.send(b"1")
            if not door.recv(1):
                os._exit(0)
        folder = os.getcwd()
        os.chroot(order["root"])
        calls.NO_CAPABILITIES.keep()
        os.chdir(folder if os.path.isdir(folder) else self._task)
        given = (output, output, channel, frames)
        moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, CLEAR_OF_GUESTS) for each in given]
        for number, source in enumerate(moved, 1):
            os.dup2(source, number, inheritable=number <= 2)
        for each in (*moved, channel, output, frames):
            if each > len(moved):
                os.close(each)
        os.environ.update(order["variables"])
