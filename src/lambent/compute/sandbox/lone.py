"""A cell in which nobody is ever let in but the first guest, whose end is told by its zygote."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from lambent.compute.sandbox.cells import FIRST, JailCell, JailGuest, packed

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from lambent.compute.sandbox.api import Exits, Program, Tenancy
    from lambent.compute.sandbox.cells import Outfit
    from lambent.compute.sandbox.zygotes import Zygote


class LoneCell(JailCell):
    """The cell; see `api.Cell`. Its control socket leads to the guest, until that runs the function's program."""

    def __init__(self, outfit: Outfit, zygote: Zygote, number: int) -> None:
        super().__init__(outfit)
        self._zygote = zygote
        self._number = number
        self._guest = -1
        zygote.adopt(number, self)

    def furnish(self, tenancy: Tenancy) -> None:
        if tenancy.volumes:
            raise OSError("a lone cell shows no file systems")
        super().furnish(tenancy)

    def enter(self, program: Program, exits: Exits) -> JailGuest:
        self._say(b"E" + packed(program))
        self._exits[FIRST] = exits
        # All that is to be heard from here on is why it ends, which is read when it has ended.
        self._loop.remove_reader(self._control.fileno())
        return JailGuest(self, FIRST)

    def pace(self) -> None:
        super().pace()
        if FIRST in self._exits:
            self._mute()  # the function's program runs, and knows nothing of this socket

    def start(self, program: Program, output: int, exits: Exits) -> JailGuest:  # noqa: ARG002 the contract's
        raise OSError(f"{program.command[0]}: nobody is let in beside the first guest")

    def send_signal(self, slot: int, number: signal.Signals) -> None:
        if slot not in self._exits:
            return
        if number == signal.SIGKILL:
            self.kill()  # who is killed takes along what they have started, which is all there is
            return
        with contextlib.suppress(ProcessLookupError):  # the cell is ending
            signal.pidfd_send_signal(self._guest, number)

    def exited(self, status: int) -> None:
        """Of the zygote: the guest has ended. Where it has said that it cannot go on, that is told of the cell."""
        self._listen()
        if self._reason:
            self.kill()
        else:
            self._exited(FIRST, status)

    def connected(self, connector: socket.socket | None) -> None:
        """Of the zygote: a socket of the cell's network."""
        self._connected(connector)

    def _ask_for_socket(self) -> None:
        if not self.alive:
            raise ProcessLookupError("the cell is gone")
        self._zygote.connect(self._number, self._guest)

    def _furnished(self, descriptors: Sequence[int]) -> None:
        self._guest, *others = descriptors
        super()._furnished(others)

    def _inhabitant(self) -> int:
        return self._guest

    def _hung_up(self) -> None:
        """The guest runs the function's program, or has ended, which the zygote tells, or never was."""
        if self._process < 0:
            super()._hung_up()
        else:
            self._mute()

    def _ended(self) -> None:
        self._zygote.attend()
        super()._ended()

    def _clear(self, reason: str) -> None:
        self._zygote.disown(self._number)
        if self._guest >= 0:
            os.close(self._guest)
        self._guest = -1
        super()._clear(reason)
