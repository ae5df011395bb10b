"""`lambent ls`: the functions on the server."""

from __future__ import annotations

from typing import Any

from lambent.cli.client import server
from lambent.cli.options import Endpoint, Json
from lambent.cli.package import megabytes
from lambent.cli.terminal import console, show_json, show_table, watched

EXAMPLES = ("lambent ls", "lambent ls --json | jq -r '.[].FunctionName'", "lambent ls | cut -f1")


def ls(endpoint: Endpoint = None, json: Json = False) -> None:
    """List the functions."""
    with server(endpoint) as aws:
        functions = listed(aws.client("lambda"))
    if json:
        show_json(functions)
        return
    if not functions and watched():
        console(stderr=True).print("No functions yet. Deploy one: lambent deploy FOLDER")
        return
    headings = ("NAME", "RUNTIME", "MEMORY", "TIMEOUT", "CODE", "CHANGED")
    show_table(headings, [_row(function) for function in functions], numbers=("MEMORY", "TIMEOUT", "CODE"))


def listed(functions: Any) -> list[dict[str, Any]]:
    """Every function as the server describes it, by name."""
    pages = functions.get_paginator("list_functions").paginate()
    return sorted((function for page in pages for function in page["Functions"]), key=lambda f: str(f["FunctionName"]))


def _row(function: dict[str, Any]) -> list[str]:
    return [
        function["FunctionName"],
        function.get("Runtime", "-"),
        f"{function['MemorySize']} MB",
        f"{function['Timeout']} s",
        megabytes(function["CodeSize"]),
        function["LastModified"][:19].replace("T", " "),
    ]
