"""`lambent rm`: delete functions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lambent.cli.client import server
from lambent.cli.options import Endpoint, Json
from lambent.cli.terminal import show_json

EXAMPLES = ("lambent rm hello", "lambent rm hello thumbnail --logs")


def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The functions to delete.")],
    logs: Annotated[bool, typer.Option("--logs", help="Delete their log groups too.", show_default=False)] = False,
    endpoint: Endpoint = None,
    json: Json = False,
) -> None:
    """Delete functions, and their logs if asked to."""
    with server(endpoint) as aws:
        functions = aws.client("lambda")
        for name in names:
            group = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
            functions.delete_function(FunctionName=name)
            gone = logs and _delete_group(aws.client("logs"), group)
            if json:
                show_json({"function": name, "action": "deleted", "logs_deleted": gone})
            else:
                typer.echo(f"deleted {name}" + (f" and {group}" if gone else ""))


def _delete_group(logs: Any, group: str) -> bool:
    try:
        logs.delete_log_group(logGroupName=group)
    except logs.exceptions.ResourceNotFoundException:
        # A function that was never called has no log group.
        return False
    return True
