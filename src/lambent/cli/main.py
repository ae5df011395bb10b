"""The entry point of the `lambent` command: joins the subcommands and turns every failure into one line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lambent.cli import dead_events, deploy, doctor, invoke, logs, ls, rm, status, terminal, up
from lambent.cli.failure import Exit, Failure
from lambent.cli.options import examples, flowing

EXIT_CODES = """[bold]Exit codes[/bold]

  0  done
  1  the function failed, or the server refused the call
  2  a flag, a variable, a settings file or an input is wrong
  3  no server answers at the endpoint
  4  this machine cannot do it: a busy port, an unusable folder, packages out of reach
  130  interrupted by Ctrl-C"""

SERVER = "Server"
FUNCTIONS = "Functions"

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)

for panel, module in (
    (SERVER, up),
    (SERVER, status),
    (SERVER, doctor),
    (SERVER, dead_events),
    (FUNCTIONS, deploy),
    (FUNCTIONS, invoke),
    (FUNCTIONS, logs),
    (FUNCTIONS, ls),
    (FUNCTIONS, rm),
):
    name = module.__name__.rpartition(".")[2]
    work = getattr(module, name)
    app.command(
        name.replace("_", "-"), help=flowing(work.__doc__), epilog=examples(*module.EXAMPLES), rich_help_panel=panel
    )(work)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lambent {version('lambent')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def lambent(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """AWS Lambda that you own: start a server, deploy functions, call them, read their logs.

    Any AWS client works against the server too: set its endpoint to http://127.0.0.1:4566.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command of this process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    try:
        code = app(arguments, prog_name="lambent", standalone_mode=False)
    except Failure as failure:
        terminal.complain(str(failure))
        return failure.code
    except (typer.BadParameter, typer.TyperException) as error:
        terminal.complain(f"{error.format_message()} See: lambent --help".replace("\n", " "))
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has seen enough, as `lambent logs NAME | head` does.
        sys.stdout = None
        return Exit.OK
    return code if isinstance(code, int) else Exit.OK


if __name__ == "__main__":
    main()
