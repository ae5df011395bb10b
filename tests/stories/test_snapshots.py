"""A version with SnapStart, as its owner sees it: published, called, and called after a crash of the server."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambent.compute.sandbox import levels
from tests.support import create, server_process

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME = "python3.13"
SNAPSHOTS = {"ApplyOn": "PublishedVersions"}
SOURCE = """
import os, uuid
import boto3
BORN = str(uuid.uuid4())
IDENTITY = boto3.client("sts")
def handler(event, context):
    return {
        "born": BORN,
        "kind": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "role": IDENTITY.get_caller_identity()["Arn"],
        "again": boto3.client("sts").get_caller_identity()["Arn"],
    }
"""


def call(functions: Any, qualifier: str) -> Any:
    """The decoded answer."""
    answer = functions.invoke(FunctionName="kept", Qualifier=qualifier)
    body = answer["Payload"].read()
    assert "FunctionError" not in answer, body
    return json.loads(body)


def made(functions: Any) -> None:
    """The function, where this machine can run it."""
    try:
        create(functions, "kept", {"app.py": SOURCE}, "app.handler", Runtime=RUNTIME, SnapStart=SNAPSHOTS, Timeout=30)
    except ClientError as error:
        if "not supported" in str(error) or "InvalidRuntime" in str(error):
            pytest.skip(f"there is no {RUNTIME} here")
        raise


@pytest.mark.timeout(180)
def test_a_version_is_restored_and_made_again_after_a_crash(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    if problem := asyncio.run(levels.obstacle("jail" if os.geteuid() == 0 else "userns")):
        pytest.skip(problem)
    with server_process(tmp_path) as server:
        functions = server.client("lambda")
        made(functions)
        assert functions.publish_version(FunctionName="kept")["SnapStart"]["OptimizationStatus"] == "On"
        functions.get_waiter("published_version_active").wait(FunctionName="kept", Qualifier="1")
        first = call(functions, "1")
        assert (first["kind"], first["role"]) == ("snap-start", first["again"])
        assert ":assumed-role/test/kept" in first["role"]
        assert call(functions, "1")["born"] == first["born"]
        assert call(functions, "$LATEST")["kind"] == "on-demand"
        events = server.client("logs").filter_log_events(logGroupName="/aws/lambda/kept")["events"]
        assert any(event["message"].startswith("RESTORE_REPORT") for event in events)
        server.kill()
    with server_process(tmp_path) as server:
        functions = server.client("lambda")
        again = call(functions, "1")
        assert again["kind"] == "snap-start"
        assert again["born"] != first["born"]
        functions.delete_function(FunctionName="kept", Qualifier="1")
        assert server.stop() == 0
