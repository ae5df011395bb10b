"""Reaching for the host and other environments over the network."""

# ruff: noqa: PTH115 what is probed are the system's own calls

import os
import socket

from attempts import outcome, read


def interfaces():
    """The network devices, and where packets may go."""
    names = [name for _, name in socket.if_nameindex()]
    return {"names": names, "routes": read(["/proc/net/route"])["/proc/net/route"].splitlines()[1:]}


def listeners():
    """The ports on which anything listens in the network that this process is in, by what the kernel says."""
    found = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read([path])[path].splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A":
                found.add(int(address.rpartition(":")[2], 16))
    return sorted(found)


def answering(ports):
    """Those of the ports of the loopback address that answer."""
    found = []
    for port in ports:
        with socket.socket() as attempt:
            attempt.settimeout(1)
            # A socket can be its own other end, where the port that it was given is the one that it asks for.
            if attempt.connect_ex(("127.0.0.1", port)) == 0 and attempt.getsockname() != attempt.getpeername():
                found.append(port)
    return found


def connect(targets):
    """What becomes of connecting: a target is [host, port], or a path, abstract ones with a leading @."""
    found = []
    for target in targets:
        local = isinstance(target, str)
        family = socket.AF_UNIX if local else socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        with socket.socket(family) as attempt:
            attempt.settimeout(3)
            address = target.replace("@", "\0", 1) if local else tuple(target)
            found.append(outcome(lambda attempt=attempt, address=address: attempt.connect(address)))
    return found


def send_datagrams(targets):
    """What becomes of sending a datagram to [host, port]."""
    found = []
    for host, port in targets:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
            found.append(outcome(lambda attempt=attempt, to=(host, port): attempt.sendto(b"escaped", to)))
    return found


def odd_sockets():
    """Sockets of kinds that reach the machine below or around the network."""
    kinds = {
        "packet": (17, socket.SOCK_RAW, 0),
        "raw": (socket.AF_INET, socket.SOCK_RAW, 1),
        "vsock": (40, socket.SOCK_STREAM, 0),
        "alg": (38, socket.SOCK_SEQPACKET, 0),
        "netfilter": (16, socket.SOCK_RAW, 12),
        "audit": (16, socket.SOCK_RAW, 9),
        "uevent": (16, socket.SOCK_RAW, 15),
        "bluetooth": (31, socket.SOCK_RAW, 1),
        "can": (29, socket.SOCK_RAW, 1),
        "tipc": (30, socket.SOCK_SEQPACKET, 0),
        "xdp": (44, socket.SOCK_RAW, 0),
    }
    return {name: outcome(lambda kind=kind: socket.socket(*kind).close()) for name, kind in kinds.items()}


def network_namespace():
    """Which network this is."""
    return os.readlink("/proc/self/ns/net")
