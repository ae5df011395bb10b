"""A custom runtime as short as they come: a shell script and curl."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.compute.runtime_api.harness import Bench, event

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="bash or curl is not installed"
)

BOOTSTRAP = """
set -eu
base="http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation"
while true; do
  heads="$(mktemp)"
  payload="$(curl -sS -LD "$heads" "$base/next")"
  id="$(grep -Fi Lambda-Runtime-Aws-Request-Id "$heads" | tr -d '[:space:]' | cut -d: -f2)"
  curl -sS -o /dev/null "$base/$id/response" -d "echo $payload"
done
"""


async def test_a_shell_script_answers_events(bench: Bench, tmp_path: Path) -> None:
    host, port = bench.address
    variables = {"AWS_LAMBDA_RUNTIME_API": f"{host}:{port}", "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec("bash", "-c", BOOTSTRAP, env=variables)
    try:
        assert await bench.environment.hears() == ("ready",)
        for sequence, text in ((1, b"short"), (2, b"l" * 100_000)):
            bench.runtime.event(event(sequence, text, request_id=f"id-{sequence}"))
            assert await bench.environment.hears() == ("answered", sequence, b"echo " + text)
            assert await bench.environment.hears() == ("waiting", sequence)
    finally:
        process.kill()
        await process.wait()
