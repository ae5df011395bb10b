"""`lambent up`: run a server in the foreground."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lambent.cli import project, settings
from lambent.cli.options import Json

EXAMPLES = (
    "lambent up",
    "lambent up --deploy examples        [dim]# and deploy every function below the folder[/dim]",
    "lambent up --port 4600 --data /var/lib/lambent",
    "lambent up --production --config /etc/lambent.toml --host 0.0.0.0",
)


def up(
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Where to listen; LAMBENT_HOST. [dim]Default: 127.0.0.1[/dim]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="LAMBENT_PORT; 0 takes a free port. [dim]Default: 4566[/dim]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="LAMBENT_DATA. [dim]Default: lambent-data[/dim]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Settings; LAMBENT_CONFIG. [dim]Default: lambent.toml, if there[/dim]"
        ),
    ] = None,
    production: Annotated[
        bool, typer.Option("--production", help="Trust only the keys of the settings file.", show_default=False)
    ] = False,
    sandbox: Annotated[
        str | None,
        typer.Option(
            "--sandbox",
            metavar="LEVEL",
            help="jail, userns or process; LAMBENT_SANDBOX. [dim]Default: the strongest that works here[/dim]",
        ),
    ] = None,
    deploy: Annotated[
        list[Path] | None,
        typer.Option("--deploy", metavar="PATH", help="Deploy this, or the functions below it, once up; repeatable."),
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error; LAMBENT_LOG_LEVEL.")
    ] = "",
    json: Json = False,
) -> int:
    """Run a server in the foreground; Ctrl-C stops it, and everything is there at the next start.

    Settings come from flags, then the LAMBENT_* variables, then the settings file, then the defaults.
    """
    flags = {"host": host, "port": port, "data": data and str(data), "sandbox": sandbox, "config": config}
    loaded = settings.load(flags | {"mode": "production" if production else None}, os.environ, Path.cwd())
    level = settings.log_level(log_level or None, os.environ)
    for path in deploy or []:
        project.find(path)
    # The whole server stands behind this import.
    from lambent.cli import running

    return running.run(loaded, deploy or [], level, json=json)
