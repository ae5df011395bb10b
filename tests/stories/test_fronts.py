"""Fronts: what a client gets through one is what the server itself would have answered, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import select
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import serving, settings_for
from tests.stories.leaks import PATIENCE_S, children, command, premises
from tests.stories.turnstile import Crowd, made
from tests.support import create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server

SOURCE = """
def handler(event, context):
    if event == "fail":
        raise ValueError("as asked")
    if isinstance(event, int):
        return "x" * event
    return {"event": event, "arn": context.invoked_function_arn}
"""
INVOKE = "/2015-03-31/functions/f/invocations"
PASSING = re.compile(
    rb"(?i)\r\n(date|x-amzn-requestid|x-amz-log-result): [^\r]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    rb"|[0-9a-f]{64}|\d{8}T\d{6}Z|[\w+/]{43}="
)
"""What differs from answer to answer."""


class Case(NamedTuple):
    """A request, and whether a front answers it; the others go back to the server."""

    name: str
    fronted: bool
    path: str = INVOKE
    body: bytes = b'{"a": 1}'
    method: str = "POST"
    headers: dict[str, str] = {}  # noqa: RUF012 never changed
    secret: str = "test"
    unsigned: dict[str, str] = {}  # noqa: RUF012 never changed
    chunked: bool = False


CASES = [
    Case("plain", True),
    Case("no body", True, body=b""),
    Case("qualifier", True, path=f"{INVOKE}?Qualifier=%24LATEST"),
    Case("dry run", True, headers={"X-Amz-Invocation-Type": "DryRun"}),
    Case("an event that is queued", True, headers={"X-Amz-Invocation-Type": "Event"}),
    Case("tail of the log", True, headers={"X-Amz-Log-Type": "Tail"}),
    Case("error of the function", True, body=b'"fail"'),
    Case("no such function", True, path=INVOKE.replace("/f/", "/nobody/")),
    Case("no such version", True, path=f"{INVOKE}?Qualifier=7"),
    Case("no JSON", True, body=b"{"),
    Case("a long answer", True, body=b"3000000"),
    Case("too long an answer", True, body=b"7000000"),
    Case("a body in two segments", True, body=b'"' + b"a" * 100_000 + b'"'),
    Case("connection close", True, unsigned={"Connection": "close"}),
    Case("bad invocation type", False, headers={"X-Amz-Invocation-Type": "Sometimes"}),
    Case("bad name", False, path=INVOKE.replace("/f/", "/f%20g/")),
    Case("a large body", False, body=b'"' + b"a" * 1_000_000 + b'"'),
    Case("chunks", False, chunked=True),
    Case("expectation", False, unsigned={"Expect": "100-continue"}),
    Case("wrong secret", False, secret="wrong"),
    Case(
        "a form", False, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"Action=Invoke&Version=1"
    ),
    Case("a page of this machine", False, unsigned={"Origin": "http://localhost:3000"}),
    Case("a page of another", False, unsigned={"Origin": "https://example.com"}),
    Case("another operation", False, path="/2019-09-30/functions/f/concurrency", method="GET", body=b""),
    Case("no operation", False, path="/2015-03-31/functions/f/invocations/more"),
    Case("health", False, path="/_lambent/health", method="GET", body=b""),
    Case("an upgrade", False, unsigned={"Connection": "upgrade", "Upgrade": "h2c"}),
]


class Client:
    """A connection, and how requests for its server are signed."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        host, port = endpoint.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, case: Case) -> bytes:
        """The bytes of a request."""
        aws = AWSRequest(case.method, self._endpoint + case.path, headers=dict(case.headers), data=case.body)
        SigV4Auth(Credentials("test", case.secret), "lambda", "us-east-1").add_auth(aws)
        headers = {"Host": self._endpoint.removeprefix("http://"), **dict(aws.headers.items()), **case.unsigned}
        body = case.body
        if case.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            headers["Content-Length"] = str(len(body))
        lines = [f"{case.method} {case.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def answer(self) -> bytes:
        """The next answer, head and body; empty where the connection has ended."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(65536)
            if not piece:
                return data
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100"):
            return rest or self.answer()
        found = re.search(rb"(?i)content-length: (\d+)", head)
        missing = (int(found[1]) if found else 0) - len(rest)
        while missing > 0:
            piece = self.socket.recv(missing)
            assert piece, "the answer broke off"
            rest += piece
            missing -= len(piece)
        assert missing == 0, "more than one answer"
        return head + b"\r\n\r\n" + rest

    def ask(self, case: Case) -> bytes:
        self.socket.sendall(self.request(case))
        return self.answer()

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two fronts and a function."""
    with serving(settings_for(tmp_path_factory.mktemp("fronted"), fronts=2)) as server:
        create(server.client("lambda"), "f", {"app.py": SOURCE}, "app.handler", Timeout=60)
        yield server


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without, and the same function."""
    with serving(settings_for(tmp_path_factory.mktemp("direct"))) as server:
        create(server.client("lambda"), "f", {"app.py": SOURCE}, "app.handler", Timeout=60)
        yield server


@pytest.fixture
def client(fronted: Server) -> Iterator[Client]:
    made_client = Client(fronted.endpoint)
    yield made_client
    made_client.close()
    wait_for(fronted, lent=0)


def lent(server: Server) -> int:
    """How many connections its fronts have."""

    async def count() -> int:
        return server.app.lobby.lent

    return int(server.run(count))


def wait_for(server: Server, **figures: int) -> None:
    """Return once these figures of its fronts are so."""
    lobby = server.app.lobby
    server.run(lambda: lobby.until(lambda: all(getattr(lobby, name) == figure for name, figure in figures.items())))


def comparable(answer: bytes, server: Server) -> bytes:
    return PASSING.sub(b"", answer).replace(server.endpoint.encode(), b"http://here")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_front_answers_what_the_server_would_have_answered(fronted: Server, direct: Server, case: Case) -> None:
    answers = []
    for server in (fronted, direct):
        client = Client(server.endpoint)
        answers.append(comparable(client.ask(case), server))
        if server is fronted and "Connection" not in case.unsigned:
            assert lent(server) == (1 if case.fronted else 0)
        client.close()
        wait_for(server, lent=0)
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 ")


STRANGE_LINES = [
    b"Host: example.com",
    b"X-Amz-Security-Token: x",
    b"X-Amz-Content-Sha256: 00",
    b"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD",
    b"X-Amz-Client-Context: \xff\xfe",
    b"X-Amzn-Trace-Id: \xe9; a=b",
    b"X-Amz-Date: 20200101T000000Z",
    b"Authorization: x",
    b"Content-Encoding: gzip",
    b"Transfer-Encoding: chunked",
    b"Cookie: " + b"a" * 70_000,
]


def spoilt(request: bytes, seed: int) -> bytes:
    """The request with something about its head changed, but not so that more of it would have to be waited for."""
    chance = random.Random(seed)
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    at = chance.randrange(len(lines) - 1)  # Content-Length is the last one
    match seed % 4:
        case 0:
            line = bytearray(lines[at])
            place = chance.randrange(len(line))
            line[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
            lines[at] = bytes(line)
        case 1:
            lines.insert(chance.randrange(1, len(lines)), lines[at])
        case 2:
            del lines[at]
        case 3:
            lines.insert(at + 1, chance.choice(STRANGE_LINES))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_whatever_becomes_of_a_head_a_front_answers_as_the_server_would(fronted: Server, direct: Server) -> None:
    for seed in range(48):
        answers = []
        for server in (fronted, direct):
            client = Client(server.endpoint)
            client.socket.sendall(spoilt(client.request(CASES[0]), seed))
            answers.append(comparable(client.answer(), server))
            client.close()
        assert answers[0] == answers[1], seed
    wait_for(fronted, lent=0)


def test_a_request_may_be_split_at_every_byte(client: Client) -> None:
    request = client.request(CASES[0])
    for at in range(1, len(request), 7):
        client.socket.sendall(request[:at])
        client.socket.sendall(request[at:])
        assert client.answer().startswith(b"HTTP/1.1 200")


def test_requests_sent_ahead_are_answered_in_order_by_whoever_can(client: Client) -> None:
    names = ["plain", "another operation", "error of the function", "no JSON", "health", "plain"]
    cases = [next(case for case in CASES if case.name == name) for name in names]
    client.socket.sendall(b"".join(map(client.request, cases)))
    data = b""
    while data.count(b"HTTP/1.1 ") < len(cases) or not data.endswith(b"}"):
        data += client.socket.recv(65536)
    assert re.findall(rb"HTTP/1.1 (\d+)", data) == [b"200", b"200", b"200", b"400", b"200", b"200"]
    assert [b'"event"' in part for part in data.split(b"HTTP/1.1 ")[1:]] == [True, False, False, False, False, True]


def test_a_client_that_has_done_other_things_comes_back_to_a_front(fronted: Server, client: Client) -> None:
    other = next(case for case in CASES if case.name == "another operation")
    assert client.ask(other).startswith(b"HTTP/1.1 200")
    assert lent(fronted) == 0
    for _ in range(20):  # it is given back between two requests, for which the next may come too soon
        assert client.ask(CASES[0]).startswith(b"HTTP/1.1 200")
    assert lent(fronted) == 1


def test_who_has_said_all_is_answered_to_the_end(client: Client) -> None:
    client.socket.sendall(client.request(CASES[0]) * 3)
    client.socket.shutdown(socket.SHUT_WR)
    data = b""
    while piece := client.socket.recv(65536):
        data += piece
    assert data.count(b"HTTP/1.1 200") == 3


def test_a_request_that_never_ends_is_not_a_fronts_for_long(fronted: Server, client: Client) -> None:
    request = client.request(CASES[0])
    client.socket.sendall(request[:-1])
    wait_for(fronted, lent=1)
    wait_for(fronted, lent=0)
    client.socket.sendall(request[-1:])
    assert client.answer().startswith(b"HTTP/1.1 200")


def test_who_closes_is_counted_out(fronted: Server) -> None:
    clients = [Client(fronted.endpoint) for _ in range(10)]
    for each in clients:
        assert each.ask(CASES[0]).startswith(b"HTTP/1.1 200")
    assert lent(fronted) == 10
    for each in clients:
        each.close()
    wait_for(fronted, lent=0)


def fronts_of(process: int) -> set[int]:
    return {child for child in children(process) if "lambent.front" in command(child)}


def test_a_front_that_is_killed_takes_its_own_clients_along_and_nobody_else(tmp_path: Path) -> None:
    others = fronts_of(os.getpid())
    with serving(settings_for(tmp_path, fronts=2)) as server:
        create(server.client("lambda"), "f", {"app.py": SOURCE}, "app.handler", Timeout=60)
        clients = [Client(server.endpoint) for _ in range(4)]
        for each in clients:
            assert each.ask(CASES[0]).startswith(b"HTTP/1.1 200")
        victim = min(fronts_of(os.getpid()) - others)
        os.kill(victim, signal.SIGKILL)
        wait_for(server, ready=1)
        lost = 0
        for each in clients:
            with contextlib.suppress(ConnectionError):
                lost += not each.ask(CASES[0])
                continue
            lost += 1
        assert lost == 2
        fresh = Client(server.endpoint)
        assert fresh.ask(CASES[0]).startswith(b"HTTP/1.1 200")
        wait_for(server, ready=2)
        assert len(fronts_of(os.getpid()) - others - {victim}) == 2
        for each in (*clients, fresh):
            each.close()
    assert fronts_of(os.getpid()) == others


def test_without_any_front_the_server_answers_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambent.app.FRONT", "lambent.no_such_front")
    with serving(settings_for(tmp_path, fronts=1)) as server:
        create(server.client("lambda"), "f", {"app.py": SOURCE}, "app.handler", Timeout=60)
        client = Client(server.endpoint)
        assert client.ask(CASES[0]).startswith(b"HTTP/1.1 200")
        assert lent(server) == 0
        client.close()


def test_what_runs_is_answered_when_the_server_stops_and_the_fronts_end_with_it(tmp_path: Path) -> None:
    with premises(tmp_path, fronts=2) as site:
        crowd = Crowd(site)
        turnstile = made(site, ["slow"])
        below = fronts_of(site.server.pid)
        idle = Client(site.server.endpoint)
        assert idle.ask(CASES[0]).startswith(b"HTTP/1.1 404")
        crowd.call(*["slow"] * 6)
        turnstile.wait_for(6)
        stopping = threading.Thread(target=site.server.stop)
        stopping.start()
        assert idle.socket.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            Client(site.server.endpoint)
        turnstile.let(6)
        assert [answer.trouble for answer in crowd.take(6)] == [None] * 6
        stopping.join()
        idle.close()
        turnstile.close()
        crowd.close()
    assert len(below) == 2


def test_fronts_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    with premises(tmp_path, fronts=2) as site:
        watched = [os.pidfd_open(front) for front in fronts_of(site.server.pid)]
        assert len(watched) == 2
        site.kill()
        for descriptor in watched:
            assert select.select([descriptor], [], [], PATIENCE_S)[0]
            os.close(descriptor)


def test_a_ctrl_c_and_the_end_of_a_group_are_the_servers_to_hear(fronted: Server) -> None:
    for front in fronts_of(os.getpid()):
        assert os.getsid(front) == front
        ignored = re.search(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{front}/status").read_text())
        assert ignored is not None
        assert int(ignored[1], 16) & 1 << signal.SIGTERM - 1


def test_the_secrets_of_a_front_are_in_no_argument_and_no_variable(fronted: Server) -> None:
    for front in fronts_of(os.getpid()):
        assert b"sessions" not in Path(f"/proc/{front}/environ").read_bytes()
        assert re.fullmatch(r"\S+ -P -m lambent\.front \d+ \d+", command(front))


def test_a_thousand_calls_of_many_clients_get_their_own_answers(fronted: Server) -> None:
    failures: list[Any] = []

    def call(number: int) -> None:
        client = Client(fronted.endpoint)
        for turn in range(50):
            event = {"client": number, "turn": turn}
            answer = client.ask(CASES[0]._replace(body=json.dumps(event).encode()))
            if json.loads(answer.partition(b"\r\n\r\n")[2])["event"] != event:
                failures.append(answer)
        client.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
