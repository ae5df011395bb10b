"""Process 1 of a cell: builds the cell's walls around itself, lets guests in, and tells how they end.

It is the server's hand inside and runs nobody else's code. With the server it speaks packets, the first byte of which
says what they are. In: `T` tenancy, `E` the first guest's program, `S` start another guest, `K` signal one, `C` a
socket of the cell's network, `B` make room for a branch, `U` clear it, `R` have the first guest fork into it. Out: `M`
made, `X` a guest has ended, `C` the socket, `B` how the room is, `R` the fork is there, `F` why the cell cannot be. It
ends when the server's end of the socket is closed, and the kernel then ends every process of the cell.
"""

# mypy: ignore-errors
# ruff: noqa: S108 the cell's own /tmp

import _signal
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import traceback

import branches
import calls
import guest

PACKET = 1 << 18
DESCRIPTORS = 16
RUNTIME_API = ("127.0.0.1", 9001)
ENDPOINT = ("127.0.0.1", 4566)
NAME_SERVER = ("127.0.0.1", 53)
SIGNAL_RECORD = 128
WALLS = calls.CLONE_NEWNS | calls.CLONE_NEWNET | calls.CLONE_NEWIPC | calls.CLONE_NEWUTS | calls.CLONE_NEWCGROUP
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
FIRST = 0
"""The slot of the first guest; others are numbered by the server."""

# To signal guests, to put on their user, to open the files of whoever owns the packages, and to mount.
CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN = 2, 5, 6, 7, 21
CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SYS_PTRACE = 0, 1, 3, 4, 19
"""Where the first guest is forked: to lay the forks' files over those of INIT, and to see in /proc what was forked."""


def live(plan, identity, control, groups):
    """Be process 1 until the server is gone. Returns in the first guest only, with what that is to run."""
    server = socket.socket(fileno=control)
    try:
        program = Init(plan, identity, server).live(groups)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the server is gone, or has thought better of it
    except OSError as error:
        with contextlib.suppress(OSError):  # nobody waits for it any more
            server.send(b"F" + str(error).encode())
        os._exit(1)
    except BaseException:
        traceback.print_exc()  # to the server's own standard error
        os._exit(1)
    return program


class Init:
    """The state of process 1."""

    def __init__(self, plan, identity, server):
        self.plan = plan
        self.identity = identity
        self.server = server
        self.guests = {}
        self.poll = select.poll()
        self.branches = branches.Branches(plan, server, self.guests, self.poll)
        self.home = None
        self.ready = None

    def live(self, groups):
        """Build the walls, fork the first guest, serve."""
        calls.die_with_parent(_signal.SIGKILL)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # the zygote has it blocked already
        self.signals = calls.open_signal(_signal.SIGCHLD)
        join(groups)
        calls.unshare(WALLS)
        self._mount()
        sockets = self._network()
        calls.be_inspectable(False)
        program = self._first_guest(sockets)
        if program is None:
            self._serve()
        return program

    def _mount(self):
        for kind, target, data in self.plan.mounts:
            calls.mount(kind, target, kind, calls.MS_NOSUID | calls.MS_NODEV, data)
        calls.name_host(self.plan.host)

    def _network(self):
        """Bring the loopback device up, and listen there for the server."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as device:
            fcntl.ioctl(device, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        sockets = [branches.listener(RUNTIME_API), branches.listener(ENDPOINT)]
        if self.plan.notify is not None:
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            datagrams.bind(NAME_SERVER)
            sockets += [datagrams, branches.listener(NAME_SERVER)]
        return sockets

    def _first_guest(self, sockets):
        """Fork it, wait until it has given up what it may not have, and hand the server its ends of everything."""
        seat = guest.Seat()
        self.ready, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        notifications = [] if self.plan.notify is None else [self.plan.notify.listen()]
        process = os.fork()
        if process == 0:
            for each in (self.server, self.ready, *sockets):
                each.detach()  # closed with all the others; were it closed later, its number may be another's
            return guest.take(self.plan, self.identity, seat, theirs.detach())
        theirs.close()
        seat.leave()
        if not self.ready.recv(1):
            raise OSError("the first guest of a cell has died")
        self.guests[process] = FIRST
        self._hand_over(process, seat, sockets, notifications)
        return None

    def _hand_over(self, process, seat, sockets, notifications):
        if self.plan.nested:
            self.home = os.open("/proc/%d/ns/user" % process, os.O_RDONLY | os.O_CLOEXEC)
        status = os.open("/proc/%d/status" % process, os.O_RDONLY | os.O_CLOEXEC)
        itself = calls.open_process(os.getpid())
        descriptors = [itself, status, seat.channel, seat.output, seat.frames]
        descriptors += [each.detach() for each in sockets] + notifications
        socket.send_fds(self.server, [b"M"], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        kept = (CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN)
        if self.plan.branches:
            kept += (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SYS_PTRACE)
        calls.keep_capabilities(*kept)

    def _serve(self):
        self.poll.register(self.server, select.POLLIN)
        self.poll.register(self.signals, select.POLLIN)
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == self.signals:
                    os.read(self.signals, SIGNAL_RECORD)
                    self._reap()
                elif self.branches.expects(descriptor):
                    self.branches.hear(descriptor)
                else:
                    self._obey()

    def _reap(self):
        """Take leave of every process that has ended; orphans come here, too."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            slot = self.guests.pop(process, None)
            if slot is not None:
                self.branches.left(slot, os.waitstatus_to_exitcode(status))

    def _obey(self):
        packet, descriptors, _, _ = socket.recv_fds(self.server, PACKET, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            os._exit(0)
        kind, body = packet[:1], packet[1:]
        if kind == b"T":
            self._furnish(guest.read(body))
        elif kind == b"E":
            self._enter(body)
        elif kind == b"S":
            self._start(guest.read(body), descriptors[0])
        elif kind == b"K":
            self._signal(*guest.read(body))
        elif kind == b"C":
            self._connector()
        else:
            self._branch(kind, guest.read(body), descriptors)

    def _furnish(self, tenancy):
        """Show what belongs to who moves in, and hide where it was."""
        code = self.plan.code
        calls.show(code + "/" + tenancy["task"], self.plan.task)
        layers = [code + "/" + layer for layer in tenancy["layers"]]
        if len(layers) == 1:
            calls.show(layers[0], self.plan.opt)
        elif layers:
            flags = calls.MS_RDONLY | calls.MS_NOSUID | calls.MS_NODEV
            data = "lowerdir=" + ":".join(reversed(layers))  # the first of an overlay is the one on top
            calls.mount("overlay", self.plan.opt, "overlay", flags, data)
        calls.mount(None, "/tmp", None, calls.MS_REMOUNT | calls.MS_NOSUID | calls.MS_NODEV, tenancy["temporary"])
        calls.detach(self.plan.hidden)

    def _enter(self, program):
        """Hand the program over as it is."""
        with contextlib.suppress(OSError):  # the guest may be gone, which is told like every end
            self.ready.send(program)
        if self.plan.branches:
            self.ready.setblocking(False)
            self.branches.orders = self.ready
        else:
            self.ready.close()

    def _branch(self, kind, order, descriptors):
        if kind == b"B":
            self.branches.lay(order)
        elif kind == b"R":
            self.branches.fork(order, descriptors)
        else:
            self.branches.clear(order)

    def _start(self, order, output):
        process = os.fork()
        if process == 0:
            guest.start(self.plan, self.identity, self.home, order["program"], output)
        self.guests[process] = order["slot"]
        os.close(output)

    def _signal(self, slot, number):
        for process, place in self.guests.items():
            if place == slot:
                # Who is killed takes along what they have started; a request to end is theirs alone.
                (os.killpg if number == signal.SIGKILL else os.kill)(process, number)
                if number == signal.SIGKILL:
                    self.branches.kill(slot, process)

    def _connector(self):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as fresh:
            socket.send_fds(self.server, [b"C"], [fresh.fileno()])


def join(groups):
    """Become a member of the control groups whose files these are."""
    for group in groups:
        os.write(group, b"0")
        os.close(group)
