"""`lambent logs`: what a function printed, and with `--follow` what it prints from now on."""

from __future__ import annotations

import re
import sys
import time
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lambent.cli.client import server
from lambent.cli.failure import Exit, Failure
from lambent.cli.interrupts import interruptible
from lambent.cli.options import Endpoint, FunctionName, Json
from lambent.cli.terminal import console, show_json, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = (
    "lambent logs hello",
    "lambent logs hello --follow",
    "lambent logs hello --since 2h --filter ERROR",
    "lambent logs hello --json | jq -r .message",
)

POLL_S: Final = 0.5
LATE_MS: Final = 10_000
"""How far behind the newest event another stream's events may still arrive."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")


def logs(
    name: FunctionName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing until Ctrl-C.", show_default=False)
    ] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="How far back: 30s, 10m, 2h, 1d, or an ISO date and time.")
    ] = "10m",
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="PATTERN", help="Only events that match a CloudWatch pattern.")
    ] = None,
    endpoint: Endpoint = None,
    json: Json = False,
) -> None:
    """Print what a function logged.

    Each line has its time, in this machine's time zone, and its message. With [bold]--json[/bold] there is one JSON
    object per line. [bold]--follow[/bold] ends with Ctrl-C and exit code 130.
    """
    start = _start(since, time.time())
    with server(endpoint) as aws, interruptible() as pause:
        group = _group(aws.client("lambda"), name)
        for event in _events(aws.client("logs"), group, start, pattern, pause if follow else None):
            _show(event, json=json)


def _start(since: str, now: float) -> int:
    """The moment `since` names, in milliseconds. Raises Failure."""
    if age := _AGE.fullmatch(since):
        return max(int((now - int(age[1]) * _UNITS[age[2]]) * 1000), 0)
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise Failure(
            f"--since: {since!r} is no age; it takes 30s, 10m, 2h, 1d, or 2026-01-31T12:00", Exit.USAGE
        ) from None
    return max(int(moment.timestamp() * 1000), 0)


def _group(functions: Any, name: str) -> str:
    """The log group of a function. A deleted function's log may still be there, under the usual name."""
    try:
        return str(functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"])
    except functions.exceptions.ResourceNotFoundException:
        return f"/aws/lambda/{name}"


def _events(
    logs: Any, group: str, start: int, pattern: str | None, pause: Callable[[float], None] | None
) -> Iterator[dict[str, Any]]:
    """The events of `group` from `start` on, oldest first, each once; with `pause` without end."""
    seen: dict[str, int] = {}
    newest = start
    while True:
        try:
            for event in _read(logs, group, max(start, newest - LATE_MS), pattern):
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = event["timestamp"]
                    newest = max(newest, event["timestamp"])
                    yield event
        except logs.exceptions.ResourceNotFoundException:
            # A function has no log group before its first call; who follows waits for it.
            if pause is None:
                raise Failure(f"there is no log group {group} yet; call the function first", Exit.REFUSED) from None
        if pause is None:
            return
        seen = {key: timestamp for key, timestamp in seen.items() if timestamp >= newest - LATE_MS}
        pause(POLL_S)


def _read(logs: Any, group: str, start: int, pattern: str | None) -> Iterator[dict[str, Any]]:
    options = {"filterPattern": pattern} if pattern else {}
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start, **options):
        yield from page["events"]


def _show(event: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(event)
        return
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    stamp = moment.strftime("%H:%M:%S.%f" if watched() else "%Y-%m-%dT%H:%M:%S.%f")[:-3]
    message = event["message"].rstrip("\n")
    if watched():
        from rich.text import Text

        style = "dim" if message.startswith(("START ", "END ", "REPORT ", "INIT_START ")) else ""
        console().print(Text.assemble((stamp, "cyan"), "  ", (printable(message), style)), soft_wrap=True)
    else:
        sys.stdout.write(f"{stamp} {message}\n")
        sys.stdout.flush()


def printable(message: str) -> str:
    """`message` without the control characters that could steer the terminal: a log is somebody else's text."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) == "Cc" and letter not in "\n\t" else letter
        for letter in message
    )
