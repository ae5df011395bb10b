"""`lambent deploy`: a folder or a file becomes a function."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli import project
from lambent.cli.client import Aws, explained, server
from lambent.cli.failure import Exit, Failure
from lambent.cli.options import Endpoint, Json
from lambent.cli.package import megabytes
from lambent.cli.terminal import complain, progress, show_json

if TYPE_CHECKING:
    from lambent.cli.deployment import Deployed

EXAMPLES = (
    "lambent deploy examples/hello",
    "lambent deploy app.py --name greet --memory 256 --env STAGE=dev",
    "lambent deploy examples            [dim]# every function below the folder[/dim]",
)


def deploy(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="A function's folder or file, or a folder of functions.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="The function's name. [dim]Default: the folder's or the file's[/dim]"
        ),
    ] = None,
    handler: Annotated[
        str | None, typer.Option("--handler", metavar="MODULE.FUNCTION", help="[dim]Default: found in the code[/dim]")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            metavar="RUNTIME",
            help="Such as python3.12, provided.al2023. [dim]Default: what it has, or the Python of lambent[/dim]",
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", metavar="ARN", help="[dim]Default: a role that may write logs[/dim]")
    ] = None,
    memory: Annotated[int | None, typer.Option("--memory", metavar="MB", help="From 128 to 10240.")] = None,
    timeout: Annotated[int | None, typer.Option("--timeout", metavar="SECONDS", help="From 1 to 900.")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="An environment variable of the function; repeatable."),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="Up to 256 characters.")
    ] = None,
    durable: Annotated[
        int | None,
        typer.Option("--durable", metavar="SECONDS", help="Make a new function durable: what an execution may take."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="public|signed", help="Give it a function URL, for all or for who signs."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="Files to leave out; repeatable.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Install requirements again instead of using the kept ones.")
    ] = False,
    endpoint: Endpoint = None,
    json: Json = False,
) -> int:
    """Create or update a function from a folder or a Python file.

    What is in [bold]requirements.txt[/bold] is installed into the package for the function's runtime. A folder with a
    program [bold]bootstrap[/bold] and no Python handler is a function that brings its own runtime.
    [bold]function.toml[/bold] in the folder may set name, handler, runtime, role, memory, timeout, description,
    variables, durable, url and exclude; flags win over it. What neither says stays as it is on the server.
    """
    flags = _flags(
        name=name, handler=handler, runtime=runtime, role=role, memory=memory, timeout=timeout,
        description=description, variables=_variables(env), durable=durable, url=url, exclude=exclude,
    )  # fmt: skip
    folders = [found for path in paths for found in project.find(path)]
    if len(folders) > 1 and (name or handler):
        raise Failure("--name and --handler are for one function; these paths hold several", Exit.USAGE)
    worst = Exit.OK
    with server(endpoint) as aws:
        for folder in folders:
            try:
                done = _deploy(folder, flags, aws, fresh=fresh)
            except Failure as failure:
                if len(folders) == 1 and not json:
                    raise
                worst = max(worst, failure.code)
                _show_failure(folder, failure, json=json)
            else:
                _show(folder, done, json=json)
    return worst


def _deploy(folder: Path, flags: project.Wanted, aws: Aws, *, fresh: bool) -> Deployed:
    from lambent.cli import deployment, requirements

    source = project.read(folder, flags)
    with explained(aws.endpoint), progress(source.name) as say:
        return deployment.deploy(source, aws, requirements.cache_folder(dict(os.environ)), say, fresh=fresh)


def _flags(**values: Any) -> project.Wanted:
    return project.converted({name: value for name, value in values.items() if value is not None}, "--")


def _variables(pairs: list[str] | None) -> dict[str, str] | None:
    if pairs is None:
        return None
    for pair in pairs:
        if "=" not in pair:
            raise Failure(f"--env: {pair!r} is not NAME=VALUE", Exit.USAGE)
    return dict(pair.split("=", 1) for pair in pairs)


def _show(folder: Path, done: Deployed, *, json: bool) -> None:
    if json:
        import msgspec

        show_json({"path": str(folder)} | msgspec.to_builtins(done))
        return
    typer.secho(f"{done.action:<9}", fg="green" if done.action != "unchanged" else None, nl=False)
    typer.echo(f" {done.function}  {done.runtime}  {done.handler}  {megabytes(done.bytes)}")
    if done.url:
        typer.echo(f"{'':<9} {done.url}")


def _show_failure(folder: Path, failure: Failure, *, json: bool) -> None:
    if json:
        show_json({"path": str(folder), "function": folder.name, "action": "failed", "error": str(failure)})
        sys.stdout.flush()
    else:
        complain(f"{folder}: {failure}" if str(folder) not in str(failure) else str(failure))
