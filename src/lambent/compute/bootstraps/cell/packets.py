"""Packets with descriptors, by the socket module's own C code: its Python half would be copied into every fork."""

# mypy: ignore-errors

import _socket
import contextlib
import os
import struct

PACKET = 1 << 18
DESCRIPTORS = 16
_ONE = struct.calcsize("i")
_ROOM = _socket.CMSG_SPACE(DESCRIPTORS * _ONE)
_ARRAYS = [struct.Struct("%di" % count) for count in range(DESCRIPTORS + 1)]


def receive(source, most=PACKET):
    """A packet of at most so many bytes from a socket, empty at its end, and the descriptors that came with it."""
    packet, extra, _, _ = source.recvmsg(most, _ROOM, _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in extra:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            return packet, _ARRAYS[len(data) // _ONE].unpack_from(data)
    return packet, ()


def send(target, packet, descriptors):
    """Send a packet over a socket, with copies of the descriptors, if any."""
    if not descriptors:
        target.send(packet)
        return
    data = _ARRAYS[len(descriptors)].pack(*descriptors)
    target.sendmsg((packet,), ((_socket.SOL_SOCKET, _socket.SCM_RIGHTS, data),))


def say(descriptor, packet):
    """Send a packet over the socket of this descriptor, whether or not somebody is there to hear it."""
    with contextlib.suppress(OSError):
        os.write(descriptor, packet)
