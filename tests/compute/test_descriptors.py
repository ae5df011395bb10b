"""SnapStart: what INIT has open is each environment's own, or there is no snapshot."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from lambent.kernel.errors import AwsError
from tests.compute.snapshots import WAITING, published, together

if TYPE_CHECKING:
    from tests.compute.programs import Yard

TOLD = "\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"


async def two(yard: Yard, init: str, body: str, **files: bytes) -> list[Any]:
    """What the `body` of a handler answers the events `a` and `b` in two environments that are there together, restored
    after `init`."""
    source = WAITING + dedent(init) + '\ndef handler(event, context):\n    print("here")\n    wait()\n'
    source += "\n".join("    " + line for line in dedent(body).splitlines())
    function = published(yard, {"app.py": source, **files})
    await yard.engine.snapshot(function)
    answers = await together(yard, await yard.gate(function), function, ["a", "b"])
    assert not yard.lines("SnapStart is not used"), yard.lines("SnapStart is not used")
    assert sum("INIT_START" in message for message in yard.facts.messages) == 1
    return answers


OBSTACLES = {
    "listening": (
        "import socket; S = socket.create_server(('127.0.0.1', 0))",
        "a socket that listens at 127.0.0.1:",
    ),
    "listening locally": (
        "import socket; S = socket.socket(socket.AF_UNIX); S.bind('\\0name'); S.listen()",
        "listens at \x00name",
    ),
    "unconnected": (
        "import socket; S = socket.socket()",
        "a socket that is not connected",
    ),
    "bound": (
        "import socket; S = socket.socket(type=socket.SOCK_DGRAM); S.bind(('', 5000))",
        "a socket at 0.0.0.0:5000",
    ),
    "pair with data": (
        "import socket; A, B = socket.socketpair(); A.send(b'x')",
        "a socket with data in it",
    ),
    "pair with an empty datagram": (
        "import socket; A, B = socket.socketpair(type=socket.SOCK_DGRAM); A.send(b'')",
        "a socket with data in it",
    ),
    "half a pair": (
        "import socket; A, B = socket.socketpair(); A.shutdown(1)",
        "closed by half",
    ),
    "netlink": (
        "import socket; S = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "of a kind that cannot be renewed",
    ),
    "full pipe": (
        "A, B = os.pipe(); os.write(B, bytes(4097))",
        "a pipe with data in it",
    ),
    "named pipe": (
        "os.mkfifo('/tmp/fifo'); A = os.open('/tmp/fifo', os.O_RDWR)",
        "a pipe with a name, /tmp/fifo,",
    ),
    "file without a name": (
        "import tempfile; F = tempfile.TemporaryFile()",
        "a file without a name",
    ),
    "lock": (
        "import fcntl; F = open('/tmp/lock', 'w'); fcntl.flock(F, 2)",
        "a locked file, /tmp/lock,",
    ),
    "inotify": (
        "import ctypes; N = ctypes.CDLL(None).inotify_init()",
        "anon_inode:inotify",
    ),
    "epoll of a closed descriptor": (
        "import select; P = select.epoll(); A, B = os.pipe(); P.register(A); C = os.dup(A); os.close(A)",
        "an epoll of",
    ),
    "mapping": (
        "import mmap; M = mmap.mmap(-1, 10)",
        "memory is shared at the end of INIT: /dev/zero",
    ),
    "multiprocessing": (
        "from multiprocessing import Value; V = Value('i', 1)",
        "memory is shared at the end of INIT",
    ),
    "system v": (
        "import ctypes; ctypes.CDLL(None).shmget(0, 10, 0o1600)",
        "shared memory of System V",
    ),
    "alarm": (
        "import signal; signal.alarm(1000)",
        "an alarm is set",
    ),
    "orphan": (
        "if os.fork() == 0:\n    if os.fork() == 0: signal.pause()\n    os._exit(0)\nos.wait()",
        "processes run",
    ),
}
"""Something done in INIT, and what the log says of it."""


@pytest.fixture
def yard(walled: Yard) -> Yard:
    return walled


async def test_the_position_in_a_file_is_its_own(yard: Yard) -> None:
    init = """
    import io, os, zipfile
    with zipfile.ZipFile("/tmp/zip", "w") as made:
        for name in ("a", "b"):
            made.writestr(name, name.encode() * 300_000)
    ARCHIVE = zipfile.ZipFile("/tmp/zip")
    PLAIN = open("/var/task/letters", "rb", buffering=0)
    PLAIN.seek(2)
    AGAIN = os.dup(PLAIN.fileno())
    """
    body = """
    whole = all(ARCHIVE.read(event) == event.encode() * 300_000 for _ in range(50))
    return [whole, PLAIN.read(2).decode(), os.read(AGAIN, 2).decode(), os.get_inheritable(AGAIN)]
    """
    answers = await two(yard, init, body, letters=b"abcdefgh")
    assert answers == [[True, "cd", "ef", False]] * 2


async def test_what_is_written_is_written_to_its_own_file(yard: Yard) -> None:
    init = """
    LOG = open("/tmp/log", "a+")
    LOG.write("init ")
    LOG.flush()
    """
    body = """
    for _ in range(3):
        LOG.write(event)
        LOG.flush()
    LOG.seek(0)
    return [LOG.read(), open("/tmp/log").read()]
    """
    assert await two(yard, init, body) == [["init aaa"] * 2, ["init bbb"] * 2]


async def test_folders_and_files_of_other_kinds_are_opened_again(yard: Yard) -> None:
    init = """
    import mmap, tempfile
    os.mkdir("/tmp/folder")
    FOLDER, MARK = os.open("/tmp/folder", os.O_RDONLY), os.open("/tmp", os.O_PATH)
    ITSELF = open("/proc/self/stat")
    DEVICE = open("/dev/urandom", "rb", buffering=0)
    NAMED = tempfile.NamedTemporaryFile("w+")
    with open("/tmp/gone", "w") as file: file.write("deleted")
    GONE = open("/tmp/gone", buffering=1)
    GONE.seek(2)
    os.remove("/tmp/gone")
    with open("/var/task/app.py", "rb") as file: SEEN = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    MANY = [open("/var/task/app.py") for _ in range(300)]
    """
    body = """
    for folder in (FOLDER, MARK):
        os.close(os.open(event, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    NAMED.write(event)
    NAMED.flush()
    return [os.listdir("/tmp/folder"), os.path.exists("/tmp/" + event), ITSELF.read().split()[0] == str(os.getpid()),
            len(DEVICE.read(9)), open(NAMED.name).read(), GONE.read(), SEEN[:9].decode(), MANY[-1].read(9)]
    """
    answers = await two(yard, init, body)
    assert answers == [[[event], True, True, 9, event, "leted", "import os", "import os"] for event in "ab"]


async def test_a_database_that_is_kept_open(yard: Yard) -> None:
    init = """
    import sqlite3
    BASE = sqlite3.connect("/tmp/base", isolation_level=None)
    BASE.execute("create table rows (value text)")
    BASE.execute("insert into rows values ('init')")
    """
    body = """
    read = [value for value, in BASE.execute("select value from rows")]
    BASE.executemany("insert into rows values (?)", [(event,)] * 20)
    again = sqlite3.connect("/tmp/base")
    return [read, sorted({value for value, in again.execute("select value from rows")})]
    """
    assert await two(yard, init, body) == [[["init"], ["a", "init"]], [["init"], ["b", "init"]]]


@pytest.mark.parametrize("library", ["asyncio", "uvloop"])
async def test_an_event_loop_hears_of_its_own_environment_only(yard: Yard, library: str) -> None:
    """Both wait at the same time, at the same number, and are woken by threads of their own."""
    init = f"""
    import asyncio, threading, {library}
    LOOP = {library}.new_event_loop()
    asyncio.set_event_loop(LOOP)
    async def begin(): return await asyncio.sleep(0.001, "begun")
    assert LOOP.run_until_complete(begin()) == "begun"
    """
    body = """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    told, empty, woken = [], [], []
    def hear():
        try: told.append(os.read(reader, 1).decode())
        except BlockingIOError: empty.append(reader)
        if len(told) == 100: heard.set_result(told)
    def write():
        for _ in range(100):
            os.write(writer, event.encode())
            LOOP.call_soon_threadsafe(woken.append, event)
    heard = LOOP.create_future()
    LOOP.add_reader(reader, hear)
    thread = threading.Thread(target=write)
    thread.start()
    LOOP.run_until_complete(asyncio.wait_for(heard, 5))
    thread.join()
    LOOP.run_until_complete(asyncio.sleep(0))
    return [told == woken == [event] * 100, empty]
    """
    assert await two(yard, init, body, **packaged(library)) == [[True, []]] * 2


async def test_pipes_pairs_and_counters_are_made_anew(yard: Yard) -> None:
    init = """
    import ctypes, fcntl, select, socket
    libc = ctypes.CDLL(None)
    READER, WRITER = os.pipe()
    os.set_blocking(READER, False)
    os.set_inheritable(WRITER, True)
    fcntl.fcntl(WRITER, 1031, 1 << 17)
    FULL, other_end = os.pipe()
    os.write(other_end, b"init")
    LEFT, RIGHT = socket.socketpair()
    FIRST, SECOND = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    FIRST.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ENDED, closed = socket.socketpair()
    closed.close()
    COUNTER, TICKETS = libc.eventfd(5, 0), libc.eventfd(3, 1 | os.O_NONBLOCK)
    POLL = select.epoll()
    POLL.register(READER, select.EPOLLIN | select.EPOLLET)
    POLL.register(RIGHT, select.EPOLLIN)
    OVER = select.epoll()
    OVER.register(POLL, select.EPOLLIN)
    CLOSED, other = os.pipe()
    os.close(other)
    """
    body = """
    number = 1 + "ab".index(event)
    os.write(WRITER, event.encode())
    LEFT.send(event.encode() * number)
    FIRST.send(event.encode())
    os.write(COUNTER, number.to_bytes(8, "little"))
    tickets = []
    while True:
        try: tickets.append(int.from_bytes(os.read(TICKETS, 8), "little"))
        except BlockingIOError: break
    return [
        sorted([READER, RIGHT.fileno()]) == sorted(each for each, _ in POLL.poll(5)),
        [each for each, _ in OVER.poll(5)] == [POLL.fileno()],
        os.read(READER, 10).decode(), RIGHT.recv(10).decode(), SECOND.recv(10).decode(),
        int.from_bytes(os.read(COUNTER, 8), "little"), tickets, os.read(CLOSED, 1).decode(), os.read(FULL, 10).decode(),
        os.get_blocking(READER), os.get_blocking(WRITER), os.get_inheritable(WRITER), os.get_inheritable(READER),
        fcntl.fcntl(READER, 1032) >> 10, ENDED.recv(1).decode(),
        [each.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED) for each in (FIRST, SECOND)],
    ]
    """
    same = [[1, 1, 1], "", "init", False, True, True, False, 128, "", [1, 0]]
    assert await two(yard, init, body) == [
        [True, True, "a", "a", "a", 6, *same],
        [True, True, "b", "bb", "b", 7, *same],
    ]


async def test_what_a_library_renews_itself_is_left_to_it(yard: Yard) -> None:
    """It closes what it had and opens others, which come to have the same numbers in another order."""
    init = """
    import ctypes, select
    libc = ctypes.CDLL(None)
    BOTH = [libc.epoll_create1(0), libc.eventfd(0, 0)]
    POLL = select.epoll()
    POLL.register(BOTH[1], select.EPOLLIN)
    def begin_anew():
        for each in BOTH: os.close(each)
        BOTH[:] = [libc.eventfd(7, 0), libc.epoll_create1(0)]
    os.register_at_fork(after_in_child=begin_anew)
    """
    body = """
    counter, poll = BOTH[0], select.epoll.fromfd(BOTH[1])
    poll.register(counter, select.EPOLLIN)
    found = poll.poll(5) == [(counter, select.EPOLLIN)]
    return [found, POLL.poll(0), int.from_bytes(os.read(counter, 8), "little")]
    """
    assert await two(yard, init, body) == [[True, [], 7]] * 2


async def test_datagrams_come_back_to_whom_sent_the_question(yard: Yard) -> None:
    init = """
    import socket
    FREE = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    FREE.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    FREE.settimeout(5)
    USED = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    USED.sendto(b"nobody", ("127.0.0.1", 8125))
    JOINED = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    """
    body = """
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("127.0.0.1", 0))
    FREE.sendto(event.encode(), echo.getsockname())
    USED.sendto(b"x", echo.getsockname())
    question, asker = echo.recvfrom(10)
    echo.sendto(question * 2, asker)
    return [FREE.recv(10).decode(), FREE.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST),
            FREE.getsockname()[1], USED.getsockname()[1], JOINED.getsockname()[1]]
    """
    first, second = await two(yard, init, body)
    assert first[:2] == ["aa", 1]
    assert second[:2] == ["bb", 1]
    assert len({*first[2:4], *second[2:4]}) == 4
    assert first[4] == second[4] == 0


async def test_a_connection_is_found_dead_by_all(yard: Yard) -> None:
    init = """
    import http.client, socket
    HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    ASKED = socket.create_connection((HOST, int(PORT)))
    ASKED.sendall(b"GET /2018-06-01/unknown HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    assert ASKED.recv(1, socket.MSG_PEEK) == b"H"
    CLIENT = http.client.HTTPConnection(HOST, int(PORT))
    CLIENT.request("GET", "/2018-06-01/unknown")
    CLIENT.getresponse().read()
    """
    body = """
    def error(call, *arguments):
        try: return call(*arguments).decode()
        except OSError as error: return type(error).__name__
    first = error(CLIENT.request, "GET", "/")
    CLIENT.close()
    CLIENT.request("GET", "/2018-06-01/unknown")
    return [error(ASKED.recv, 1), error(ASKED.send, b"x"), first, CLIENT.getresponse().status]
    """
    assert await two(yard, init, body) == [["", "BrokenPipeError", "BrokenPipeError", 404]] * 2


async def test_a_copy_of_the_output_leads_to_the_log_of_each(yard: Yard) -> None:
    init = """
    COPY = os.fdopen(os.dup(1), "w", buffering=1)
    """
    body = """
    COPY.write("said by %s\\n" % event)
    return context.log_stream_name
    """
    streams = await two(yard, init, body)
    told = {e.message.strip(): stream.name for stream, e in yard.facts.events if e.message.startswith("said by")}
    assert [told["said by a"], told["said by b"]] == streams


async def test_what_cannot_be_renewed_after_all_fails_the_restore(yard: Yard) -> None:
    source = """
    import os
    FILE, openings, real = open("/tmp/file", "w"), [], os.open
    def fail(path, *arguments):
        openings.append(path)
        if openings.count("/tmp/file") > 1:
            raise OSError(28, "No space left on device")
        return real(path, *arguments)
    os.open = fail
    def handler(event, context): pass
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    with pytest.raises(AwsError) as caught:
        await yard.invoke(function)
    assert caught.value.code == "SnapStartException"
    assert yard.lines("No space left on device")


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_what_cannot_be_each_ones_own_keeps_the_snapshot_from_being(yard: Yard, obstacle: str) -> None:
    begun, reason = OBSTACLES[obstacle]
    function = published(yard, f"import os, signal\n{begun}\n{TOLD}")
    await yard.engine.snapshot(function)
    (line,) = yard.lines("SnapStart is not used for this version")
    assert reason in line
    assert line.endswith(".")
    assert await yard.result(function) == "on-demand"


def packaged(library: str) -> dict[str, bytes]:
    """The files of an installed library that no interpreter brings along."""
    if library != "uvloop":
        return {}
    root = Path(uvloop.__file__).parent
    files = [each for each in root.rglob("*") if each.suffix in (".py", ".so")]
    return {f"uvloop/{each.relative_to(root)}": each.read_bytes() for each in files}
