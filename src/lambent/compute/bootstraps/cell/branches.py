"""Branches of a cell, as process 1 sees them: forks of the first guest, each with a root of its own.

Such a root is the cell's, bound once more, with another /tmp and /dev/shm. The first guest, which has parked, forks as
it is told (see `parking.py`). A fork says hello on a socket that is its own, by which the kernel names it; it goes on
when it has been put into its control groups.
"""

# mypy: ignore-errors
# ruff: noqa: S103, S108 the branch's own /tmp

import contextlib
import json
import os
import select
import signal
import socket
import struct

import calls

RUNTIME_API_PORT = 9001
BACKLOG = 128
CREDENTIALS = struct.Struct("iII")


class Branches:
    """`guests` are the processes of the cell and their slots; `poll` is told what is waited for. With the server it
    speaks of branches by number until somebody has entered, and of their guests by slot."""

    def __init__(self, plan, server, guests, poll):
        self.folder = plan.branches
        self.own_attributes = ",userxattr" if plan.nested else ""
        self.server = server
        self.guests = guests
        self.poll = poll
        self.orders = None
        self._coming = {}
        self._roots = {}
        self._mounted = False

    def lay(self, order):
        """Make a root, and a socket that listens at the address of the branch's Runtime API."""
        number = order["number"]
        try:
            self._mount(self._root(number), order)
            api = listener((order["address"], RUNTIME_API_PORT))
        except OSError as error:
            self.clear(number)
            self.server.send(b"B" + json.dumps([number, str(error)]).encode())
            return
        socket.send_fds(self.server, [b"B" + json.dumps([number, ""]).encode()], [api.fileno()])
        api.close()

    def clear(self, number):
        """Take a root away. What still runs in it keeps it until it ends."""
        with contextlib.suppress(OSError):  # it may never have been mounted
            calls.detach(self._root(number))
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(self._root(number))

    def fork(self, order, descriptors):
        """Have the first guest fork for a slot. The descriptors are the guest's channel, output and frames, and the
        files of its control groups."""
        slot = order["slot"]
        self._roots[slot] = order["number"]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        message = {"root": self._root(order["number"]), "variables": order["variables"]}
        self._coming[ours.fileno()] = (slot, ours, descriptors[3:])
        self.poll.register(ours, select.POLLIN)
        with contextlib.suppress(OSError):  # where nobody takes it, nobody says hello
            socket.send_fds(self.orders, [json.dumps(message).encode()], [theirs.fileno(), *descriptors[:3]])
        for each in (theirs.detach(), *descriptors[:3]):
            os.close(each)

    def hear(self, descriptor):
        """A fork has said hello, or will never."""
        slot, ours, groups = self._coming.pop(descriptor)
        self.poll.unregister(ours)
        with ours:
            process = None
            try:
                process = _greeting(ours)
                self._settle(process, slot, groups)
                ours.send(b"1")
            except OSError:
                self.guests.pop(process, None)
                self.left(slot)
                self.server.send(b"X" + json.dumps([slot, -signal.SIGKILL]).encode())
        for group in groups:
            os.close(group)

    def left(self, slot):
        """The guest in `slot` has ended."""
        if slot in self._roots:
            self.clear(self._roots.pop(slot))

    def kill(self, slot, process):
        """End the guest in `slot` and all that has stayed in its session."""
        if slot in self._roots:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)

    def _settle(self, process, slot, groups):
        """Put the process into its control groups, and hand the server the means to measure it."""
        for group in groups:
            os.write(group, b"%d" % process)
        status = os.open("/proc/%d/status" % process, os.O_RDONLY | os.O_CLOEXEC)
        self.guests[process] = slot
        socket.send_fds(self.server, [b"R" + json.dumps(slot).encode()], [status])
        os.close(status)

    def _mount(self, root, order):
        if not self._mounted:
            calls.mount("lambent", self.folder, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, order["folder"])
            calls.mount(None, self.folder, flags=calls.MS_UNBINDABLE)  # no branch is to see another's root
            self._mounted = True
        os.mkdir(root, 0o755)
        calls.mount("/", root, flags=calls.MS_BIND | calls.MS_REC)
        for place in ("/tmp", "/dev/shm"):
            _renew(place, root + place, order[place], self.own_attributes)

    def _root(self, number):
        return "%s/%d" % (self.folder, number)


def _renew(original, target, options, own_attributes):
    """Mount a file system of the branch's own, in which what INIT has left there is found."""
    flags = calls.MS_NOSUID | calls.MS_NODEV
    calls.mount("lambent", target, "tmpfs", flags, options)
    if os.listdir(original):
        upper, work = target + "/upper", target + "/work"
        for each in (upper, work):
            os.mkdir(each)
        os.chmod(upper, 0o1777)
        data = "lowerdir=%s,upperdir=%s,workdir=%s%s" % (original, upper, work, own_attributes)
        calls.mount("overlay", target, "overlay", flags, data)


def _greeting(hello):
    """The process that has said hello, by the kernel's word. Raises OSError where there is none."""
    packet, extra, _, _ = hello.recvmsg(1, socket.CMSG_SPACE(CREDENTIALS.size))
    for level, kind, data in extra if packet else ():
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return CREDENTIALS.unpack_from(data)[0]
    raise ProcessLookupError("nobody has said hello")


def listener(address):
    """A socket that listens there, and does not block."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    made.bind(address)
    made.listen(BACKLOG)
    return made
