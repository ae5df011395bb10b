"""What was answered survives SIGKILL: a server is killed in the middle of its work and started again."""

from __future__ import annotations

import json
import os
import random
import select
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lambent.compute.sandbox.killing import opened
from tests.support import ROLE, RUNTIME, ServerProcess, archive, create, server_process

if TYPE_CHECKING:
    from pathlib import Path

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
CODE = "def handler(event, context):\n    return 'NAME'\n"


class Writers:
    """Threads that keep writing through the API and remember what was acknowledged."""

    def __init__(self, server: ServerProcess, prefix: str, acknowledged: dict[str, str]) -> None:
        self._server = server
        self._prefix = prefix
        self._acknowledged = acknowledged
        self._changed = threading.Condition()
        self._count = 0
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Return once `count` writes of this round have been acknowledged."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, timeout=60)

    def join(self) -> None:
        """Wait until every thread has seen the server die."""
        for thread in self._threads:
            thread.join(60)

    def _write(self, number: int) -> None:
        functions, iam = self._server.client("lambda"), self._server.client("iam")
        step = 0
        try:
            while True:
                name = f"{self._prefix}-{number}-{step}"
                code = archive({"app.py": CODE.replace("NAME", name)})
                self._do("function", name, functions.create_function, FunctionName=name, Code={"ZipFile": code},
                         Runtime=RUNTIME, Handler="app.handler", Role=ROLE)  # fmt: skip
                self._do("role", name, iam.create_role, RoleName=name, AssumeRolePolicyDocument=TRUST)
                step += 1
        except (BotoCoreError, ClientError):
            return

    def _do(self, kind: str, name: str, operation: Any, **request: Any) -> None:
        operation(**request)
        with self._changed:
            self._acknowledged[f"{kind} {name}"] = name
            self._count += 1
            self._changed.notify_all()


def killed_in_the_middle(folder: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: dict[str, str] = {}
    for number in range(rounds):
        with server_process(folder) as server:
            check(server, acknowledged)
            writers = Writers(server, f"r{number}", acknowledged)
            writers.wait_for(chance.randint(1, 25))
            server.kill()
            writers.join()
    with server_process(folder) as server:
        check(server, acknowledged, every=True)


def check(server: ServerProcess, acknowledged: dict[str, str], *, every: bool = False) -> None:
    functions, iam = server.client("lambda"), server.client("iam")
    listed = {
        entry["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for entry in page["Functions"]
    }
    roles = {role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]}
    wanted = {
        kind: {name for key, name in acknowledged.items() if key.startswith(kind)} for kind in ("function", "role")
    }
    assert wanted["function"] <= listed
    assert wanted["role"] <= roles
    for name in sorted(listed) if every else sorted(listed)[-3:]:
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        assert json.loads(functions.invoke(FunctionName=name)["Payload"].read()) == name


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    killed_in_the_middle(tmp_path, rounds=3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_by_many_kills(tmp_path: Path) -> None:
    killed_in_the_middle(tmp_path, rounds=25, seed=2)


def test_a_restarted_server_finds_everything_again(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        functions = server.client("lambda")
        create(
            functions,
            "keep",
            {"app.py": "def handler(event, context):\n    print('kept')\n    return 1\n"},
            "app.handler",
        )
        before = functions.get_function_configuration(FunctionName="keep")
        functions.invoke(FunctionName="keep")
        events = server.client("logs").filter_log_events(logGroupName="/aws/lambda/keep")["events"]
        assert server.stop() == 0
    with server_process(tmp_path) as server:
        functions = server.client("lambda")
        after = functions.get_function_configuration(FunctionName="keep")
        assert after | {"ResponseMetadata": None} == before | {"ResponseMetadata": None}
        assert functions.invoke(FunctionName="keep")["Payload"].read() == b"1"
        again = server.client("logs").filter_log_events(logGroupName="/aws/lambda/keep")["events"]
        assert again[: len(events)] == events


def test_sessions_outlive_a_restart(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        role = server.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]
        session = server.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
        server.kill()
    with server_process(tmp_path) as server:
        assumed = server.client(
            "sts",
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        assert assumed.get_caller_identity()["Arn"] == "arn:aws:sts::000000000000:assumed-role/r/session"


def test_no_function_process_outlives_a_killed_server(tmp_path: Path) -> None:
    code = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    with server_process(tmp_path, "--sandbox", "process") as server:
        functions = server.client("lambda")
        create(functions, "pid", {"app.py": code}, "app.handler")
        pid = json.loads(functions.invoke(FunctionName="pid")["Payload"].read())
        gone = threading.Thread(target=wait_for_exit, args=(pid,))
        gone.start()
        server.kill()
        gone.join(20)
        assert not gone.is_alive()


def test_what_left_its_process_group_ends_with_the_next_start(tmp_path: Path) -> None:
    code = """
import subprocess
def handler(event, context):
    return subprocess.Popen(["sleep", "600"], start_new_session=True).pid
"""
    with server_process(tmp_path, "--sandbox", "process") as server:
        functions = server.client("lambda")
        create(functions, "daemon", {"app.py": code}, "app.handler")
        pid = json.loads(functions.invoke(FunctionName="daemon")["Payload"].read())
        server.kill()
    with server_process(tmp_path, "--sandbox", "process"):
        gone = threading.Thread(target=wait_for_exit, args=(pid,))
        gone.start()
        gone.join(20)
        assert not gone.is_alive()


def wait_for_exit(pid: int) -> None:
    """Return when the process, which is no child of ours, has ended."""
    if (descriptor := opened(pid)) is None:
        return
    select.select([descriptor], [], [])
    os.close(descriptor)
