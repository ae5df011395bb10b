"""`lambent up`: it says where it is, deploys, stops on a signal, and gives one clear line where it cannot start."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError

from lambent.cli.failure import Exit
from tests.support import READY_LINE, aws_environment, client, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "lambent.cli.main", "up")
LIMIT_S = 60
CODE = "def handler(event, context):\n    return {'hello': event.get('name')}\n"


def environment(folder: Path, **variables: str) -> dict[str, str]:
    tools = Path(sys.executable).parent
    return {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(folder), "XDG_CACHE_HOME": str(folder)} | variables


class Up:
    """A server in a process of its own, and what it has printed so far."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.printed = ""

    def until(self, *words: str) -> str:
        """Read on until a line that has all `words`; returns that line."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.printed += line
            if all(word in line for word in words):
                return line
        raise AssertionError(f"{words} was not printed:\n{self.printed}")

    def send(self, number: int) -> None:
        """Send a signal."""
        self._child.send_signal(number)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, read the rest, and return the exit code."""
        assert self._child.stdout is not None
        self.send(number)
        self.printed += self._child.stdout.read()
        return self._child.wait(30)


@contextmanager
def up(folder: Path, *arguments: str, **variables: str) -> Iterator[Up]:
    """Run `lambent up` in `folder` until the block ends."""
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=folder, env=environment(folder, **variables),
    )  # fmt: skip
    # A server that hangs ends its own test, not the whole run.
    limit = threading.Timer(LIMIT_S, child.kill)
    limit.start()
    try:
        yield Up(child)
    finally:
        limit.cancel()
        if child.poll() is None:
            child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def refused(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code and the one line of a server that does not start."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder, env=environment(folder, **variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("lambent: ")
    return done.returncode, done.stderr


def function(folder: Path, name: str, files: dict[str, str] | None = None) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    for file, text in ({"app.py": CODE} | (files or {})).items():
        (path / file).write_text(text)
    return path


def test_it_says_where_it_is_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, "--port", str(port)) as server:
        server.until("Nothing is deployed yet")
        assert client(f"http://127.0.0.1:{port}", "sts").get_caller_identity()["Account"] == "000000000000"
        assert server.stop() == Exit.OK
    assert f"endpoint     http://127.0.0.1:{port}\n" in server.printed
    assert f"data         {tmp_path / 'lambent-data'}\n" in server.printed
    assert "test / test" in server.printed
    assert "000000000000 in us-east-1" in server.printed
    assert re.search(r"^  sandbox {6}(jail|userns|process): ", server.printed, re.MULTILINE)
    assert READY_LINE in server.printed
    assert server.printed.endswith("Stopping ...\nStopped.\n")


def test_sigterm_stops_it_as_cleanly(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0") as server:
        server.until(READY_LINE)
        assert server.stop(signal.SIGTERM) == Exit.OK
    assert server.printed.endswith("Stopped.\n")


def test_variables_and_the_settings_file_are_honoured(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "lambent.toml").write_text(f'account = "123456789012"\nport = {free_port()}\n')
    with up(tmp_path, LAMBENT_PORT=str(port), LAMBENT_DATA=str(tmp_path / "elsewhere")) as server:
        server.until(READY_LINE)
        identity = client(f"http://127.0.0.1:{port}", "sts").get_caller_identity()
        assert server.stop() == Exit.OK
    assert identity["Account"] == "123456789012"
    assert (tmp_path / "elsewhere").is_dir()
    assert not (tmp_path / "lambent-data").exists()


def test_it_deploys_and_prints_commands_that_work(tmp_path: Path) -> None:
    function(tmp_path / "functions", "greet", {"event.json": '{"name": "Ada"}'})
    function(tmp_path / "functions", "other")
    function(tmp_path / "functions", "approval", {"function.toml": "durable = 600\n", "event.json": "{}"})
    with up(tmp_path, "--port", "0", "--deploy", "functions") as server:
        server.until("logs greet --follow")
        commands = re.findall(r"^  ((?:export|aws|lambent) .*)$", server.printed, re.MULTILINE)
        tried = [command for command in commands if "--follow" not in command]
        assert [" ".join(command.split()[:2]) for command in tried[1:]] == [
            "aws lambda",
            "aws lambda",
            "aws lambda",
            "aws logs",
            "lambent invoke",
        ]
        done = subprocess.run(
            ["bash", "-euc", "\n".join(tried)],
            cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.stop() == Exit.OK
    assert re.search(r"^  greet +created +python3\.\d+, ", server.printed, re.MULTILINE)
    assert '{"hello": "Ada"}' in done.stdout
    assert "DurableExecutionArn" in done.stdout
    assert "START RequestId" in done.stdout


def test_a_second_start_finds_everything_and_deploys_nothing_anew(tmp_path: Path) -> None:
    function(tmp_path, "greet")
    with up(tmp_path, "--port", "0", "--deploy", "greet") as server:
        server.until("greet", "created")
        server.stop()
    with up(tmp_path, "--port", "0", "--deploy", "greet") as server:
        server.until("greet", "unchanged")
        server.stop()
    with up(tmp_path, "--port", "0") as server:
        assert server.until("Deployed: ") == "Deployed: greet\n"
        server.stop()


def test_a_function_that_cannot_be_deployed_stops_neither_the_server_nor_the_others(tmp_path: Path) -> None:
    function(tmp_path / "functions", "bad", {"requirements.txt": "--no-index\nno-such-package-anywhere\n"})
    function(tmp_path / "functions", "good")
    with up(tmp_path, "--port", "0", "--deploy", "functions", "--json") as server:
        ready = json.loads(server.until('"ready"'))
        server.until("all-deployed")
        results = {
            line["function"]: line for line in map(json.loads, server.printed.splitlines()) if "function" in line
        }
        functions = client(ready["endpoint"], "lambda")
        answer = functions.invoke(FunctionName="good", Payload=b'{"name": "x"}')["Payload"].read()
        assert server.stop() == Exit.OK
    assert ready["sandbox"] in ("jail", "userns", "process")
    assert results["good"]["action"] == "created"
    assert results["bad"]["action"] == "failed"
    assert "no-such-package-anywhere" in results["bad"]["error"]
    assert json.loads(answer) == {"hello": "x"}
    assert [json.loads(line)["event"] for line in server.printed.splitlines()[-2:]] == ["stopping", "stopped"]


def test_ctrl_c_ends_a_deploy_that_hangs(tmp_path: Path) -> None:
    """pip waits for an index that takes its connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        function(tmp_path, "greet", {"requirements.txt": f"--index-url {url}\nanything\n"})
        with up(tmp_path, "--port", "0", "--deploy", "greet", "--json") as server:
            ready = json.loads(server.until('"ready"'))
            connection, _ = index.accept()
            with connection:
                assert server.stop() == Exit.OK
                # pip is gone, so its end of the connection is closed: what is left to read ends.
                connection.settimeout(30)
                while connection.recv(65536):
                    pass
    assert ready["process"] > 0


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        code, line = refused(tmp_path, "--port", str(port))
    assert code == Exit.MACHINE
    assert f"127.0.0.1 port {port}" in line
    assert "choose another with --port" in line


def test_a_data_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, line = refused(tmp_path, "--port", "0", "--data", "file/data")
    assert code == Exit.MACHINE
    assert "file/data" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_data_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    code, line = refused(tmp_path, "--port", "0", "--data", "data")
    assert code == Exit.MACHINE
    assert str(tmp_path / "data") in line or "data" in line


def test_a_data_folder_of_another_server_is_one_line_that_names_it(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0", "--json") as server:
        ready = json.loads(server.until('"ready"'))
        code, line = refused(tmp_path, "--port", "0")
        assert server.stop() == Exit.OK
    assert code == Exit.MACHINE
    assert f"is in use by process {ready['process']}" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached by other machines"),
        (["--production"], "production mode needs a key pair of your own"),
        (["--deploy", "nothing"], "nothing: no such file or folder"),
    ],
)
def test_settings_that_cannot_be_are_one_line_before_anything_starts(
    tmp_path: Path, arguments: list[str], expected: str
) -> None:
    code, line = refused(tmp_path, *arguments)
    assert code == Exit.USAGE
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_walls_says_so_loudly(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0", "--sandbox", "process") as server:
        server.until(READY_LINE)
        server.stop()
    assert "process: NO WALLS" in server.printed


def test_a_sandbox_level_that_does_not_work_is_one_line(tmp_path: Path) -> None:
    other = "userns" if os.geteuid() == 0 else "jail"
    code, line = refused(tmp_path, "--port", "0", "--sandbox", other)
    assert code == Exit.MACHINE
    assert f"the sandbox level that the settings ask for does not work here: {other}: " in line
    assert "lambent doctor" in line


def own_keys(folder: Path) -> Path:
    """Settings for production mode."""
    path = folder / "lambent.toml"
    path.write_text('mode = "production"\n[[keys]]\naccess_key_id = "AKIAMINE"\nsecret_access_key = "my-own-secret"\n')
    path.chmod(0o600)
    return path


def test_production_mode_refuses_to_run_without_walls(tmp_path: Path) -> None:
    own_keys(tmp_path)
    code, line = refused(tmp_path, "--port", "0", LAMBENT_SANDBOX="process")
    assert code == Exit.MACHINE
    assert "production mode needs a sandbox with walls" in line


def test_production_mode_takes_only_its_own_keys(tmp_path: Path) -> None:
    own_keys(tmp_path)
    function(tmp_path, "greet")
    with up(tmp_path, "--port", "0", "--deploy", "greet") as server:
        server.until("logs greet --follow")
        match = re.search(r"endpoint +(\S+)", server.printed)
        assert match
        own = client(match[1], "sts", aws_access_key_id="AKIAMINE", aws_secret_access_key="my-own-secret")
        assert own.get_caller_identity()["Account"] == "000000000000"
        stranger = client(match[1], "sts")
        with pytest.raises(stranger.exceptions.ClientError) as caught:
            stranger.get_caller_identity()
        assert server.stop() == Exit.OK
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert "my-own-secret" not in server.printed
    assert "test / test" not in server.printed


def test_status_knows_the_server_of_this_folder(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, "--port", str(port), "--json") as server:
        ready = json.loads(server.until('"ready"'))
        done = subprocess.run(
            [sys.executable, "-m", "lambent.cli.main", "status", "--json"],
            cwd=tmp_path, env=environment(tmp_path) | aws_environment(ready["endpoint"]),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        server.stop()
    assert done.returncode == Exit.OK, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["process"], facts["version"], facts["data"]) == (ready["process"], ready["version"], ready["data"])
    assert facts["sandbox"] == ready["sandbox"]
    assert facts["functions"] == []
    assert not (tmp_path / "lambent-data" / "server.json").exists()


def test_a_second_ctrl_c_does_not_wait_for_a_running_call(tmp_path: Path) -> None:
    slow = "import time\ndef handler(event, context):\n    print('begun', flush=True)\n    time.sleep(50)\n"
    function(tmp_path, "slow", {"app.py": slow, "function.toml": "timeout = 55\n"})
    with up(tmp_path, "--port", "0", "--deploy", "slow", "--json") as server:
        endpoint = json.loads(server.until('"ready"'))["endpoint"]
        server.until("all-deployed")
        call = threading.Thread(target=_called_in_vain, args=(endpoint,))
        call.start()
        logs = client(endpoint, "logs")
        while not logs.describe_log_groups()["logGroups"]:
            pass
        server.send(signal.SIGINT)
        server.until("stopping")
        assert server.stop() == Exit.INTERRUPTED
        call.join(30)
        assert not call.is_alive()


def _called_in_vain(endpoint: str) -> None:
    with pytest.raises(BotoCoreError):
        client(endpoint, "lambda").invoke(FunctionName="slow")
