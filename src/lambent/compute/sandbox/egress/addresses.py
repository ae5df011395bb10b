"""Socket addresses as a function writes them: bytes in its memory, which may be anything."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lambent.compute.sandbox.egress.policy import Address

_FAMILY = struct.Struct("=H")
_FOUR = struct.Struct("!2xH4s")
_SIX = struct.Struct("!2xHI16s")
_FOUR_BYTES = 16
LONGEST_BYTES = 128
"""sizeof(struct sockaddr_storage): the kernel takes no longer one."""


class Destination(msgspec.Struct, frozen=True):
    """Where a function wants to go."""

    family: int
    """AF_INET or AF_INET6: how the address was written."""
    address: Address
    """What it comes to: never an IPv4 address in IPv6 clothes."""
    port: int

    @property
    def inside(self) -> bool:
        """Whether the environment's own namespace is meant."""
        return self.address.is_loopback or self.address.is_unspecified

    def written(self, family: int) -> tuple[str, int]:
        """The address for a socket of `family`."""
        if family == socket.AF_INET6 and isinstance(self.address, IPv4Address):
            return f"::ffff:{self.address}", self.port
        return str(self.address), self.port


def family(packed: bytes) -> int:
    """The family of a `struct sockaddr`; AF_UNSPEC where it is too short to have one."""
    return int(_FAMILY.unpack_from(packed)[0]) if len(packed) >= _FAMILY.size else socket.AF_UNSPEC


def parse(packed: bytes) -> Destination | None:
    """An internet address; None for one of another family, and for a shorter one than the kernel takes."""
    kind = family(packed)
    if kind == socket.AF_INET and len(packed) >= _FOUR_BYTES:
        port, four = _FOUR.unpack_from(packed)
        return Destination(kind, IPv4Address(four), port)
    if kind == socket.AF_INET6 and len(packed) >= _SIX.size:
        port, _, six = _SIX.unpack_from(packed)
        address = IPv6Address(six)
        return Destination(kind, address.ipv4_mapped or address, port)
    return None
