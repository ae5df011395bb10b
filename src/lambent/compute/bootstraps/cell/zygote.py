"""The zygote of an image: an interpreter with everything imported that its cells have in common, which forks them.

It runs inside the image's root, has a single thread, and listens on descriptor 3. The first packet is the plan that all
its cells share, as JSON; every other asks for one cell: the numbers of its user and group, four bytes each, with the
cell's own control socket and the files by which it joins its control groups. The zygote does not look after its
children: the kernel reaps them, and whoever made the control socket sees how they fare. It ends when its own control
socket does, and takes the cells along.

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
import signal  # noqa: E402
from importlib import import_module  # noqa: E402

import calls  # noqa: E402
import guest  # noqa: E402
import init  # noqa: E402
import packets  # noqa: E402
import rehearsal  # noqa: E402

CONTROL = 3
PACKET = 1 << 18


class Zygote:
    """Reads orders and forks. Returns only in the first guest of a cell, with what that is to run."""

    def __init__(self):
        self.control = _socket.socket(fileno=CONTROL)
        packet = self.control.recv(PACKET)
        if not packet:
            os._exit(0)  # the server is gone
        self.plan = guest.Plan(json.loads(packet), BORN_WITH)
        self.init = init.Init(self.plan)
        self._home = os.open(self.plan.processes + "/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def settle(self):
        """Import what the image holds, and leave its memory alone from here on."""
        sys.path.append(self.plan.runtime)
        for name in self.plan.preloaded:
            import_module(name)
        sys.path.pop()
        self.plan.remember_imports()
        calls.bound_capabilities()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))  # for process 1, which reads it
        rehearsal.rehearse(self.plan)
        gc.collect()
        self._taken = rehearsal.fill()
        gc.freeze()

    def run(self):
        """Make cells until the server is gone."""
        while True:
            order, descriptors = packets.receive(self.control, init.IDENTITY.size)
            if not order:
                os._exit(0)
            if self._fork(descriptors[0]) == 0:
                os.close(self.control.detach())
                os.close(self._home)
                return init.live(self.init, init.IDENTITY.unpack(order), descriptors[0], descriptors[1:])
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, cell):
        """Fork the first process of a new process namespace; for that the zygote has to come back from the last. Where
        that fails, who waits at the other end of `cell` is told, and there is no process."""
        try:
            calls.setns(self._home, calls.CLONE_NEWPID)
            calls.unshare(calls.CLONE_NEWPID)
            return calls.fork()
        except OSError as error:
            packets.say(cell, b"F" + str(error).encode())
            return None


if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this script
    sys.path_importer_cache.pop(__file__, None)
    zygote = Zygote()  # for good: to free it would cost each fork more than it takes
    zygote.settle()
    program = zygote.run()  # returns in the first guest of a cell, with what that is to run
    program()
