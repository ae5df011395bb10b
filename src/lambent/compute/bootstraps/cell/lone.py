"""The first guest of a cell in which nobody else is let in: it builds the cell's walls itself, around itself.

Process 1 is a program that sleeps; the zygote, whose child the guest is, tells the server how it ends. Until it runs
the function's program it is the server's hand inside, with which it speaks packets, the first byte of which says what
they are. In: `T` tenancy, then `E` the program. Out: `M` made, `F` why the cell cannot be. All that building takes it
has given up when it leaves here.
"""

# mypy: ignore-errors

import _socket
import os
import traceback

import calls
import guest
import init
import packets


class Lone:
    """The state of such a guest before it is one. It is made in the zygote, and lives in the forks."""

    def __init__(self, plan):
        self.plan = plan
        self.building = calls.Capabilities(init.CAP_DAC_READ_SEARCH, init.CAP_SYS_ADMIN)

    def live(self, number, identity, control, first):
        """Build the walls and settle behind them: what is to be run, and its variables are set. `first` is a descriptor
        of process 1."""
        self.control = control
        try:
            self._build(number, first)
            return self._settle(identity)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the server is gone, or has thought better of it
        except OSError as error:
            packets.say(self.control, b"F" + str(error).encode())
            os._exit(1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def _build(self, number, first):
        """Give the server its ends of everything, and take place at the others."""
        init.join(self.plan, number)
        calls.unshare(init.WALLS)
        init.furnish_privately(self.plan)
        sockets = init.network(self.plan)
        calls.be_inspectable(False)
        if self.plan.notify is not None:
            sockets.append(self.plan.notify.listen())
        seat = guest.Seat()
        status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        itself = os.pidfd_open(os.getpid())
        server = _socket.socket(fileno=self.control)
        packets.send(server, b"M", (itself, first, status, seat.channel, seat.output, seat.frames, *sockets))
        self.control = seat.sit(server.detach())

    def _settle(self, identity):
        """Wait for who moves in, then give up everything. Where there is only one user, who is to be nobody outside,
        that is done all at once; else the guest's user is put on ahead, who has no other process here."""
        os.setsid()
        if not self.plan.nested:
            guest.give_up(self.plan, identity, None, self.building)
        init.furnish(self.plan, *self._order(b"T").split(b"\0"))
        program = guest.program(self._order(b"E"))
        if self.plan.nested:
            guest.give_up(self.plan, identity, None, self.plan.capabilities)
        else:
            self.plan.capabilities.keep()
        calls.be_inspectable(True)
        guest.confine(self.plan)
        return guest.enter(self.plan, *program, self.control)

    def _order(self, kind):
        packet = os.read(self.control, guest.PACKET)
        if packet[:1] != kind:
            os._exit(0)  # nobody moves in
        return packet[1:]
