"""`lambent doctor`: what this machine can do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli import settings
from lambent.cli.failure import Exit
from lambent.cli.options import Json
from lambent.cli.terminal import console, show_json, show_table, watched

if TYPE_CHECKING:
    from lambent.cli.machine import Finding

EXAMPLES = ("lambent doctor", "lambent doctor --json | jq '.[] | select(.state != \"good\")'")

_MARKS = {"good": ("✓", "green"), "fair": ("·", "yellow"), "bad": ("✗", "red")}


def doctor(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A server's settings file.")] = None,
    json: Json = False,
) -> int:
    """Tell what this machine can do for Lambent: interpreters, sandbox levels, limits, disk, port.

    The exit code is 4 where something keeps the server from working.
    """
    # What is looked for lies deep in the server.
    from lambent.cli import interpreters, machine

    loaded = settings.load({"config": config}, os.environ, Path.cwd())
    findings = machine.look(loaded.settings, interpreters.find(interpreters.RUNTIMES, os.environ))
    if json:
        import msgspec

        show_json(msgspec.to_builtins(findings))
    elif watched():
        _show(findings)
    else:
        show_table((), [[finding.state, finding.what, finding.found, finding.advice] for finding in findings])
    return Exit.MACHINE if any(finding.state == "bad" for finding in findings) else Exit.OK


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table: Any = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark, style = _MARKS[finding.state]
        text = Text(finding.found)
        if finding.advice:
            text.append(f"  {finding.advice}", style="dim")
        table.add_row(Text(mark, style=style), finding.what, text)
    console().print(table)
