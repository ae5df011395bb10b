"""The AWS CLI, unmodified, with nothing but environment variables set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ROLE, RUNTIME, archive, aws_environment

if TYPE_CHECKING:
    from tests.conftest import Server

CODE = """
import logging
def handler(event, context):
    print("printed", event["n"])
    logging.getLogger().warning("logged")
    return {"doubled": event["n"] * 2}
"""


VERSION_2 = "/usr/bin/aws"
"""Debian's package; version 1 comes with the locked test dependencies."""


class Cli:
    """Runs `aws` in a folder of its own."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        scripts = str(Path(sys.executable).parent)
        self.endpoint = endpoint
        self.environment = aws_environment(endpoint)
        self.environment["PATH"] = scripts + os.pathsep + self.environment["PATH"]
        self.environment["HOME"] = str(folder)
        self.folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished command."""
        return subprocess.run(
            ["aws", *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60
        )

    def __call__(self, *arguments: str) -> Any:
        """What the command printed, as JSON."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def aws(lambent: Server, tmp_path: Path) -> Cli:
    folder = tmp_path / "cli"
    folder.mkdir()
    (folder / "function.zip").write_bytes(archive({"app.py": CODE}))
    return Cli(lambent.endpoint, folder)


def create(aws: Cli, name: str) -> Any:
    return aws(
        *("lambda", "create-function", "--function-name", name, "--runtime", RUNTIME, "--role", ROLE),
        *("--handler", "app.handler", "--zip-file", "fileb://function.zip"),
    )


def test_a_function_is_deployed_called_and_removed(aws: Cli) -> None:
    assert create(aws, "double")["State"] == "Pending"
    aws("lambda", "wait", "function-active-v2", "--function-name", "double")
    (aws.folder / "event.json").write_text('{"n": 21}')
    answer = aws(
        *("lambda", "invoke", "--function-name", "double", "--payload", "fileb://event.json"),
        *("--log-type", "Tail", "out.json"),
    )
    assert answer["StatusCode"] == 200
    assert json.loads((aws.folder / "out.json").read_text()) == {"doubled": 42}
    assert [entry["FunctionName"] for entry in aws("lambda", "list-functions")["Functions"]] == ["double"]
    assert aws.run("lambda", "delete-function", "--function-name", "double").returncode == 0
    missing = aws.run("lambda", "get-function", "--function-name", "double")
    assert missing.returncode != 0
    assert "ResourceNotFoundException" in missing.stderr


def test_logs_are_read(aws: Cli) -> None:
    create(aws, "double")
    aws("lambda", "wait", "function-active-v2", "--function-name", "double")
    (aws.folder / "event.json").write_text('{"n": 7}')
    aws("lambda", "invoke", "--function-name", "double", "--payload", "fileb://event.json", "out.json")
    events = aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/double")["events"]
    messages = [event["message"].rstrip() for event in events]
    assert "printed 7" in messages
    assert any(message.startswith("[WARNING]") and message.endswith("logged") for message in messages)
    assert messages[-1].startswith("REPORT RequestId:")
    streams = aws("logs", "describe-log-streams", "--log-group-name", "/aws/lambda/double")["logStreams"]
    assert {event["logStreamName"] for event in events} == {streams[0]["logStreamName"]}


@pytest.mark.slow
def test_version_2_tails_logs_and_follows_them(aws: Cli) -> None:
    version = subprocess.run([VERSION_2, "--version"], capture_output=True, text=True).stdout
    assert version.startswith("aws-cli/2"), "run scripts/setup-clients (make test-all does)"
    create(aws, "double")
    aws("lambda", "wait", "function-active-v2", "--function-name", "double")
    for number in (1, 2):
        (aws.folder / f"{number}.json").write_text(json.dumps({"n": number}))
    aws("lambda", "invoke", "--function-name", "double", "--payload", "fileb://1.json", "out.json")
    tail = [VERSION_2, "--endpoint-url", aws.endpoint, "logs", "tail", "/aws/lambda/double"]
    once = subprocess.run(tail, env=aws.environment, capture_output=True, text=True, timeout=60)
    assert once.returncode == 0, once.stderr
    assert "printed 1" in once.stdout
    assert "REPORT RequestId:" in once.stdout
    unbuffered = aws.environment | {"PYTHONUNBUFFERED": "1"}
    follower = subprocess.Popen([*tail, "--follow"], env=unbuffered, stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    try:
        for line in follower.stdout:
            if "printed 1" in line:
                aws("lambda", "invoke", "--function-name", "double", "--payload", "fileb://2.json", "out.json")
            if "printed 2" in line:
                break
        else:
            pytest.fail("the follower ended before it saw the second call")
    finally:
        follower.terminate()
        follower.wait()
        follower.stdout.close()


def test_a_deploy_script_finds_its_identity_and_makes_its_role(aws: Cli) -> None:
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = aws("iam", "create-role", "--role-name", "runner", "--assume-role-policy-document", json.dumps(trust))
    assert role["Role"]["AssumeRolePolicyDocument"] == trust
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    aws("iam", "attach-role-policy", "--role-name", "runner", "--policy-arn", basic)
    attached = aws("iam", "list-attached-role-policies", "--role-name", "runner")
    assert attached["AttachedPolicies"] == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": basic}]


def test_a_service_that_is_not_built_says_so(aws: Cli) -> None:
    done = aws.run("dynamodb", "list-tables")
    assert done.returncode != 0
    assert "dynamodb:ListTables is not built in Lambent yet" in done.stderr
