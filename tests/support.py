"""What several suites need: archives, a free port, a server in a process of its own."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tests import answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::000000000000:role/test"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
READY_LINE = "Ctrl-C stops"


def archive(files: dict[str, str | bytes], mode: int = 0o644) -> bytes:
    """A zip of `files`, name to content, all with that mode; the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as output:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            output.writestr(entry, content)
    return buffer.getvalue()


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(endpoint: str, service: str, **options: Any) -> Any:
    """A boto3 client that does not retry, so every answer is seen; those of Lambda are compared with the model."""
    options = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"} | options
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=64).merge(options.pop("config", Config()))
    made = boto3.session.Session().client(service, endpoint_url=endpoint, config=config, **options)
    made.meta.events.register("before-parse.lambda", answers.check)
    return made


def create(functions: Any, name: str, files: dict[str, str | bytes], handler: str, **options: Any) -> Any:
    """Create a function and wait until it is active; returns the answer of CreateFunction."""
    request = {"FunctionName": name, "Handler": handler, "Code": {"ZipFile": archive(files)}}
    answer = functions.create_function(**request | {"Runtime": RUNTIME, "Role": ROLE} | options)
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
    return answer


def aws_environment(endpoint: str) -> dict[str, str]:
    """The environment in which any AWS client finds the server at `endpoint`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_PAGER": "",
        "AWS_MAX_ATTEMPTS": "1",
    }


class ServerProcess:
    """`lambent up` in a process of its own, which may be killed."""

    def __init__(self, child: subprocess.Popen[str], port: int, printed: list[str]) -> None:
        self._child = child
        self.endpoint = f"http://127.0.0.1:{port}"
        self.printed = printed

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._child.pid

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client for this server."""
        return client(self.endpoint, service, **options)

    def kill(self) -> None:
        """SIGKILL: the server has no chance to tidy up."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> int:
        """SIGINT, as Ctrl-C sends it; returns the exit code."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
        return self._child.wait(30)


@contextmanager
def server_process(folder: Path, *arguments: str) -> Iterator[ServerProcess]:
    """Run `lambent up` with its data below `folder` until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "lambent.cli.main", "up", "--port", str(port), "--data", str(folder / "data")]
    child = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", str(folder))},
    )
    assert child.stdout is not None
    printed: list[str] = []
    try:
        for line in child.stdout:
            printed.append(line)
            if READY_LINE in line:
                break
        else:
            raise AssertionError(f"the server did not start:\n{''.join(printed)}")
        server = ServerProcess(child, port, printed)
        yield server
        server.stop()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()
