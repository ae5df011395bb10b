"""`lambent status`: whether a server answers, and what is on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lambent.cli import presence
from lambent.cli.client import server
from lambent.cli.ls import listed
from lambent.cli.options import Endpoint, Json
from lambent.cli.terminal import show_json, show_table

EXAMPLES = (
    "lambent status",
    "lambent status --json | jq .functions",
    "lambent status --endpoint http://127.0.0.1:4600",
)


def status(endpoint: Endpoint = None, json: Json = False) -> None:
    """Tell whether a server answers and what is on it.

    The exit code is 3 where none does. Version, sandbox level, process and data folder are known for a server whose
    settings are those of this folder.
    """
    from lambent.cli import settings

    with server(endpoint) as aws:
        identity = aws.client("sts").get_caller_identity()
        names = [function["FunctionName"] for function in listed(aws.client("lambda"))]
    facts: dict[str, Any] = {"endpoint": aws.endpoint, "account": identity["Account"], "caller": identity["Arn"]}
    folder = Path(settings.load({}, os.environ, Path.cwd()).settings.data).absolute()
    if (here := presence.read(folder)) and here.endpoint == aws.endpoint:
        facts |= {"version": here.version, "sandbox": here.sandbox, "process": here.pid, "data": str(folder)}
        facts |= {"unlimited": here.unlimited} if here.unlimited else {}
        facts |= {"fronts": here.fronts} if here.fronts else {}
    facts["functions"] = names
    if json:
        show_json(facts)
        return
    show_table(("", ""), [[name, _words(fact)] for name, fact in facts.items()])


def _words(fact: Any) -> str:
    if isinstance(fact, list):
        return f"{len(fact)}" + (f": {', '.join(fact)}" if fact else "")
    return str(fact)
