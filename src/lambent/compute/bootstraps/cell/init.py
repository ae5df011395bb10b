"""Process 1 of a cell: builds the cell's walls around itself, lets guests in, and tells how they end.

It is the server's hand inside and runs nobody else's code. With the server it speaks packets, the first byte of which
says what they are. In: `V` file systems, `T` tenancy, `E` the first guest's program, `S` start another guest, `K`
signal one, `C` a socket of the cell's network, `B` make room for a branch, `U` clear it, `R` have the first guest fork
into it. Out: `M` made, `X` a guest has ended, `C` the socket, `B` how the room is, `R` the fork is there, `F` why the
cell cannot be. It ends when the server's end of the socket is closed, and the kernel then ends every process of the
cell.
"""

# mypy: ignore-errors

import _signal
import _socket
import fcntl
import json
import os
import select
import socket
import struct
import traceback

import branches
import calls
import guest
import packets
import volumes

RUNTIME_API = ("127.0.0.1", 9001)
ENDPOINT = ("127.0.0.1", 4566)
NAME_SERVER = ("127.0.0.1", 53)
SIGNAL_RECORD = 128
WALLS = calls.CLONE_NEWNS | calls.CLONE_NEWNET | calls.CLONE_NEWIPC | calls.CLONE_NEWUTS | calls.CLONE_NEWCGROUP
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
LOOPBACK_UP = struct.pack("16sH14x", b"lo", IFF_UP)
BACKLOG = 128
FIRST = 0
"""The slot of the first guest; others are numbered by the server."""

# To signal guests, to put on their user, to open the files of whoever owns the packages, and to mount.
CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN = 2, 5, 6, 7, 21
CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SYS_PTRACE = 0, 1, 3, 4, 19
KEPT = (CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN)
KEPT_FOR_BRANCHES = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SYS_PTRACE)
"""Where the first guest is forked: to lay the forks' files over those of INIT, and to see in /proc what was forked."""


def live(init, number, identity, control):
    """Be process 1 until the server is gone. Returns in the first guest only, with what that is to run."""
    try:
        program = init.live(number, identity, control)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the server is gone, or has thought better of it
    except OSError as error:
        packets.say(control, b"F" + str(error).encode())
        os._exit(1)
    except BaseException:
        traceback.print_exc()  # to the server's own standard error
        os._exit(1)
    return program


class Init:
    """The state of process 1. It is made in the zygote, and lives in the forks."""

    def __init__(self, plan):
        self.plan = plan
        self.guests = {}
        self.poll = select.poll()
        self.signals = calls.open_signal(_signal.SIGCHLD)  # of whoever reads it
        self.poll.register(self.signals, select.POLLIN)
        self.kept = calls.Capabilities(*(KEPT + KEPT_FOR_BRANCHES if plan.branches else KEPT))
        self.server = self.identity = self.branches = self.home = self.ready = None

    def live(self, number, identity, control):
        """Build the walls, fork the first guest, serve."""
        calls.die_with_parent(_signal.SIGKILL)
        self.identity = identity
        join(self.plan, number)
        calls.unshare(WALLS)
        furnish_privately(self.plan)
        sockets = network(self.plan)
        calls.be_inspectable(False)
        program = self._first_guest(control, sockets)
        if program is None:
            self._serve(control)
        return program

    def _first_guest(self, control, sockets):
        """Fork it, wait until it has given up what it may not have, and hand the server its ends of everything."""
        seat = guest.Seat()
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self.ready, start = ours.detach(), theirs.detach()
        notifications = [] if self.plan.notify is None else [self.plan.notify.listen()]
        process = os.fork()
        if process == 0:
            return guest.take(self.plan, self.identity, seat, start)
        os.close(start)
        seat.leave()
        if not os.read(self.ready, 1):
            raise OSError("the first guest of a cell has died")
        self.guests[process] = FIRST
        self.server = _socket.socket(fileno=control)
        self._hand_over(process, seat, sockets + notifications)
        return None

    def _hand_over(self, process, seat, walls):
        if self.plan.nested:
            self.home = os.open("/proc/%d/ns/user" % process, os.O_RDONLY | os.O_CLOEXEC)
        status = os.open("/proc/%d/status" % process, os.O_RDONLY | os.O_CLOEXEC)
        itself = os.pidfd_open(os.getpid())
        descriptors = (itself, status, seat.channel, seat.output, seat.frames, *walls)
        packets.send(self.server, b"M", descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.kept.keep()

    def _serve(self, control):
        self.poll.register(control, select.POLLIN)
        if self.plan.branches:
            self.branches = branches.Branches(self.plan, socket.socket(fileno=control), self.guests, self.poll)
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == self.signals:
                    os.read(self.signals, SIGNAL_RECORD)
                    self._reap()
                elif descriptor == control:
                    self._obey()
                else:
                    self.branches.hear(descriptor)

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
                self._left(slot, os.waitstatus_to_exitcode(status))

    def _left(self, slot, status):
        """The guest in `slot` has ended."""
        if self.branches is not None:
            self.branches.left(slot)
        self.server.send(b"X" + json.dumps([slot, status]).encode())

    def _obey(self):
        packet, descriptors = packets.receive(self.server)
        if not packet:
            os._exit(0)
        kind, body = packet[:1], packet[1:]
        if kind == b"V":
            volumes.show(self.plan, self.identity, body.split(b"\0"))
        elif kind == b"T":
            furnish(self.plan, *body.split(b"\0"))
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

    def _enter(self, program):
        """Hand the program over as it is."""
        packets.say(self.ready, program)  # the guest may be gone, which is told like every end
        if self.plan.branches:
            self.branches.orders = socket.socket(fileno=self.ready)
            self.branches.orders.setblocking(False)
        else:
            os.close(self.ready)

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
                (os.killpg if number == _signal.SIGKILL else os.kill)(process, number)
                if number == _signal.SIGKILL and self.branches is not None:
                    self.branches.kill(slot, process)

    def _connector(self):
        fresh = stream().detach()
        packets.send(self.server, b"C", (fresh,))
        os.close(fresh)


def furnish_privately(plan):
    """Mount what every cell has for itself."""
    for kind, target, data in plan.mounts:
        calls.mount(kind, target, kind, calls.MS_NOSUID | calls.MS_NODEV, data)
    _socket.sethostname(plan.host)


def network(plan):
    """Bring the loopback device up, and listen there for the server: the descriptors."""
    first = stream()
    fcntl.ioctl(first.fileno(), SIOCSIFFLAGS, LOOPBACK_UP)
    sockets = [listening(first, RUNTIME_API), listening(stream(), ENDPOINT)]
    if plan.notify is not None:
        datagrams = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK)
        datagrams.bind(NAME_SERVER)
        sockets += [datagrams.detach(), listening(stream(), NAME_SERVER)]
    return sockets


def furnish(plan, temporary, task, *layers):
    """Show what belongs to who moves in, and hide where it was."""
    flags = calls.MS_NOSUID | calls.MS_NODEV
    code = plan.code
    calls.show(code + task, plan.task)
    if len(layers) == 1:
        calls.show(code + layers[0], plan.opt)
    elif layers:
        # The first of an overlay is the one on top.
        data = b"lowerdir=" + b":".join(code + layer for layer in reversed(layers))
        calls.mount(b"overlay", plan.opt, b"overlay", calls.MS_RDONLY | flags, data)
    calls.mount(None, b"/tmp", None, calls.MS_REMOUNT | flags, temporary)
    calls.detach(plan.hidden)


def stream():
    """A socket for TCP that does not block."""
    return _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK)


def listening(made, address):
    """Have a socket listen there: its descriptor."""
    made.bind(address)
    made.listen(BACKLOG)
    return made.detach()


def join(plan, number):
    """Make the control groups of the cell of that number, and become a member of them. A group that holds it for its
    processes is told how many before there are any."""
    name = plan.group_name % number
    for folder, pids in plan.groups:
        os.mkdir(name, 0o755, dir_fd=folder)
        if pids:
            put(folder, name + "/pids.max", pids)
        put(folder, name + "/cgroup.procs", b"0")
        os.close(folder)


def put(folder, path, text):
    """Write to a file below a folder."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    os.write(descriptor, text)
    os.close(descriptor)
