"""Every command on the examples' pages is run as it stands there, and prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.conftest import CACHE
from tests.examples.test_inputs import EXAMPLES, NAMES
from tests.support import aws_environment

if TYPE_CHECKING:
    from tests.conftest import Server

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[tuple[str, str]]:
    """Each shell block of a page with the output printed under it, if any."""
    found = BLOCK.findall((EXAMPLES / name / "README.md").read_text("utf-8"))
    printed = [*found[1:], ("", "")]
    return [
        (text, after if kind_after == "text" else "")
        for (kind, text), (kind_after, after) in zip(found, printed, strict=True)
        if kind == "sh"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_can_be_pasted(deployed: Server, tmp_path: Path, name: str) -> None:
    tools = Path(sys.executable).parent
    (tmp_path / "examples").symlink_to(EXAMPLES)
    (tmp_path / ".venv").symlink_to(tools.parent)
    environment = aws_environment(deployed.endpoint)
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    environment["XDG_CACHE_HOME"] = str(CACHE)
    if name == "shell-runtime" and deployed.app.sandbox == "process":
        pytest.skip("the page shows a sandbox with walls")
    assert len(blocks(name)) >= 2
    for commands, expected in blocks(name):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        if expected:
            pattern = re.escape(expected.strip()).replace(re.escape("..."), ".*")
            assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), done.stdout
