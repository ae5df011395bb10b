"""A version with SnapStart, as its owner sees it: published, called, and called after a crash of the server."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambent.compute.sandbox import levels
from tests.conftest import serving, settings_for
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

ASKING = """
import os
import boto3
LOGS = boto3.client("logs")
LOGS.describe_log_groups()
def handler(event, context):
    found = [LOGS.describe_log_groups(logGroupNamePrefix=event)["logGroups"] for _ in range(100)]
    names = {group["logGroupName"] for groups in found for group in groups}
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], sorted(names), os.getpid()]
"""


def call(functions: Any, qualifier: str, event: Any = None) -> Any:
    """The decoded answer."""
    answer = functions.invoke(FunctionName="kept", Qualifier=qualifier, Payload=json.dumps(event))
    body = answer["Payload"].read()
    assert "FunctionError" not in answer, body
    return json.loads(body)


def made(functions: Any, source: str) -> None:
    """The function, where this machine can run it."""
    try:
        create(functions, "kept", {"app.py": source}, "app.handler", Runtime=RUNTIME, SnapStart=SNAPSHOTS, Timeout=30)
    except ClientError as error:
        if "not supported" in str(error) or "InvalidRuntime" in str(error):
            pytest.skip(f"there is no {RUNTIME} here")
        raise


def walled(folder: Path) -> None:
    """Go on where functions may live behind walls."""
    folder.chmod(0o755)
    if problem := asyncio.run(levels.obstacle("jail" if os.geteuid() == 0 else "userns")):
        pytest.skip(problem)


@pytest.mark.timeout(180)
def test_a_version_is_restored_and_made_again_after_a_crash(tmp_path: Path) -> None:
    walled(tmp_path)
    with server_process(tmp_path) as server:
        functions = server.client("lambda")
        made(functions, SOURCE)
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


@pytest.mark.timeout(180)
def test_environments_do_not_read_each_others_answers(tmp_path: Path) -> None:
    walled(tmp_path)
    with serving(settings_for(tmp_path)) as server, ThreadPoolExecutor(3) as threads:
        functions, logs = server.client("lambda"), server.client("logs")
        events = ["first", "second", "third"]
        for name in events:
            logs.create_log_group(logGroupName=name)
        made(functions, ASKING)
        functions.publish_version(FunctionName="kept")
        functions.get_waiter("published_version_active").wait(FunctionName="kept", Qualifier="1")
        answers = list(threads.map(lambda event: call(functions, "1", event), events))
        assert [answer[:2] for answer in answers] == [["snap-start", [event]] for event in events]
        assert len({process for _, _, process in answers}) == len(events), "they ran one after another"
