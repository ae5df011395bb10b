"""What commands print: results on stdout, everything else on stderr; plain lines where nobody is watching."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console


def watched() -> bool:
    """Whether a person sees stdout, rather than a pipe or a file."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Console:
    """A console that never cuts or wraps what it prints into a pipe."""
    # rich takes longer to import than most commands take to run.
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), emoji=False)


def show_json(value: Any) -> None:
    """One JSON document on one line, for programs."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Aligned columns for people; into a pipe, tab-separated lines without headings."""
    if not watched():
        sys.stdout.writelines("\t".join(row) + "\n" for row in rows)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim", show_header=any(headings))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def complain(text: str, *, warning: bool = False) -> None:
    """One line on stderr."""
    if sys.stderr.isatty():
        from rich.text import Text

        label = ("warning: ", "bold yellow") if warning else ("error: ", "bold red")
        console(stderr=True).print(Text.assemble(label, text), soft_wrap=True)
    else:
        sys.stderr.write(f"lambent: {'warning: ' if warning else ''}{text}\n")
        sys.stderr.flush()


@contextmanager
def progress(subject: str) -> Iterator[Callable[[str], None]]:
    """Tell what is being done to `subject`: one moving line on a terminal, plain lines on stderr otherwise."""
    if sys.stderr.isatty():
        from rich.text import Text

        with console(stderr=True).status(Text(subject, style="bold")) as status:
            yield lambda step: status.update(Text.assemble((subject, "bold"), "  ", step))
        return

    def say(step: str) -> None:
        sys.stderr.write(f"{subject}: {step}\n")
        sys.stderr.flush()

    yield say
