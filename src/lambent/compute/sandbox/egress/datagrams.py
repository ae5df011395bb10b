"""UDP to the outside: the function's own socket speaks to the relay in its namespace, and the relay to the world.

A UDP socket of the machine's can send anywhere with every datagram, so none is ever given away. A socket that a
function connects is bound to a loopback address that stands for the destination, and connected to the relay instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket
from collections import OrderedDict
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.sandbox.egress.addresses import Destination
    from lambent.kernel.clock import Clock, Timer

_FIRST = IPv4Address("127.64.0.1")
_COUNT = 1 << 20
_RELAY = ("127.0.0.1", 53)


class Flows:
    """The destinations that an environment's UDP sockets are connected to.

    `relay` is where their datagrams arrive. What is rarely used is forgotten first, and its datagrams are lost.
    """

    def __init__(self, relay: socket.socket, clock: Clock) -> None:
        self._relay = relay
        self._clock = clock
        self._numbers = itertools.count()
        self._destinations: OrderedDict[str, Destination] = OrderedDict()
        self._open: OrderedDict[tuple[str, int], _Flow] = OrderedDict()

    def source(self) -> str:
        """A loopback address to bind a function's socket to. Any thread may ask."""
        return str(_FIRST + next(self._numbers) % _COUNT)

    def lead(self, source: str, destination: Destination) -> None:
        """From now on what comes from `source` goes to `destination`."""
        self._destinations[source] = destination
        self._destinations.move_to_end(source)
        for key in [key for key in self._open if key[0] == source]:
            self.forget(key)
        if len(self._destinations) > limits.EGRESS_FLOWS:
            self._destinations.popitem(last=False)

    def forward(self, data: bytes, sender: tuple[str, int]) -> bool:
        """Send a datagram on; False where `sender` is not one of these sockets."""
        destination = self._destinations.get(sender[0])
        if destination is None:
            return False
        self._destinations.move_to_end(sender[0])
        # A datagram may get lost: for want of descriptors, in a full buffer, at a closed port.
        with contextlib.suppress(OSError):
            self._flow(sender, destination).send(data)
        return True

    def forget(self, key: tuple[str, int]) -> None:
        """Close the machine's socket of a flow; the next datagram opens another."""
        self._open.pop(key).close()

    def answer(self, data: bytes, key: tuple[str, int]) -> None:
        """Hand a datagram from outside to the function's socket."""
        with contextlib.suppress(OSError):
            self._relay.sendto(data, key)

    def close(self) -> None:
        """Close every socket that was opened here."""
        for key in list(self._open):
            self.forget(key)

    def _flow(self, key: tuple[str, int], destination: Destination) -> _Flow:
        flow = self._open.get(key)
        if flow is None:
            while len(self._open) >= limits.EGRESS_FLOWS_OPEN:
                self.forget(next(iter(self._open)))
            flow = self._open[key] = _Flow(self, key, destination, self._clock)
        self._open.move_to_end(key)
        return flow


class _Flow:
    """The machine's socket of one flow, until nothing has gone through it for a while."""

    def __init__(self, flows: Flows, key: tuple[str, int], destination: Destination, clock: Clock) -> None:
        self._flows = flows
        self._key = key
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._socket = outside(destination)
        self._used = clock.monotonic()
        self._timer: Timer = clock.call_later(limits.EGRESS_FLOW_IDLE_S, self._rest)
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        self._used = self._clock.monotonic()
        self._socket.send(data)

    def close(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(limits.DATAGRAMS_PER_TURN):
            try:
                data = self._socket.recv(limits.DATAGRAM_BYTES)
            except OSError:  # nothing more for now, or the other side says that its port is closed
                return
            self._used = self._clock.monotonic()
            self._flows.answer(data, self._key)

    def _rest(self) -> None:
        left = self._used + limits.EGRESS_FLOW_IDLE_S - self._clock.monotonic()
        if left > 0:
            self._timer = self._clock.call_later(left, self._rest)
        else:
            self._flows.forget(self._key)


def outside(destination: Destination) -> socket.socket:
    """A UDP socket of this machine's, connected. Raises OSError where there is no way."""
    family = socket.AF_INET if destination.address.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        made.connect(destination.written(family))
    except OSError:
        made.close()
        raise
    return made


def lead_to_relay(theirs: socket.socket, source: str) -> str:
    """Bind and connect a function's UDP socket to its environment's relay; returns the address that it is bound to.

    Raises OSError: EADDRNOTAVAIL for a socket that the function has bound to somewhere else itself.
    """
    clothes = "::ffff:" if theirs.family == socket.AF_INET6 else ""
    with contextlib.suppress(OSError):  # it has an address: of its earlier destination, or of the function's choice
        theirs.bind((clothes + source, 0))
    bound = ip_address(theirs.getsockname()[0].removeprefix("::ffff:"))
    if bound.version != 4 or not _FIRST <= bound < _FIRST + _COUNT:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    theirs.connect((clothes + _RELAY[0], _RELAY[1]))
    return str(bound)
