"""Which addresses a function may speak to: the operator's policy, and what no policy can open."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ENTRY = re.compile(
    r"\[(?P<six>[^\]]+)\](?::(?P<six_port>\d+))?|(?P<four>[\d./]+)(?::(?P<port>\d+))?|(?P<bare>[^\[\]]+)"
)

# A function's own loopback never gets here. The addresses of clouds' metadata services hand out the credentials of
# the machine to whoever asks, and not all of them are link-local.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "::/96",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
    )
)

# Ways to write an IPv4 address in IPv6: the first leads to the IPv4 address through a translator, so that address has
# to be admitted too; the others are tunnels to relays that nobody can vouch for.
_TRANSLATED = IPv6Network("64:ff9b::/96")
_TUNNELS = (IPv6Network("64:ff9b:1::/48"), IPv6Network("2001::/32"), IPv6Network("2002::/16"))


class Policy(msgspec.Struct, frozen=True):
    """Whether functions reach the internet, and how much of it. Raises ValueError for an entry that is no network."""

    internet: bool = True
    allow: tuple[str, ...] = ()
    """Where not empty: exactly these. `10.0.0.0/8`, `192.0.2.7:443`, `2001:db8::/32`, `[2001:db8::7]:443`."""

    def __post_init__(self) -> None:
        for entry in self.allow:
            _parse(entry)


class Border:
    """Decides by a policy. `leaves` tells of an address whether packets for it leave this machine for one other."""

    def __init__(self, policy: Policy, leaves: Callable[[Address], bool]) -> None:
        self._internet = policy.internet
        self._allowed = tuple(_parse(entry) for entry in policy.allow)
        self._leaves = leaves

    def admits(self, address: Address, port: int) -> bool:
        """Whether a function may speak to `port` of `address`, which no IPv4 address hides in.

        The machine itself is closed, but for addresses that the policy names one by one: a network that is allowed
        as a whole may happen to hold one of the machine's own.
        """
        if not self._internet or any(address in network for network in _NEVER):
            return False
        if isinstance(address, IPv6Address):
            if any(address in tunnel for tunnel in _TUNNELS):
                return False
            if address in _TRANSLATED and not self.admits(IPv4Address(address.packed[12:]), port):
                return False
        entries = [network for network, only in self._allowed if address in network and only in {None, port}]
        if self._allowed and not entries:
            return False
        return any(network.num_addresses == 1 for network in entries) or self._leaves(address)


def _parse(entry: str) -> tuple[Network, int | None]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"{entry!r} is not a network, nor a network and a port")
    network = found["six"] or found["four"] or found["bare"]
    port = found["six_port"] or found["port"]
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"{entry!r} names a port that does not exist")
    return ip_network(network), None if port is None else int(port)
