"""TCP sockets of this machine that are made for functions.

A function may do with such a socket what it likes, also behind the broker's back: a trapped call that is let through
reads its arguments anew, and another thread can put another descriptor or address in their place. So the socket itself
holds what it may be used for. A guard in the kernel, locked on it, drops all packets but those of the one destination
that was admitted: dissolved and connected elsewhere it never gets an answer, and no data leaves without a handshake.
And it is bound to a port by number, which it keeps for life, so that it cannot be bound to one that the machine needs;
a port that the kernel picks goes back when the connection ends.

"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import itertools
import os
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path

from lambent.compute.sandbox.egress.addresses import Destination
from lambent.compute.sandbox.egress.programs import INSTRUCTION_BYTES, guard
from lambent.kernel import limits

_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SO_ATTACH_FILTER = 26
_SO_LOCK_FILTER = 44
_SO_BUF_LOCK = 72
_SEND_LOCKED = 1
_RECEIVE_LOCKED = 2
_PROGRAM = struct.Struct("@HP")
_TIME = struct.Struct("@ll")
_LINGER_BYTES = 8
_TCP_INFO = 11
_TCP_ESTABLISHED = 1
_TCP_SYN_SENT = 2

# What a program sets on a socket before it connects it: number for number, by level.
_COPIED = (
    (socket.SOL_SOCKET, (9, 10, 12)),  # SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY
    (socket.IPPROTO_TCP, (1, 3, 4, 5, 6, 7, 12, 18, 25)),
    # TCP_NODELAY, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, QUICKACK, USER_TIMEOUT, NOTSENT_LOWAT
)
_TIMEOUTS = (20, 21)  # SO_RCVTIMEO, SO_SNDTIMEO
_TYPE_OF_SERVICE = {socket.AF_INET: (socket.IPPROTO_IP, 1), socket.AF_INET6: (socket.IPPROTO_IPV6, 67)}
_BUFFERS = ((_SEND_LOCKED, socket.SO_SNDBUF), (_RECEIVE_LOCKED, socket.SO_RCVBUF))


class Ports:
    """Draws from the ports that this machine connects from, in an order that `key`, which is secret, decides. Several
    threads may draw."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._drawn = itertools.count()
        self._first, last = (int(word) for word in _PORTS.read_text().split())
        self._count = last - self._first + 1

    def draw(self) -> int:
        """The next one, free or not."""
        number = next(self._drawn).to_bytes(8, "big")
        digest = hashlib.blake2b(number, key=self._key, digest_size=8).digest()
        return self._first + int.from_bytes(digest, "big") % self._count


def guards() -> bool:
    """Whether this process may give a socket its guard: some kernels want privileges for that."""
    with socket.socket() as probe:
        try:
            _stand_guard(probe, Destination(socket.AF_INET, IPv4Address(0), 0))
        except PermissionError:
            return False
    return True


def connect(theirs: socket.socket, destination: Destination, ports: Ports, *, guarded: bool) -> socket.socket:
    """A socket in place of `theirs`, on its way to `destination`; where `guarded`, it can go nowhere else.

    It does not block. Raises OSError where that fails at once.
    """
    taken = errno.EADDRNOTAVAIL
    for _ in range(limits.EGRESS_PORTS_TRIED):
        ours = socket.socket(theirs.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            if guarded:
                _stand_guard(ours, destination)
            taken = _start(ours, theirs, destination, ports.draw())
        except BaseException:
            ours.close()
            raise
        if taken in {0, errno.EINPROGRESS}:
            return ours
        ours.close()
        if taken not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL}:
            break
    raise OSError(taken, os.strerror(taken))


def _copy_options(theirs: socket.socket, ours: socket.socket) -> None:
    """Give our socket what the function has set on its own; what this kernel does not know of stays as it is."""
    levels = (*_COPIED, (_TYPE_OF_SERVICE[ours.family][0], (_TYPE_OF_SERVICE[ours.family][1],)))
    for level, names in levels:
        for name in names:
            with contextlib.suppress(OSError):
                wanted = theirs.getsockopt(level, name)
                if wanted != ours.getsockopt(level, name):
                    ours.setsockopt(level, name, wanted)
    for name in _TIMEOUTS:
        ours.setsockopt(socket.SOL_SOCKET, name, theirs.getsockopt(socket.SOL_SOCKET, name, _TIME.size))
    _copy_buffers(theirs, ours)


def linger(of: socket.socket) -> bytes:
    """How closing the socket waits."""
    return of.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_BYTES)


def set_linger(on: socket.socket, wanted: bytes) -> None:
    """Close as `wanted`: the last thing to set, as closing may take time from now on."""
    on.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, wanted)


def patience(theirs: socket.socket) -> float | None:
    """The seconds that a function is willing to wait in a call that sends; None without limit."""
    seconds, microseconds = _TIME.unpack(theirs.getsockopt(socket.SOL_SOCKET, _TIMEOUTS[1], _TIME.size))
    return float(seconds + microseconds / 1e6) or None


def progress(of: socket.socket) -> int:
    """What connect(2) says of a TCP socket that has been connected before: EISCONN, EALREADY, or 0 where it can be
    connected anew."""
    state = of.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0]
    return {_TCP_ESTABLISHED: errno.EISCONN, _TCP_SYN_SENT: errno.EALREADY}.get(state, 0)


def failure(of: socket.socket) -> int:
    """The number of the error that an attempt to connect has ended with; 0 where it has not."""
    return of.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _start(ours: socket.socket, theirs: socket.socket, destination: Destination, port: int) -> int:
    _copy_options(theirs, ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        ours.bind(("::" if ours.family == socket.AF_INET6 else "", port))
    except OSError as refusal:
        return refusal.errno or errno.EADDRINUSE
    return ours.connect_ex(destination.written(ours.family))


def _stand_guard(made: socket.socket, destination: Destination) -> None:
    code = guard(destination.address, destination.port)
    kept = ctypes.create_string_buffer(code, len(code))
    program = _PROGRAM.pack(len(code) // INSTRUCTION_BYTES, ctypes.addressof(kept))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    made.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)


def _copy_buffers(theirs: socket.socket, ours: socket.socket) -> None:
    """Buffers have a size that the kernel adapts until somebody sets one. What is read is twice what was set."""
    locked = theirs.getsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK)
    for bit, name in _BUFFERS:
        if locked & bit:
            ours.setsockopt(socket.SOL_SOCKET, name, theirs.getsockopt(socket.SOL_SOCKET, name) // 2)
