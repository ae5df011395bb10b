"""The network: an environment reaches its own Runtime API and the AWS endpoint, and nothing else of the host."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.security.escape.conftest import Attacker, Host
    from tests.support import ServerProcess

OWN_PORTS = {9001, 4566, 53}


def own_address() -> str | None:
    """The address by which other machines would know this one; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(asking.getsockname()[0])


@contextmanager
def listening(family: socket.AddressFamily, address: Any, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """A socket of the host's that nobody may reach."""
    with socket.socket(family, kind) as made:
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen()
        made.setblocking(False)
        yield made


def untouched(*sockets: socket.socket) -> bool:
    """Whether nobody has connected to or written to any of them."""
    for each in sockets:
        try:
            each.accept() if each.type == socket.SOCK_STREAM else each.recv(100)
        except BlockingIOError:
            continue
        return False
    return True


def test_there_is_no_device_but_loopback(attacker: Attacker) -> None:
    told = attacker("interfaces")
    assert told["names"] == ["lo"]
    assert told["routes"] == []


def test_nothing_answers_but_what_the_environment_has(attacker: Attacker) -> None:
    listeners = set(attacker("listeners"))
    assert listeners <= OWN_PORTS
    assert set(attacker("answering", ports=[*range(1, 1024), 3306, 5432, 6379, 8080, *OWN_PORTS])) == listeners


def test_servers_of_the_host_cannot_be_reached(attacker: Attacker, server: ServerProcess) -> None:
    addresses = ["127.0.0.1", *filter(None, [own_address()])]
    with ExitStack() as stack:
        sockets = [stack.enter_context(listening(socket.AF_INET, (address, 0))) for address in addresses]
        targets = [list(each.getsockname()) for each in sockets]
        told = attacker("connect", targets=[*targets, ["127.0.0.1", int(server.endpoint.rpartition(":")[2])]])
        assert "done" not in told
        assert untouched(*sockets)


def test_datagrams_do_not_reach_the_host(attacker: Attacker) -> None:
    addresses = ["127.0.0.1", *filter(None, [own_address()])]
    with ExitStack() as stack:
        kind = socket.SOCK_DGRAM
        sockets = [stack.enter_context(listening(socket.AF_INET, (address, 0), kind)) for address in addresses]
        attacker("send_datagrams", targets=[list(each.getsockname()) for each in sockets])
        assert untouched(*sockets)


def test_local_sockets_of_the_host_cannot_be_reached(attacker: Attacker, host: Host, tmp_path: Path) -> None:
    path = str(host.data / "escape.sock")
    with listening(socket.AF_UNIX, path) as named, listening(socket.AF_UNIX, "\0escape-host") as abstract:
        told = attacker(
            "connect", targets=[path, "@escape-host", "/run/dbus/system_bus_socket", "/var/run/docker.sock"]
        )
        assert set(told) <= {"ENOENT", "ECONNREFUSED", "EACCES", "EPERM"}
        assert untouched(named, abstract)
    (host.data / "escape.sock").unlink()


def test_abstract_sockets_of_neighbours_cannot_be_reached(attacker: Attacker, neighbour: Attacker) -> None:
    assert neighbour("listen_abstract", name="escape-neighbour") == "listening"
    assert attacker("connect", targets=["@escape-neighbour"]) == ["ECONNREFUSED"]


def test_the_runtime_api_is_ones_own(attacker: Attacker, neighbour: Attacker) -> None:
    for function in (attacker, neighbour):
        assert function("variables")["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
        assert function("connect", targets=[["127.0.0.1", 9001]]) == ["done"]
    assert attacker("network_namespace") != neighbour("network_namespace")


def test_no_sockets_of_other_kinds(attacker: Attacker) -> None:
    told = attacker("odd_sockets")
    assert set(told.values()) <= {"EAFNOSUPPORT", "EPERM"}


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2", "127.255.255.254", "::1", "::ffff:127.0.0.1"])
def test_other_names_of_loopback_lead_no_further(attacker: Attacker, server: ServerProcess, address: str) -> None:
    port = int(server.endpoint.rpartition(":")[2])
    assert attacker("connect", targets=[[address, port]]) != ["done"]
