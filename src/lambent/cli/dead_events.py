"""`lambent dead-events`: events that reached no target, to be seen, sent again or forgotten."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from lambent.cli import presence
from lambent.cli.failure import Exit, Failure
from lambent.cli.options import Json
from lambent.cli.terminal import console, show_json, show_table, watched
from lambent.wire.dead_events import PATH

EXAMPLES = (
    "lambent dead-events",
    "lambent dead-events 17 | jq .requestContext",
    "lambent dead-events --revive 17 18",
    "lambent dead-events --forget --all",
)

_WAIT_S = 60


def dead_events(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="The events meant.", show_default=False)
    ] = None,
    revive: Annotated[bool, typer.Option("--revive", help="Send them again.", show_default=False)] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove them.", show_default=False)] = False,
    everything: Annotated[bool, typer.Option("--all", help="Mean every one.", show_default=False)] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="The server's data folder.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """List the events that the server could not deliver, show what is in some of them, send them again, or forget them.

    Destinations and dead-letter queues of functions may name services that Lambent does not have yet; what was sent
    there waits here. The server must run, and its data folder be yours.
    """
    if (revive and forget) or (everything and (numbers or not (revive or forget))):
        raise Failure("--revive or --forget, of some numbers or of --all", Exit.USAGE)
    if (revive or forget) and not (numbers or everything):
        raise Failure("which ones? Name numbers, or --all", Exit.USAGE)
    server = _Server(data)
    if revive or forget:
        _change(server, "POST" if revive else "DELETE", numbers or [], json=json)
    elif numbers:
        for number in numbers:
            sys.stdout.buffer.write(server.ask("GET", f"/{number}") + b"\n")
    else:
        _show(server, json=json)


class _Server:
    """The running server of a data folder, which lets in whoever can read that."""

    def __init__(self, data: Path | None) -> None:
        from lambent.cli import settings

        given = {} if data is None else {"data": str(data)}
        folder = Path(settings.load(given, os.environ, Path.cwd()).settings.data).absolute()
        note = presence.read(folder)
        if note is None:
            raise Failure(f"no server runs on {folder}; start one with: lambent up", Exit.UNREACHABLE)
        self._note = note

    def ask(self, method: str, path: str = "") -> bytes:
        """The body of the answer. Raises Failure."""
        where = urlsplit(self._note.endpoint)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=_WAIT_S)
        try:
            connection.request(method, PATH + path, headers={"Authorization": f"Bearer {self._note.key}"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise Failure(f"the server at {self._note.endpoint} does not answer: {error}", Exit.UNREACHABLE) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(str(msgspec.json.decode(body)["message"]), Exit.REFUSED)
        return body


def _change(server: _Server, method: str, numbers: list[int], *, json: bool) -> None:
    paths = [f"/{number}" for number in numbers] or [""]
    count = sum(msgspec.json.decode(server.ask(method, path))["count"] for path in paths)
    action = "revived" if method == "POST" else "forgotten"
    if json:
        show_json({"action": action, "count": count})
    else:
        typer.echo(f"{action}: {count}")


def _show(server: _Server, *, json: bool) -> None:
    events = _listed(server)
    if json:
        show_json(events)
        return
    if not events and watched():
        console(stderr=True).print("No event is dead.")
        return
    headings = ("NUMBER", "DIED", "TARGET", "BYTES", "ATTEMPTS", "ERROR")
    show_table(headings, [_row(event) for event in events], numbers=("NUMBER", "BYTES", "ATTEMPTS"))


def _listed(server: _Server) -> list[dict[str, Any]]:
    """Every dead event, without its content."""
    events: list[dict[str, Any]] = []
    while page := msgspec.json.decode(server.ask("GET", f"?after={events[-1]['id'] if events else 0}")):
        events += page
    return events


def _row(event: dict[str, Any]) -> list[str]:
    died = datetime.fromtimestamp(event["died_ms"] / 1000, UTC)
    return [
        str(event["id"]),
        f"{died:%Y-%m-%d %H:%M:%S}" if event["died_ms"] else "-",
        event["target"],
        str(event["size"]),
        str(event["attempts"]),
        event["error"],
    ]
