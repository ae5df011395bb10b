"""The README's first session and the guide's, pasted line by line, print what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import aws_environment, create

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = "## A first session"
STEP = re.compile(r"^(?:shout: |lambent: ).*\n", re.MULTILINE)
"""What the commands tell on stderr while they work."""
ENDPOINT = "http://127.0.0.1:4566"


def steps(page: str) -> list[tuple[str, str]]:
    """Each block of commands with the output that the page shows for it."""
    found: list[tuple[str, str]] = []
    for kind, text in BLOCK.findall(page):
        if kind == "sh":
            found.append((text, ""))
        else:
            found[-1] = (found[-1][0], text)
    return found


def shown(text: str) -> re.Pattern[str]:
    """The output as a pattern: `...` stands for anything, blanks for blanks."""
    lines = (r"[^\n]*".join(map(re.escape, line.strip().split("..."))) for line in text.strip().splitlines())
    return re.compile(r"\s+".join(line.replace(r"\ ", r"\s+") for line in lines))


def paste(page: str, lambent: Server, folder: Path) -> None:
    """Type all commands of a page into one shell; each block prints what the page shows."""
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    shell = subprocess.Popen(
        ["bash", "-e"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        text=True,
    )
    script = "".join(f"{commands}\necho '=== {number}'\n" for number, (commands, _) in enumerate(steps(page)))
    printed, _ = shell.communicate(script.replace(ENDPOINT, lambent.endpoint), timeout=110)
    assert shell.returncode == 0, printed
    for number, (commands, output) in enumerate(steps(page)):
        part, _, printed = printed.partition(f"=== {number}\n")
        part = STEP.sub("", part)
        assert shown(output).search(part), f"{commands}\nprinted\n{part}\nand the page shows\n{output}"


@pytest.mark.skipif(shutil.which("python3.11") is None, reason="the README's function asks for python3.11")
def test_the_first_session_prints_what_the_readme_says(lambent: Server, tmp_path: Path) -> None:
    paste(README.read_text().split(SESSION)[1].split("\n## ")[0], lambent, tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide's runtimes speak HTTP with curl")
def test_the_guide_to_custom_runtimes_prints_what_it_says(lambent: Server, tmp_path: Path) -> None:
    paste((ROOT / "docs" / "guide" / "custom-runtimes.md").read_text(), lambent, tmp_path)


def test_the_python_example_prints_the_greeting(lambent: Server) -> None:
    hello = ROOT / "examples" / "hello" / "lambda_function.py"
    create(lambent.client("lambda"), "hello", {hello.name: hello.read_text()}, "lambda_function.lambda_handler")
    block = re.search(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    done = subprocess.run(
        [sys.executable, "-c", block[1].replace(ENDPOINT, lambent.endpoint)],
        env=aws_environment(lambent.endpoint),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Hello, Ada!" in done.stdout
