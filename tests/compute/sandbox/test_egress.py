"""Outbound connections: what functions reach through the broker, and what they try to make of its sockets.

A network namespace of the test's own stands for the machine: it has addresses, no way to the outside, and `leaves`
takes its second address for another machine's. Each environment is a process in a further namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import http.server
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import lambent
from lambent.compute.sandbox.egress import (
    Attachment,
    Egress,
    Policy,
    available,
    connections,
    names,
    notify_filter,
    routes,
)
from lambent.compute.sandbox.egress.addresses import Destination
from lambent.compute.sandbox.egress.policy import Border
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.ids import SeededIds
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lambent.compute.sandbox.egress.policy import Address

OWN = "198.51.100.1"
FAR = "198.51.100.7"
FAR_SIX = "fd00:7::7"

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916

# What an environment does: it gets a namespace of its own, installs the filter and hands its descriptor out. Then it
# runs what it is given as a user without rights and tells the result.
INSIDE = r"""
import asyncio, ctypes, encodings.idna, errno, fcntl, http.client, json, os, select, socket, struct, sys, threading

libc = ctypes.CDLL(None, use_errno=True)

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def attempt(work, *arguments):
    '''The name of the error that it fails with, or None.'''
    try:
        work(*arguments)
    except OSError as failure:
        return errno.errorcode.get(failure.errno, str(failure))

def dissolve(of):
    check(libc.connect(of.fileno(), bytes(16), 16))

def own_namespace():
    '''Become root of a user namespace; only a program that starts in it can be looked into by who has made it.'''
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(0x10000000))
    for name, content in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(content)
    os.execv(sys.executable, [*sys.orig_argv, "owned"])

def prepare(control, program, owned):
    check(libc.unshare(0x40000000))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x41))
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 53))
    udp.bind(("127.0.0.1", 53))
    check(libc.prctl(38, 1, 0, 0, 0))
    code = ctypes.create_string_buffer(program, len(program))
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    notify = check(libc.syscall({"x86_64": 317, "aarch64": 277}[os.uname().machine], 1, 1 << 3, fprog))
    if not owned:
        os.setresgid(54321, 54321, 54321)
        os.setresuid(54321, 54321, 54321)
    socket.send_fds(control, [b"ready"], [notify, udp.fileno(), tcp.fileno()])
    os.close(notify), udp.close(), tcp.close()

def main():
    owned = sys.argv[-1] == "owned"
    if os.getuid() != 0 and not owned:
        own_namespace()
    control = socket.socket(fileno=int(sys.argv[1]))
    prepare(control, control.recv(65536), owned)
    names = {**globals()}
    names["control"] = control
    exec(control.recv(65536).decode(), names)
    print(json.dumps(names.get("result")), flush=True)

main()
"""


class Environment:
    """A process with nowhere to go, and the broker that serves it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, attachment: Attachment) -> None:
        self.process = process
        self.attachment = attachment
        self._control = control

    def begin(self, code: str) -> None:
        """Have the environment run `code`."""
        self._control.send(code.encode())

    async def result(self) -> Any:
        """What the code has left in `result`."""
        assert self.process.stdout is not None
        return json.loads(await self.process.stdout.readline() or "null")

    async def run(self, code: str, **values: Any) -> Any:
        """`begin` and `result`; `values` are the code's."""
        self.begin("".join(f"{name} = {value!r}\n" for name, value in values.items()) + code)
        return await self.result()


class WatchedClock(VirtualClock):
    """Tells when somebody has begun to wait for a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any:
        if delay in {limits.EGRESS_CONNECT_S, 5.0}:
            self.waiting.set()
        return super().call_later(delay, callback)


class Machine:
    """The server's side: a broker for whatever environments a test starts."""

    def __init__(self, folder: Path) -> None:
        self.clock = WatchedClock()
        self.tasks = Supervisor(self.clock)
        self.resolvers = folder / "resolv.conf"
        self.resolvers.write_text(f"nameserver {OWN}\n")

    def egress(self, policy: Policy) -> Egress:
        """A broker to whom the second address is another machine's."""
        return Egress(policy, self.clock, SeededIds(), self.tasks, leaves=far, resolvers=self.resolvers)

    async def ended(self, attachment: Attachment) -> None:
        """Return when the broker has seen that an environment is gone."""
        while attachment._open:
            with contextlib.suppress(OSError):  # it has been closed just now
                await asyncio.to_thread(select.select, [attachment._calls], [], [], 10)

    @asynccontextmanager
    async def environment(
        self, policy: Policy | None = None, egress: Egress | None = None
    ) -> AsyncIterator[Environment]:
        """A new environment; it is gone after the block."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-c", INSIDE, str(theirs.fileno()),
                pass_fds=[theirs.fileno()], stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            theirs.close()
            ours.send(notify_filter())
            _, (notify, udp, tcp), _, _ = await asyncio.to_thread(socket.recv_fds, ours, 16, 3)
            broker = egress or self.egress(policy or Policy())
            attachment = broker.attach(notify, socket.socket(fileno=udp), socket.socket(fileno=tcp))
            try:
                yield Environment(process, ours, attachment)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.communicate()
                attachment.close()


def far(address: Address) -> bool:
    return str(address) in {FAR, FAR_SIX}


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[None]:
    """A network namespace for this thread and those that it starts, with the two addresses on its loopback."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace for the test needs root")
    if (reason := available()) is not None:
        pytest.skip(reason)
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        pytest.skip("no network namespaces here")
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", 0x41))
            for name, address in ((b"lo:1", OWN), (b"lo:2", FAR)):
                request = struct.pack("16sHH4s16x", name, socket.AF_INET, 0, socket.inet_aton(address))
                fcntl.ioctl(any_socket, SIOCSIFADDR, request)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
            six = socket.inet_pton(socket.AF_INET6, FAR_SIX)
            fcntl.ioctl(any_socket, SIOCSIFADDR, six + struct.pack("Ii", 128, socket.if_nametoindex("lo")))
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)


def open_files() -> int:
    """How many descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(params=[True, False], ids=["guarded", "imitated"])
async def machine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Machine]:
    """Both ways to keep a socket from going astray."""
    if not request.param:
        monkeypatch.setattr(connections, "guards", lambda: False)
    made = Machine(tmp_path)
    async with made.environment() as first:  # it has the loop make what it keeps
        assert await first.run("") is None
    before = open_files()
    yield made
    await made.tasks.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("egress"):
            await asyncio.to_thread(thread.join, 10)
    assert open_files() <= before, "descriptors are left open"


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    """A TCP server at the far address that sends one message back for each connection."""
    with socket.create_server((FAR, 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(connection.recv(1024))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


BLOCKING = """
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50000)
buffer = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
os.set_inheritable(s.fileno(), inheritable)
s.settimeout(timeout)
s.connect((host, port))
s.settimeout(None)
s.sendall(b"hello")
result = [
    s.recv(100).decode(), s.getpeername(), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
    s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == buffer,
    os.get_inheritable(s.fileno()), s.getblocking(),
]
"""


@pytest.mark.parametrize("patience", [None, 30], ids=["blocking", "non-blocking"])
@pytest.mark.parametrize("inheritable", [True, False], ids=["inherited", "close-on-exec"])
async def test_a_function_reaches_another_machine(
    machine: Machine, echo: socket.socket, patience: int | None, inheritable: bool
) -> None:
    host, port = echo.getsockname()
    async with machine.environment() as inside:
        result = await inside.run(BLOCKING, host=host, port=port, timeout=patience, inheritable=inheritable)
    assert result == ["hello", [host, port], 1, 1, True, inheritable, True]


@pytest.mark.parametrize("host", [FAR_SIX, f"::ffff:{FAR}"], ids=["IPv6", "IPv4 in IPv6"])
async def test_a_function_reaches_another_machine_over_ipv6(machine: Machine, host: str) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        listener.settimeout(5)
        async with machine.environment() as inside:
            inside.begin(f"""
s = socket.create_connection(({host!r}, {listener.getsockname()[1]}), timeout=30)
result = [s.recv(100).decode(), s.getpeername()[0]]
""")
            connection, _ = await asyncio.to_thread(listener.accept)
            with connection:
                connection.sendall(b"welcome")
                assert await inside.result() == ["welcome", host]


async def test_asyncio_inside_works(machine: Machine, echo: socket.socket) -> None:
    async with machine.environment() as inside:
        result = await inside.run(
            """
async def talk():
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello")
    answer = await reader.read(100)
    writer.close()
    return answer.decode()

async def main():
    return await asyncio.gather(*(talk() for _ in range(20)))

result = asyncio.run(main())
""",
            address=echo.getsockname(),
        )
    assert result == ["hello"] * 20


async def test_a_page_is_fetched_by_name(machine: Machine) -> None:
    server = http.server.HTTPServer((FAR, 0), Page)
    names_server = NameServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        async with machine.environment() as inside:
            with names_server.answering(machine):
                result = await inside.run(
                    ASK + "import http.client\n"
                    "address = ask('example.test')\n"
                    "connection = http.client.HTTPConnection(address, port)\n"
                    "connection.request('GET', '/')\n"
                    "result = connection.getresponse().read().decode()",
                    port=server.server_port,
                )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert result == "a page"


class Page(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the same page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"a page")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


ASK = r"""
def ask(name, reliable=False):
    question = os.urandom(2) + bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    question += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + bytes([0, 0, 1, 0, 1])
    if reliable:
        s = socket.create_connection(("127.0.0.1", 53))
        s.sendall(len(question).to_bytes(2, "big") + question)
        answer = s.recv(2000)[2:]
    else:
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.sendto(question, ("127.0.0.1", 53))
        answer = s.recv(2000)
    assert answer[:2] == question[:2]
    return socket.inet_ntoa(answer[-4:])
"""


class NameServer:
    """A name server at port 53 of one of the machine's addresses that knows one address for every name."""

    def __init__(self, host: str = OWN) -> None:
        self.host = host
        self.asked = 0

    @contextlib.contextmanager
    def answering(self, machine: Machine) -> Iterator[None]:
        """Answer during the block."""
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.create_server((self.host, 53)) as tcp:
            udp.bind((self.host, 53))
            loop.add_reader(udp, self._asked, udp)
            thread = threading.Thread(target=self._called, args=(tcp,))
            thread.start()
            yield
            loop.remove_reader(udp)
            tcp.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _asked(self, udp: socket.socket) -> None:
        question, asker = udp.recvfrom(2000)
        udp.sendto(bytes([question[0] ^ 255]) + question[1:], asker)  # another question's answer
        udp.sendto(self._answer(question), asker)

    def _called(self, tcp: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = tcp.accept()
                with connection:
                    answer = self._answer(connection.recv(2000)[2:])
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, question: bytes) -> bytes:
        self.asked += 1
        head = question[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
        return head + question[12:] + bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]) + socket.inet_aton(FAR)


async def test_names_are_resolved_by_the_machines_name_servers(machine: Machine) -> None:
    machine.resolvers.write_text(f"# none at the first\nnameserver {FAR}\nnameserver {OWN}\nsearch example.test\n")
    server = NameServer()
    with server.answering(machine):
        async with machine.environment() as inside:
            result = await inside.run(ASK + "result = [ask('a.test'), ask('b.test', True), ask('c.test', False)]")
    assert result == [FAR] * 3
    assert server.asked == 3


async def test_a_silent_name_server_is_passed_over_in_time(machine: Machine) -> None:
    machine.resolvers.write_text(f"nameserver {FAR}\nnameserver {OWN}\n")
    asked = asyncio.Event()
    with socket.socket(type=socket.SOCK_DGRAM) as silent, NameServer().answering(machine):
        silent.bind((FAR, 53))
        asyncio.get_running_loop().add_reader(silent, asked.set)
        async with machine.environment() as inside:
            inside.begin(ASK + "result = ask('a.test')")
            await asked.wait()
            await machine.clock.advance(limits.DNS_ANSWER_S)
            assert await inside.result() == FAR
        asyncio.get_running_loop().remove_reader(silent)


def test_the_list_of_name_servers_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    servers = names.Servers(path)
    assert servers.current() == (("127.0.0.1", 53),)
    path.write_text("nameserver 192.0.2.1\nnameserver nonsense\n\nnameserver\noptions rotate\nnameserver 2001:db8::1\n")
    assert servers.current() == (("192.0.2.1", 53), ("2001:db8::1", 53))
    path.write_text("".join(f"nameserver 192.0.2.{number}\n" for number in range(20)))
    assert len(servers.current()) == limits.DNS_SERVERS


UDP = """
def talk(s, host):
    s.connect((host, port))
    s.send(b"hello")
    return s.recv(100).decode()

with socket.socket(type=socket.SOCK_DGRAM) as s, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
    result = [talk(s, host), talk(s, host), talk(six, "::ffff:" + host)]
    dissolve(s)
    result.append(talk(s, host))
    result.append(attempt(s.connect, (own, port)))
    result.append(attempt(s.sendto, b"hello", (own, port)))
with socket.socket(type=socket.SOCK_DGRAM) as s:
    result.append(attempt(s.sendto, b"hello", (host, port)))
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.bind(("0.0.0.0", 0))
    result.append(attempt(s.connect, (host, port)))
"""


async def test_a_connected_udp_socket_reaches_what_it_is_connected_to_and_nothing_else(machine: Machine) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as private:
        server.bind((FAR, 0))
        port = server.getsockname()[1]
        private.bind((OWN, port))
        private.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(server, lambda: server.sendto(*server.recvfrom(100)))
        async with machine.environment() as inside:
            result = await inside.run(UDP, host=FAR, own=OWN, port=port)
        loop.remove_reader(server)
        assert result == ["hello"] * 4 + ["ENETUNREACH", "ENETUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]
        with pytest.raises(BlockingIOError):  # what was sent to a loopback address or nowhere has not come out
            private.recv(100)


async def test_a_flow_of_datagrams_ends_when_nothing_has_gone_through_for_a_while(machine: Machine) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((FAR, 0))
        server.settimeout(10)
        async with machine.environment() as inside:
            inside.begin(
                f"s = socket.socket(type=socket.SOCK_DGRAM)\ns.connect(({FAR!r}, {server.getsockname()[1]}))\n"
                "for number in range(2):\n    s.send(b'hello')\n    s.recv(100)\n"
                "    print(json.dumps(number), flush=True)\n    control.recv(1)\nresult = 'done'"
            )
            askers = []
            for number in range(2):
                data, asker = await asyncio.to_thread(server.recvfrom, 100)
                askers.append(asker)
                server.sendto(data, asker)
                assert await inside.result() == number
                assert len(inside.attachment._flows._open) == 1
                await machine.clock.advance(limits.EGRESS_FLOW_IDLE_S + 1)
                assert not inside.attachment._flows._open
                inside.begin("on")
            assert await inside.result() == "done"
            assert askers[0] != askers[1]


async def test_what_the_policy_does_not_admit_cannot_be_reached(machine: Machine, echo: socket.socket) -> None:
    host, port = echo.getsockname()
    policies = [
        (Policy(internet=False), "ENETUNREACH"),
        (Policy(allow=("198.51.100.0/29:1", "203.0.113.0/24")), "ENETUNREACH"),
        (Policy(allow=(f"{host}:{port}",)), None),
        (Policy(), None),
    ]
    for policy, outcome in policies:
        async with machine.environment(policy) as inside:
            assert await inside.run(f"result = attempt(socket.create_connection, ({host!r}, {port}))") == outcome


async def test_the_machine_itself_cannot_be_reached(machine: Machine) -> None:
    with socket.create_server((OWN, 0)) as listener:
        port = listener.getsockname()[1]
        async with machine.environment() as inside:
            result = await inside.run(
                "result = [attempt(socket.create_connection, (host, port)) for host in hosts]",
                hosts=[OWN, f"::ffff:{OWN}", "169.254.169.254", "255.255.255.255", "224.0.0.1", "fe80::1"],
                port=port,
            )
        assert result == ["ENETUNREACH"] * 6
        assert nobody_came(listener)


OWN_NETWORK = """
with socket.create_server(("127.0.0.1", 0)) as mine, socket.socket(socket.AF_UNIX) as named, \
        socket.socket(socket.AF_UNIX) as client, socket.socket(socket.AF_UNIX) as hidden:
    named.bind(path)
    named.listen()
    client.connect(path)
    hidden.bind("\\0hidden")
    hidden.listen()
    with socket.socket(socket.AF_UNIX) as other:
        other.connect("\\0hidden")
    result = [attempt(socket.create_connection, (host, mine.getsockname()[1])) for host in ("127.0.0.1", "0.0.0.0")]
result += [attempt(socket.create_connection, (host, port)) for host in ("127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1")]
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may write to."""
    with tempfile.TemporaryDirectory(prefix="lambent-egress-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


async def test_loopback_and_unix_sockets_are_the_environments_own(machine: Machine, shared: Path) -> None:
    with socket.create_server(("", 0)) as listener:
        async with machine.environment() as inside:
            values = {"path": str(shared / "socket"), "port": listener.getsockname()[1]}
            assert await inside.run(OWN_NETWORK, **values) == [None, None, *["ECONNREFUSED"] * 3]
        assert nobody_came_to(listener, OWN)


def nobody_came(listener: socket.socket) -> bool:
    """Whether a listener's first connection is the one that is made now."""
    with socket.create_connection(listener.getsockname()) as own, listener.accept()[0] as first:
        return bool(first.getpeername() == own.getsockname())


async def test_a_refused_connection_is_told(machine: Machine) -> None:
    with socket.create_server((FAR, 0)) as listener:
        port = listener.getsockname()[1]
    async with machine.environment() as inside:
        result = await inside.run(
            "result = [attempt(socket.create_connection, address, timeout) for timeout in (None, 30)]",
            address=(FAR, port),
        )
    assert result == ["ECONNREFUSED"] * 2


@contextlib.contextmanager
def black_hole() -> Iterator[tuple[str, int]]:
    """An address that does not answer: the queue of its listener is full."""
    with socket.create_server((FAR, 0), backlog=0) as listener, socket.socket() as first, socket.socket() as second:
        first.connect(listener.getsockname())
        second.setblocking(False)
        second.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.mark.parametrize(("patience", "outcome"), [(None, "ETIMEDOUT"), (5, "EINPROGRESS")], ids=["own", "kernel"])
async def test_a_connection_that_does_not_come_about_ends_in_time(
    machine: Machine, patience: int | None, outcome: str
) -> None:
    with black_hole() as address:
        async with machine.environment() as inside:
            inside.begin(
                "s = socket.socket()\n"
                f"s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', {patience or 0}, 0))\n"
                f"result = attempt(s.connect, {address!r})"
            )
            await machine.clock.waiting.wait()
            await machine.clock.advance(patience or limits.EGRESS_CONNECT_S)
            assert await inside.result() == outcome


async def test_a_killed_environment_leaves_no_connection_under_way(machine: Machine) -> None:
    egress = machine.egress(Policy())
    with black_hole() as address:
        async with machine.environment(egress=egress) as inside:
            inside.begin(f"socket.create_connection({address!r})")
            await machine.clock.waiting.wait()
            assert egress.under_way == 1
            inside.process.kill()
            await machine.ended(inside.attachment)
            assert egress.under_way == 0


async def test_the_number_of_connections_under_way_is_bounded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EGRESS_CONNECTS", 1)
    egress = machine.egress(Policy())
    with black_hole() as address:
        async with machine.environment(egress=egress) as inside:
            inside.begin(
                f"address = {address!r}\n"
                "threading.Thread(target=attempt, args=(socket.create_connection, address), daemon=True).start()\n"
                "control.recv(1)\nresult = attempt(socket.create_connection, address)"
            )
            await machine.clock.waiting.wait()
            inside.begin("on")
            assert await inside.result() == "ENOBUFS"


async def test_garbage_is_refused_as_the_kernel_refuses_it(machine: Machine) -> None:
    async with machine.environment() as inside:
        result = await inside.run("""
good = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 80, bytes([9, 9, 9, 9]))

def connect(number, address, length):
    libc.connect.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint]
    return errno.errorcode[ctypes.get_errno()] if libc.connect(number, address, length) else None

text = ctypes.create_string_buffer(good, 200)
there = ctypes.addressof(text)
with socket.socket() as s, open(os.devnull) as file, socket.socket(socket.AF_UNIX) as unix:
    result = [
        connect(s.fileno(), 0, 16), connect(s.fileno(), 1, 16), connect(s.fileno(), (1 << 64) - 8, 16),
        connect(s.fileno(), there, 129), connect(s.fileno(), there, (1 << 32) - 1), connect(s.fileno(), there, 8),
        connect(-1, there, 16), connect(1000, there, 16), connect(file.fileno(), there, 16),
        connect(unix.fileno(), there, 16), connect(s.fileno(), there, 0),
    ]
""")
    assert result == [
        *["EFAULT"] * 3, "EINVAL", "EINVAL", "EINVAL", "EBADF", "EBADF", "ENOTSOCK", "EINVAL", "EINVAL",
    ]  # fmt: skip


# What a function tries with a socket of the machine's. Each leaves `result`.
ESCAPES = {
    "an ended connection is bound to another port": (
        "s.sendall(b'end')\ns.recv(10)\nlinger(s)\nresult = attempt(s.bind, ('0.0.0.0', 0))",
        "EINVAL",
    ),
    "a refused connection is bound to another port": (
        "s = refused()\nresult = attempt(s.bind, ('0.0.0.0', 0))",
        "EINVAL",
    ),
    "a connection is dissolved": ("result = attempt(dissolve, s)", "EADDRNOTAVAIL"),
    "a connection is made into a listener": ("result = attempt(s.listen)", "EINVAL"),
    "a refused connection is made into a listener": ("s = refused()\nresult = attempt(s.listen)", "EINVAL"),
    "a connection goes elsewhere": ("result = attempt(s.connect, (own, private))", "EISCONN"),
    "a refused connection goes to the machine": (
        "s = refused()\nresult = attempt(s.connect, (own, private))",
        "ENETUNREACH",
    ),
    "a refused connection goes to the machine's loopback": (
        "s = refused()\nresult = attempt(s.connect, ('127.0.0.1', private))",
        "EADDRNOTAVAIL",
    ),
    "data opens a connection": (
        "s = refused()\nresult = attempt(s.sendto, b'hello', 0x20000000, (own, private))",
        errno.errorcode[errno.EOPNOTSUPP],
    ),
    "a message opens a connection": (
        "s = refused()\nresult = attempt(s.sendmsg, [b'hello'], [], 0x20000000, (own, private))",
        errno.errorcode[errno.EOPNOTSUPP],
    ),
    "connecting is put off": ("s = refused()\nresult = attempt(s.setsockopt, 6, 30, 1)", "EPERM"),
    "the guard is dismissed": ("result = attempt(s.setsockopt, 1, 27, 0)", "EPERM"),
    "the guard is replaced": (
        (
            "code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0xFFFFFFFF))\n"
            "result = attempt(s.setsockopt, 1, 26, struct.pack('@HP', 1, ctypes.addressof(code)))"
        ),
        "EPERM",
    ),
    "the guard is unlocked": ("result = attempt(s.setsockopt, 1, 44, 0)", "EPERM"),
    "another interface is chosen": ("result = attempt(s.setsockopt, 1, 25, b'lo')", "EPERM"),
    "a route is chosen": ("result = attempt(s.setsockopt, 0, 4, bytes([131, 7, 4, 127, 0, 0, 1, 0]))", "EPERM"),
    "the machine's interfaces are listed": ("result = attempt(fcntl.ioctl, s, 0x8912, bytes(16))", "EPERM"),
    "a neighbour is looked up": ("result = attempt(fcntl.ioctl, s, 0x8954, bytes(68))", "EPERM"),
    "io_uring": ("result = attempt(lambda: check(libc.syscall(425, 1, 0)))", "EPERM"),
    "32-bit numbers": ("result = attempt(lambda: check(libc.syscall(0x40000000 + 42, 0, 0, 0)))", "ENOSYS"),
}

HELD = """
def linger(of):
    of.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

def refused():
    s = socket.socket()
    s.setblocking(False)
    assert s.connect_ex((host, closed)) == errno.EINPROGRESS
    select.select([], [s], [])
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    s.setblocking(True)
    return s

s = socket.create_connection((host, port))
"""


@pytest.mark.parametrize("escape", ESCAPES)
async def test_a_socket_of_the_machine_leads_nowhere_else(machine: Machine, echo: socket.socket, escape: str) -> None:
    if "the guard" in escape and not connections.guards():
        pytest.skip("there is no guard")
    code, outcome = ESCAPES[escape]
    with socket.create_server((FAR, 0)) as gone:
        closed = gone.getsockname()[1]
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        values = {"host": FAR, "port": echo.getsockname()[1], "closed": closed, "own": OWN, "private": port}
        async with machine.environment() as inside:
            assert await inside.run(HELD + code, **values) == outcome
        assert nobody_came_to(listener, OWN)


def nobody_came_to(listener: socket.socket, host: str) -> bool:
    """As `nobody_came`, at one of the addresses of a listener at all of them."""
    with socket.create_connection((host, listener.getsockname()[1])) as own, listener.accept()[0] as first:
        return bool(first.getpeername() == own.getsockname())


RACE = """
s = socket.create_connection((host, port))
mine = socket.create_server(("127.0.0.1", 0))
place = os.dup(s.fileno())
addresses = [struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", p, socket.inet_aton(h))
             for p, h in ((mine.getsockname()[1], "127.0.0.1"), (0, "0.0.0.0"), (private, own))]
box = ctypes.create_string_buffer(addresses[0], 16)
going = True

def swap():
    while going:
        with socket.socket() as other:
            other.setblocking(False)
            os.dup2(other.fileno(), place)
        box[:16] = addresses[0]
        os.dup2(s.fileno(), place)
        box[:16] = bytes(16)
        box[:16] = addresses[2]

thread = threading.Thread(target=swap)
thread.start()
s.setblocking(False)
sys.setswitchinterval(1e-5)
for _ in range(3000):
    libc.connect(place, box, 16)
going = False
thread.join()
result = "raced"
"""


async def test_a_race_for_the_descriptor_and_the_address_wins_nothing(machine: Machine, echo: socket.socket) -> None:
    with socket.create_server((OWN, 0)) as listener:
        async with machine.environment() as inside:
            values = {"host": FAR, "port": echo.getsockname()[1], "own": OWN, "private": listener.getsockname()[1]}
            assert await inside.run(RACE, **values) == "raced"
        assert nobody_came(listener)


def test_a_dissolved_socket_of_the_machine_hears_nobody_and_keeps_its_port(echo: socket.socket) -> None:
    """What a won race would give: everything is done to the socket that the broker prevents where it can."""
    destination = Destination(socket.AF_INET, ip_address(FAR), echo.getsockname()[1])
    libc = ctypes.CDLL(None)
    with contextlib.ExitStack() as stack:
        theirs = stack.enter_context(socket.socket())
        listener = stack.enter_context(socket.create_server((OWN, 0)))
        with connections.connect(theirs, destination, connections.Ports(b"key"), guarded=True) as ours:
            select.select([], [ours], [], 10)
            assert connections.failure(ours) == 0
            assert libc.connect(ours.fileno(), bytes(16), 16) == 0
            with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
                ours.bind(("", 0))
            assert ours.connect_ex(listener.getsockname()) == errno.EINPROGRESS
            assert nobody_came(listener)
            assert connections.progress(ours) == errno.EALREADY
            assert libc.connect(ours.fileno(), bytes(16), 16) == 0
            ours.listen()
            with socket.socket() as caller:
                caller.setblocking(False)
                assert caller.connect_ex((OWN, ours.getsockname()[1])) == errno.EINPROGRESS
                with pytest.raises(BlockingIOError):
                    ours.accept()


async def test_a_socket_that_lingers_holds_up_nobody_else(machine: Machine, echo: socket.socket) -> None:
    egress = machine.egress(Policy())
    host, port = echo.getsockname()
    code = """
mine = socket.create_server(("127.0.0.1", 0))
full = []
for _ in range(20):
    s = socket.create_connection(mine.getsockname())
    s.setblocking(False)
    try:
        while True:
            s.send(bytes(65536))
    except BlockingIOError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    full.append(s)
for s in full:
    threading.Thread(target=attempt, args=(s.connect, (host, port)), daemon=True).start()
for s in full:
    threading.Thread(target=os.close, args=(s.detach(),), daemon=True).start()
print(json.dumps("on"), flush=True)
"""
    async with machine.environment(egress=egress) as hostile, machine.environment(egress=egress) as other:
        hostile.begin(f"host, port = {host!r}, {port}\n{code}")
        await hostile.result()
        result = await other.run(f"result = attempt(socket.create_connection, ({host!r}, {port}))")
    assert result is None


@pytest.mark.parametrize(
    ("address", "port", "allow", "admitted"),
    [
        ("93.184.216.34", 443, (), True),
        ("10.0.0.5", 5432, (), True),
        ("fd12::1", 443, (), True),
        ("2606:2800::1", 443, (), True),
        ("198.51.100.1", 80, (), False),
        ("127.0.0.1", 80, (), False),
        ("0.0.0.0", 80, (), False),
        ("0.1.2.3", 80, (), False),
        ("169.254.169.254", 80, ("169.254.169.254/32",), False),
        ("100.100.100.200", 80, (), False),
        ("168.63.129.16", 80, (), False),
        ("224.0.0.251", 5353, (), False),
        ("255.255.255.255", 67, (), False),
        ("::", 80, (), False),
        ("::1", 80, ("::/0",), False),
        ("::7f00:1", 80, (), False),
        ("fe80::1", 80, (), False),
        ("ff02::1", 80, (), False),
        ("fd00:ec2::254", 80, (), False),
        ("64:ff9b::5db8:d822", 443, (), True),
        ("64:ff9b::a9fe:a9fe", 80, (), False),
        ("64:ff9b::c633:6401", 80, (), False),
        ("2002:7f00:1::", 80, (), False),
        ("2001:0:1::", 80, (), False),
        ("10.0.0.5", 5432, ("10.0.0.0/8:5432",), True),
        ("10.0.0.5", 5433, ("10.0.0.0/8:5432",), False),
        ("93.184.216.34", 443, ("10.0.0.0/8",), False),
        ("198.51.100.1", 5432, ("198.51.100.0/24",), False),
        ("198.51.100.1", 5432, ("198.51.100.1:5432",), True),
        ("198.51.100.1", 22, ("198.51.100.1:5432", "198.51.100.0/24"), False),
        ("2001:db8::7", 443, ("[2001:db8::/32]:443",), True),
        ("2001:db8::7", 80, ("[2001:db8::/32]:443",), False),
        ("2001:db8::7", 80, ("2001:db8::7",), True),
    ],
)
def test_a_policy_decides(address: str, port: int, allow: tuple[str, ...], admitted: bool) -> None:
    own = {"198.51.100.1", "127.0.0.1"}
    border = Border(Policy(allow=allow), lambda asked: str(asked) not in own)
    assert border.admits(ip_address(address), port) is admitted
    assert not Border(Policy(internet=False, allow=allow), lambda _: True).admits(ip_address(address), port)


@pytest.mark.parametrize(
    "entry", ["", "example.com", "10.0.0.1/8", "10.0.0.0/8:0", "10.0.0.0/8:70000", "[::1", "1.2.3.4:x"]
)
def test_a_policy_of_nonsense_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy(allow=(entry,))


def test_the_kernel_says_what_leaves_the_machine() -> None:
    for address in ("127.0.0.1", OWN, FAR, FAR_SIX, "::1", "203.0.113.1", "2001:db8::1"):
        assert not routes.leaves(ip_address(address))
    if shutil.which("ip") is None:
        pytest.skip("the machine has no ip(8) to make a route with")
    kinds = ("dummy", "ifb", "bridge")
    if not any(
        subprocess.run(["ip", "link", "add", "far0", "type", kind], check=False).returncode == 0 for kind in kinds
    ):
        pytest.skip("no interface can be made here")
    for command in ("address add 203.0.113.1/24 dev far0", "link set far0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    try:
        assert routes.leaves(ip_address("203.0.113.7"))
        assert not routes.leaves(ip_address("203.0.113.1"))
        assert not routes.leaves(ip_address("203.0.113.255"))
    finally:
        subprocess.run(["ip", "link", "delete", "far0"], check=True)


UNPRIVILEGED = """
import asyncio, json, pathlib, socket, sys
sys.path.insert(0, sys.argv[1])
from lambent.compute.sandbox.egress import Egress, Policy, available, notify_filter
from lambent.kernel.clock import SystemClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.tasks import Supervisor

async def main(inside, code):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", inside, str(theirs.fileno()),
        pass_fds=[theirs.fileno()], stdout=asyncio.subprocess.PIPE,
    )
    theirs.close()
    ours.send(notify_filter())
    _, (notify, udp, tcp), _, _ = await asyncio.to_thread(socket.recv_fds, ours, 16, 3)
    clock = SystemClock()
    egress = Egress(Policy(), clock, SystemIds(), Supervisor(clock), leaves=lambda _: True)
    attachment = egress.attach(notify, socket.socket(fileno=udp), socket.socket(fileno=tcp))
    ours.send(code.encode())
    print((await process.communicate())[0].decode())
    attachment.close()

assert available() is None
asyncio.run(main(*sys.argv[2:4]))
"""


def test_a_server_without_rights_serves_its_environments(echo: socket.socket, shared: Path) -> None:
    python = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    if python is None:
        pytest.skip("no interpreter of this version that every user can run")
    for package in (lambent, msgspec):
        shutil.copytree(Path(package.__path__[0]), shared / package.__name__)
    host, port = echo.getsockname()
    values = f"host, port, timeout, inheritable = {host!r}, {port}, None, False\n"
    done = subprocess.run(
        [python, "-c", UNPRIVILEGED, str(shared), INSIDE, values + BLOCKING],
        user=54320, group=54320, extra_groups=[], cwd="/", check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip(), done.stderr
    assert json.loads(done.stdout)[:2] == ["hello", [host, port]]
