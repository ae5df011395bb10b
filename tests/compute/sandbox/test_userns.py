"""The tests of the levels with walls once more, run by a user who is nobody."""

from __future__ import annotations

import asyncio
import os
import shutil
import site
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
USER = 64_123
"""Neither root nor anybody's."""


def interpreter() -> str | None:
    """One of the version that runs the tests, that everybody may execute."""
    return shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that everybody can enter and write to; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)  # noqa: PTH101
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run unprivileged already")
async def test_an_unprivileged_server_makes_cells_with_the_same_walls(open_folder: str) -> None:
    python = interpreter()
    if python is None or not sys.platform.startswith("linux"):
        pytest.skip("there is no interpreter that an unprivileged user can execute")
    if not os.stat(ROOT / "pyproject.toml").st_mode & 0o004:  # noqa: PTH116
        pytest.skip("an unprivileged user cannot read the source")
    tests = await asyncio.create_subprocess_exec(
        python,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", f"{open_folder}/tests"),
        *(str(Path(__file__).with_name(f"test_{name}.py")) for name in ("jail", "looks")),
        cwd=ROOT,
        user=USER,
        group=USER,
        extra_groups=(),
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join([str(ROOT / "src"), *site.getsitepackages()]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await tests.communicate()
    text = output.decode()
    assert tests.returncode == 0, text
    if " passed" not in text:
        pytest.skip(text.strip().splitlines()[-2])
