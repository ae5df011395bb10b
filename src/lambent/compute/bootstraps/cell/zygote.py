"""The zygote of an image: an interpreter with everything imported that its cells have in common, which forks them.

It runs inside the image's root, has a single thread, and listens on descriptor 3. The first packet is the plan that all
its cells share, as JSON, with the folders in which they make their control groups. Every other begins with a byte that
says what it is. In: `F` fork a cell: its number and those of its user and group, four bytes each, with the cell's own
control socket; `C` a socket of a lone cell's network: its number, with a descriptor of its guest. Out: `X` the guest of
a lone cell has ended, `C` the socket. How other cells fare is seen by whoever made their control socket. It ends when
its own control socket does, and takes the cells along.

Whatever it touches between two forks is copied for it, and stays with the cell that was forked before. So its loop does
little, and process 1 is made ready here, as far as it is the same in every cell.
"""

# mypy: ignore-errors

import sys

BORN_WITH = frozenset(sys.modules)

import _socket  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import struct  # noqa: E402
from importlib import import_module  # noqa: E402

import calls  # noqa: E402
import guest  # noqa: E402
import init  # noqa: E402
import lone  # noqa: E402
import packets  # noqa: E402
import rehearsal  # noqa: E402

CONTROL = 3
ORDER = struct.Struct("=III")
"""How an order for a cell says its number, its user and its group."""
EXIT = struct.Struct("=Ii")
"""How the end of a guest is told: the number of its cell, and its status."""
ORDER_BYTES = 1 + ORDER.size


class Zygote:
    """Reads orders and forks. Returns only in the first guest of a cell, with what that is to run."""

    def __init__(self):
        os.set_inheritable(CONTROL, False)
        self.control = _socket.socket(fileno=CONTROL)
        packet, folders = packets.receive(self.control)
        if not packet:
            os._exit(0)  # the server is gone
        self.plan = guest.Plan(json.loads(packet), BORN_WITH, folders)
        self.init = init.Init(self.plan)
        self._home = os.open(self.plan.processes + "/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._guests = {}
        self._poll = select.poll()
        self._poll.register(CONTROL, select.POLLIN)
        self._poll.register(self.init.signals, select.POLLIN)
        self.lone = lone.Lone(self.plan) if self.plan.sleeper else None

    def settle(self):
        """Import what the image holds, and leave its memory alone from here on."""
        sys.path.append(self.plan.runtime)
        for name in self.plan.preloaded:
            import_module(name)
        sys.path.pop()
        self.plan.remember_imports()
        calls.bound_capabilities()
        if self.lone:
            self._lay_down_sleeper()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        calls.hear_of_ends_only(signal.SIGCHLD)  # a guest could have itself stopped all the time
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))  # for who reads it: here, and in process 1
        rehearsal.rehearse(self.plan)
        gc.collect()
        self._taken = rehearsal.fill()
        gc.freeze()

    def _lay_down_sleeper(self):
        """Write the program of process 1, and take hold of what it sleeps on: its end is at hand for it alone."""
        self._sleeper = self.plan.hidden + "/first"
        with open(self._sleeper, "wb") as file:
            file.write(self.plan.sleeper)
        os.chmod(self._sleeper, 0o500)
        self._life, self._held = os.pipe()
        self._actions = ((os.POSIX_SPAWN_DUP2, self._life, 0),)

    def run(self):
        """Make cells until the server is gone."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == CONTROL:
                    program = self._obey(*self._order())
                    if program is not None:
                        return program
                else:
                    os.read(descriptor, init.SIGNAL_RECORD)
                    self._reap()

    def _order(self):
        """The next order and its descriptors; empty ones where the server is gone, whatever it has left unread."""
        try:
            return packets.receive(self.control, ORDER_BYTES)
        except ConnectionResetError:
            return b"", ()

    def _obey(self, order, descriptors):
        """Do as the server says. Returns in a first guest only, with what that is to run."""
        if not order:
            os._exit(0)
        program = None
        if order[:1] == b"C":
            self._connect(order[1:], *descriptors)
        else:
            try:
                program = self._make(*ORDER.unpack(order[1:]), *descriptors)
            except OSError as error:
                packets.say(descriptors[0], b"F" + str(error).encode())
        if program is None:
            for descriptor in descriptors:
                os.close(descriptor)
        return program

    def _make(self, number, user, group, control):
        """Fork the first processes of a new process namespace; for that the zygote has to come back from the last."""
        calls.setns(self._home, calls.CLONE_NEWPID)
        calls.unshare(calls.CLONE_NEWPID)
        if self.lone:
            return self._make_lone(number, (user, group), control)
        if calls.fork() == 0:
            os.close(self.control.detach())
            os.close(self._home)
            return init.live(self.init, number, (user, group), control)
        return None

    def _make_lone(self, number, identity, control):
        """Process 1, which sleeps, and beside it the guest."""
        first = os.posix_spawn(self._sleeper, (self._sleeper,), {}, file_actions=self._actions)
        process = handle = None
        try:
            handle = os.pidfd_open(first)
            process = os.fork()
        finally:
            if process is None:
                os.kill(first, signal.SIGKILL)
            if process != 0 and handle is not None:
                os.close(handle)
        if process == 0:
            os.close(self._held)
            os.close(self.control.detach())
            return self.lone.live(number, identity, control, handle)
        self._guests[process] = number, first
        return None

    def _reap(self):
        """Take leave of every process that has ended. A lone cell ends with its guest, which is told before: process 1,
        if it is killed meanwhile, does not come to its end while there is anything left of the guest."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            number, first = self._guests.pop(ended.si_pid, (None, None))
            if number is not None:
                status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                packets.say(CONTROL, b"X" + EXIT.pack(number, status))
                os.kill(first, signal.SIGKILL)
            os.waitpid(ended.si_pid, 0)

    def _connect(self, number, guest_handle):
        """Send a socket of the network of that guest, or none where there is none any more. Only a fork enters it, for
        from there is no way back to a network of the host's. It is born here, and not among the processes of the cell
        that was made last: those are another's, and may have ended, after which nobody is born there."""
        try:
            calls.setns(self._home, calls.CLONE_NEWPID)
            process = calls.fork()
        except OSError:
            packets.send(self.control, b"C" + number, ())
            return
        if process == 0:
            try:
                packets.send(self.control, b"C" + number, _streams(guest_handle))
            finally:
                os._exit(0)


def _streams(guest_handle):
    """A descriptor of a new socket, in a tuple; an empty one where the guest is gone."""
    try:
        calls.setns(guest_handle, calls.CLONE_NEWNET)
        return (init.stream().detach(),)
    except OSError:
        return ()


if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this script
    sys.path_importer_cache.pop(__file__, None)
    zygote = Zygote()  # for good: to free it would cost each fork more than it takes
    zygote.settle()
    program = zygote.run()  # returns in the first guest of a cell, with what that is to run
    program()
