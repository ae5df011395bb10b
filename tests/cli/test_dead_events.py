"""`lambent dead-events` against a server that could not deliver: seen, read, sent again and forgotten."""

from __future__ import annotations

import http.client
import json
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from lambent.cli import main, presence
from lambent.cli.failure import Exit
from lambent.wire.dead_events import PATH
from tests.inboxes import inbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Server

QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"


class Command:
    """The command in this process, for the server of one folder."""

    def __init__(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main.run(["dead-events", *arguments, "--data", str(self.folder)])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def listed(self) -> list[dict[str, Any]]:
        code, out, err = self("--json")
        assert code == Exit.OK, err
        events: list[dict[str, Any]] = json.loads(out)
        return events

    def bury(self, *contents: bytes) -> list[int]:
        """Send events to a service that does not exist; their numbers once they are dead."""
        store = self.server.app.store
        before = {event["id"] for event in self.listed()}
        self.server.run(partial(store.write, lambda tx: [tx.send(QUEUE, content) for content in contents]))
        for _ in range(1000):
            new = [event["id"] for event in self.listed() if event["id"] not in before]
            if len(new) == len(contents):
                return new
        raise AssertionError("the events do not die")


@pytest.fixture
def command(lambent: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    folder = tmp_path / "noted"
    folder.mkdir()
    app = lambent.app
    with presence.announced(folder, app.endpoint, "1.0", app.sandbox, app.key):
        yield Command(lambent, folder, capsys)


def test_what_died_is_listed_and_read(command: Command) -> None:
    assert command("--json") == (Exit.OK, "[]\n", "")
    first, second = command.bury(b'{"n":1}', b"two")
    events = command.listed()
    assert [(event["id"], event["target"], event["size"]) for event in events] == [
        (first, QUEUE, 7),
        (second, QUEUE, 3),
    ]
    assert all("sqs is not built in Lambent yet" in event["error"] for event in events)
    code, out, _ = command()
    assert code == Exit.OK
    assert [line.split("\t")[2] for line in out.splitlines()] == [QUEUE, QUEUE]
    assert command(str(first), str(second)) == (Exit.OK, '{"n":1}\ntwo\n', "")


def test_what_died_is_sent_again(command: Command) -> None:
    first, second, third = command.bury(b"1", b"2", b"3")
    box = inbox(command.server, ordered=True)
    assert command("--revive", str(second)) == (Exit.OK, "revived: 1\n", "")
    assert [event["id"] for event in command.listed()] == [first, third]
    assert command("--revive", "--all", "--json") == (Exit.OK, '{"action":"revived","count":2}\n', "")
    assert [box.take(QUEUE).body for _ in range(3)] == [b"2", b"1", b"3"]
    assert command.listed() == []


def test_what_died_is_forgotten(command: Command) -> None:
    first, second, _ = command.bury(b"1", b"2", b"3")
    assert command("--forget", str(first)) == (Exit.OK, "forgotten: 1\n", "")
    code, _, err = command("--forget", str(first))
    assert (code, err) == (Exit.REFUSED, f"lambent: there is no dead event {first}\n")
    code, _, err = command(str(first))
    assert (code, err) == (Exit.REFUSED, f"lambent: there is no dead event {first}\n")
    assert command("--forget", "--all") == (Exit.OK, "forgotten: 2\n", "")
    assert second not in [event["id"] for event in command.listed()]


@pytest.mark.parametrize(
    "arguments",
    [["--revive"], ["--forget"], ["--all"], ["--revive", "--forget", "1"], ["--revive", "--all", "1"]],
    ids=["nothing to revive", "nothing to forget", "all of what", "both", "all and one"],
)
def test_what_is_not_clear_is_refused(command: Command, arguments: list[str]) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (Exit.USAGE, "")
    assert "--all" in err


def test_a_folder_without_a_server_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["dead-events", "--data", str(tmp_path)]) == Exit.UNREACHABLE
    assert "lambent up" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer wrong", "Bearer \u00e4"])
def test_nobody_gets_in_without_the_key(lambent: Server, key: str) -> None:
    where = urlsplit(lambent.endpoint)
    for method in ("GET", "POST", "DELETE"):
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        connection.request(method, PATH, headers={"Authorization": key} if key else {})
        answer = connection.getresponse()
        assert answer.status == 403
        assert b"server.json" in answer.read()
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", PATH, 405),
        ("GET", f"{PATH}/x", 404),
        ("PUT", f"{PATH}/1", 404),
        ("GET", f"{PATH}/{2**63}", 404),
        ("DELETE", f"{PATH}/{'9' * 5000}", 404),
        ("GET", f"{PATH}?after={2**63}", 200),
    ],
    ids=["change all", "no number", "change one", "beyond 64 bits", "beyond all", "after beyond 64 bits"],
)
def test_what_the_page_does_not_know_is_told(lambent: Server, method: str, path: str, status: int) -> None:
    where = urlsplit(lambent.endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    connection.request(method, path, headers={"Authorization": f"Bearer {lambent.app.key}"})
    answer = connection.getresponse()
    assert answer.status == status
    connection.close()
