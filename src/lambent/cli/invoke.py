"""`lambent invoke`: call a function and print its answer."""

from __future__ import annotations

import base64
import json as stdlib_json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lambent.cli.client import server
from lambent.cli.failure import Exit, Failure
from lambent.cli.options import Endpoint, FunctionName, Json
from lambent.cli.terminal import complain, console, show_json, watched

if TYPE_CHECKING:
    from typing import Any

EXAMPLES = (
    """lambent invoke hello --payload '{"name": "you"}'""",
    "lambent invoke thumbnail --payload-file event.json --log",
    """lambent invoke thumbnail --payload-file event.json --async""",
    """echo '{"name": "you"}' | lambent invoke hello --payload-file - | jq .greeting""",
)


def invoke(
    name: FunctionName,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="JSON", help="The event. [dim]Default: {}[/dim]")
    ] = None,
    payload_file: Annotated[
        str | None,
        typer.Option("--payload-file", metavar="FILE", help="A file with the event; [bold]-[/bold] reads stdin."),
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Print the end of the call's log on stderr.", show_default=False)
    ] = False,
    asynchronous: Annotated[
        bool,
        typer.Option("--async", help="Queue the event, and print the id of the request.", show_default=False),
    ] = False,
    endpoint: Endpoint = None,
    json: Json = False,
) -> int:
    """Call a function and print what it answers.

    The answer goes to stdout. Where the function fails, its error goes there too and the exit code is 1. With --async
    nobody waits for the answer; a durable function is told of by the ARN of its execution.
    """
    event = _event(payload, payload_file)
    if asynchronous:
        return _queue(name, event, endpoint, log=log, json=json)
    with server(endpoint) as aws:
        options = {"LogType": "Tail"} if log else {}
        answer = aws.client("lambda").invoke(FunctionName=name, Payload=event, **options)
        body = answer["Payload"].read()
    tail = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
    error = answer.get("FunctionError")
    if json:
        _show_for_programs(answer, body, tail if log else None)
    else:
        if tail:
            sys.stderr.write(tail if tail.endswith("\n") else tail + "\n")
        _show(body)
    if error is None:
        return Exit.OK
    complain(_summary(name, body))
    return Exit.REFUSED


def _queue(name: str, event: bytes, endpoint: str | None, *, log: bool, json: bool) -> int:
    if log:
        raise Failure("--async and --log exclude each other: lambent logs shows what the function prints", Exit.USAGE)
    with server(endpoint) as aws:
        answer = aws.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=event)
    request_id, execution = answer["ResponseMetadata"]["RequestId"], answer.get("DurableExecutionArn")
    if json:
        facts = {"StatusCode": answer["StatusCode"], "RequestId": request_id, "DurableExecutionArn": execution}
        show_json({name: fact for name, fact in facts.items() if fact is not None})
    else:
        sys.stdout.write(f"{execution or request_id}\n")
    return Exit.OK


def _event(text: str | None, file: str | None) -> bytes:
    if text is not None and file is not None:
        raise Failure("--payload and --payload-file exclude each other", Exit.USAGE)
    if file is None:
        event, origin = (text or "{}").encode(), "--payload"
    else:
        event, origin = _read(file), file
    try:
        stdlib_json.loads(event)
    except ValueError as error:
        raise Failure(f"{origin}: not valid JSON: {error}", Exit.USAGE) from None
    return event


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"--payload-file: cannot read {file}: {error.strerror}", Exit.USAGE) from None


def _show(body: bytes) -> None:
    if watched() and _is_json(body):
        console().print_json(body.decode("utf-8"), ensure_ascii=False)
    else:
        sys.stdout.buffer.write(body + b"\n")
        sys.stdout.flush()


def _is_json(body: bytes) -> bool:
    try:
        stdlib_json.loads(body)
    except ValueError:
        return False
    return True


def _show_for_programs(answer: dict[str, Any], body: bytes, tail: str | None) -> None:
    try:
        value = stdlib_json.loads(body) if body else None
    except ValueError:
        value = body.decode("utf-8", "replace")
    facts = {
        "StatusCode": answer["StatusCode"],
        "ExecutedVersion": answer.get("ExecutedVersion"),
        "FunctionError": answer.get("FunctionError"),
        "Payload": value,
        "Log": tail,
    }
    show_json({name: fact for name, fact in facts.items() if fact is not None or name == "Payload"})


def _summary(name: str, body: bytes) -> str:
    try:
        error = stdlib_json.loads(body)
        return f"{name} failed: {error.get('errorType', 'error')}: {error.get('errorMessage', '')}"
    except (ValueError, AttributeError):
        return f"{name} failed"
