"""On a terminal there are headings and colours; into a pipe there is what programs can read."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from lambent.cli import logs, main
from lambent.cli.failure import Exit, Failure
from tests.support import aws_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(server: Server, *arguments: str) -> tuple[int, str]:
    """Exit code and raw output of a command whose stdin, stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "lambent.cli.main", *arguments],
            env=aws_environment(server.endpoint) | {"TERM": "xterm-256color", "COLUMNS": "100"},
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        printed = b""
        # Linux ends the reading of a terminal that nobody holds any more with an error.
        with suppress(OSError):
            while data := os.read(ours, 65536):
                printed += data
        return child.wait(60), printed.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)


def test_a_person_sees_headings_colours_and_the_answer(lambent: Server, tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text("def handler(event, context):\n    return {'ok': True}\n")
    code, out = on_a_terminal(lambent, "ls")
    assert (code, out) == (Exit.OK, "No functions yet. Deploy one: lambent deploy FOLDER\n")

    code, out = on_a_terminal(lambent, "deploy", str(tmp_path / "greet.py"))
    assert code == Exit.OK
    assert "created  " in ESCAPES.sub("", out)

    code, out = on_a_terminal(lambent, "ls")
    plain = ESCAPES.sub("", out).splitlines()
    assert plain[0].split() == ["NAME", "RUNTIME", "MEMORY", "TIMEOUT", "CODE", "CHANGED"]
    assert plain[1].split()[0] == "greet"
    assert plain[0].index("RUNTIME") == plain[1].index("python3.")

    code, out = on_a_terminal(lambent, "invoke", "greet")
    assert code == Exit.OK
    assert out != ESCAPES.sub("", out)
    assert ESCAPES.sub("", out).split() == ["{", '"ok":', "true", "}"]

    code, out = on_a_terminal(lambent, "rm", "none")
    assert code == Exit.REFUSED
    assert ESCAPES.sub("", out).startswith("error: ResourceNotFoundException: ")
    assert out.count("\n") == 1


def test_a_log_cannot_steer_the_terminal(lambent: Server, tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text("def handler(event, context):\n    print('seen \\x1b[2J\\xa0é')\n")
    assert main.run(["deploy", str(tmp_path / "greet.py"), "--endpoint", lambent.endpoint]) == Exit.OK
    assert main.run(["invoke", "greet", "--endpoint", lambent.endpoint]) == Exit.OK
    out = ""
    while "REPORT" not in out:
        _, out = on_a_terminal(lambent, "logs", "greet")
    assert "seen \N{REPLACEMENT CHARACTER}[2J\xa0é" in out
    assert "\x1b[2J" not in out


def test_the_log_of_a_plain_message_is_left_alone() -> None:
    text = "tab\tline\nZoë 🎈\xa0x"
    assert logs.printable(text) == text
    assert logs.printable("\x00\x1b\x9b\r") == "\N{REPLACEMENT CHARACTER}" * 4


def test_a_failure_is_one_line_whatever_it_quotes() -> None:
    assert str(Failure("first\n  second\r\nthird", Exit.REFUSED)) == "first second third"
