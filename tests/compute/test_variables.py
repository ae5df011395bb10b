"""Variables: what a function is told fits what its interpreter was started with."""

from __future__ import annotations

from pathlib import Path

from lambent.compute import variables
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import mounts
from lambent.compute.sandbox.api import Paths
from lambent.kernel.authority import SessionCredentials
from tests.compute.test_journal import function

PYTHON = Runtime("python3.13", "3.13.5", Path("/usr"), "bin/python3.13", Path("/client"))
CREDENTIALS = variables.keys(
    SessionCredentials(access_key_id="ASIA", secret_access_key="s", session_token="t", expires=0.0)
)
PLACE = variables.Place(
    paths=Paths(),
    kind="on-demand",
    runtime_api="127.0.0.1:9001",
    endpoint="http://127.0.0.1:4566",
    log_stream="stream",
    metadata_token="token",
    frames=None,
)


def test_a_forked_interpreter_was_started_with_what_a_function_is_told() -> None:
    """Otherwise every cold start would execute a new one, which takes ten times as long."""
    told = variables.of_function(function(), PYTHON, PLACE, CREDENTIALS)
    assert told["LD_LIBRARY_PATH"] == mounts.LIBRARIES
    assert told["LANG"] == "en_US.UTF-8"


def test_extensions_are_not_told_what_is_the_runtimes() -> None:
    told = variables.of_extensions(variables.of_function(function(), PYTHON, PLACE, CREDENTIALS))
    assert not [name for name in told if name.startswith("_") or name in ("LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV")]
    assert {"AWS_LAMBDA_RUNTIME_API", "AWS_ACCESS_KEY_ID", "AWS_LAMBDA_FUNCTION_NAME", "PATH"} <= told.keys()
