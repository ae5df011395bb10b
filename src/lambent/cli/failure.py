"""How a command ends when it cannot do what it was asked: one line for people, one exit code for programs."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    REFUSED = 1
    """The function failed, or the server refused the call."""
    USAGE = 2
    """A flag, a variable, a settings file or an input is wrong."""
    UNREACHABLE = 3
    """No server answers at the endpoint."""
    MACHINE = 4
    """This machine cannot do it: a busy port, an unusable folder, packages that cannot be fetched."""
    INTERRUPTED = 130


class Failure(Exception):
    """Ends a command. The text says what is wrong, then what to do next; it becomes one line, whatever it quotes."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(" ".join(text.split()))
        self.code = code
