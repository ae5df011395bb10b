"""The flags that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="Where the server is; also LAMBENT_ENDPOINT or AWS_ENDPOINT_URL. [dim]Default: http://127.0.0.1:4566[/dim]",
        show_default=False,
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.", show_default=False)]

FunctionName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The function's name or ARN; a qualifier may follow.", show_default=False),
]


def examples(*lines: str) -> str:
    """The examples that end a command's help."""
    return "\n".join(["[bold]Examples[/bold]", "", *(f"  {line}" for line in lines)])


def flowing(text: str) -> str:
    """`text` with one line per paragraph, so that it fills whatever width the terminal has."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
