"""Where the kernel of this machine would send packets: asked at each connection, so no list of addresses gets old."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.sandbox.egress.policy import Address

# The kernel's rtnetlink(7): struct nlmsghdr, struct rtmsg, struct rtattr.
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NETLINK_ROUTE = 0
_NLM_F_REQUEST = 1
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_RTA_DST = 1
_RTN_UNICAST = 1


def leaves(address: Address) -> bool:
    """Whether packets for `address` leave this machine for one other. False for the machine's own addresses, for
    broadcast, multicast and anycast, and where there is no route."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    packed = address.packed
    route = _ROUTE.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, 0)
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(packed), _RTA_DST) + packed
    length = _HEADER.size + len(route) + len(attribute)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as netlink:
        netlink.sendto(_HEADER.pack(length, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + route + attribute, (0, 0))
        answer = netlink.recv(limits.EGRESS_ROUTE_BYTES)
    if _HEADER.unpack_from(answer)[1] != _RTM_NEWROUTE:
        return False
    return bool(_ROUTE.unpack_from(answer, _HEADER.size)[7] == _RTN_UNICAST)
