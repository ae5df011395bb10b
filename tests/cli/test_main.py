"""The command itself: help that teaches, quick starts, one line for every failure, exit codes that mean something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from lambent.cli import client, main
from lambent.cli.failure import Exit
from tests.support import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMMANDS = ("up", "status", "doctor", "dead-events", "deploy", "invoke", "logs", "ls", "rm")
HEAVY = ("boto3", "botocore", "uvloop", "lambent.app", "asyncio", "cryptography")


class Stranger(BaseHTTPRequestHandler):
    """A web server that knows nothing of AWS."""

    def _answer(self) -> None:
        self.send_error(404)

    do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
        pass


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main.run(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command_and_every_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str]
) -> None:
    code, out, _ = run(capsys, *arguments)
    assert code == Exit.OK
    for command in COMMANDS:
        assert f" {command} " in out
    for value in Exit:
        assert f" {int(value)}  " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == Exit.OK
    assert "Examples" in out
    assert f" lambent {command}" in out.partition("Examples")[2]
    assert "--json" in out


@pytest.mark.parametrize("command", ["--help", "deploy --help", "--version"])
def test_help_starts_without_loading_what_only_some_commands_need(command: str) -> None:
    program = (
        "import sys; from lambent.cli.main import run; code = run(sys.argv[1:]);"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = python("-c", program, *command.split())
    assert done.returncode == Exit.OK, done.stderr


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run(capsys, "--version") == (Exit.OK, f"lambent {version('lambent')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["invoke"], "Missing argument 'NAME'"),
        (["invoke", "--colour", "x"], "No such option"),
        (["up", "--port", "x"], "--port"),
        (["up", "--port", "70000"], "--port: 70000 is not allowed; it takes a whole number from 0 to 65535"),
        (["up", "--host", "192.0.2.1"], "192.0.2.1 can be reached by other machines"),
        (["up", "--production"], "production mode needs a key pair of your own"),
        (["up", "--log-level", "loud"], "--log-level: 'loud' is not allowed; it takes debug, info, warning, error"),
        (["up", "--deploy", "no/such/folder"], "no/such/folder: no such file or folder"),
        (["deploy", "no/such/folder"], "no/such/folder: no such file or folder"),
        (["deploy", ".", "--memory", "1"], "--memory: 1 is not allowed; it takes megabytes from 128 to 10240"),
        (["deploy", ".", "--env", "NAME"], "--env: 'NAME' is not NAME=VALUE"),
        (["invoke", "x", "--payload", "{"], "--payload: not valid JSON"),
        (["invoke", "x", "--payload", "{}", "--payload-file", "y"], "--payload and --payload-file exclude each other"),
        (["invoke", "x", "--payload-file", "none.json"], "--payload-file: cannot read none.json: No such file"),
        (["logs", "x", "--since", "soon"], "--since: 'soon' is no age"),
        (["ls", "--endpoint", "localhost"], "'localhost' is not an endpoint; it looks like http://127.0.0.1:4566"),
        (["ls", "--endpoint", "http://127.0.0.1:port"], "is not an endpoint"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == Exit.USAGE
    assert out == ""
    assert expected in err
    assert err.startswith("lambent: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["ls"], ["status"], ["invoke", "x"], ["logs", "x"], ["logs", "x", "--follow"], ["rm", "x"]]
)
def test_a_server_that_is_not_there_is_one_line_and_code_3(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    code, out, err = run(capsys, *arguments, "--endpoint", endpoint)
    assert (code, out) == (Exit.UNREACHABLE, "")
    assert err == f"lambent: no server answers at {endpoint}; start one with: lambent up\n"


@pytest.mark.parametrize("command", ["ls", "status"])
def test_another_program_at_the_endpoint_is_one_line_and_code_3(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_port}"
            code, out, err = run(capsys, command, "--endpoint", endpoint)
        finally:
            server.shutdown()
            thread.join()
    assert (code, out) == (Exit.UNREACHABLE, "")
    assert err == f"lambent: what listens at {endpoint} does not speak AWS; is it another program?\n"


@pytest.mark.parametrize("variable", ["LAMBENT_ENDPOINT", "AWS_ENDPOINT_URL"])
def test_the_endpoint_comes_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(variable, endpoint)
    code, _, err = run(capsys, "ls")
    assert code == Exit.UNREACHABLE
    assert endpoint in err


def test_deploying_to_a_server_that_is_not_there_answers_json_for_programs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    code, out, _ = run(
        capsys, "deploy", str(tmp_path), "--name", "x", "--json", "--endpoint", f"http://127.0.0.1:{free_port()}"
    )
    assert code == Exit.UNREACHABLE
    assert json.loads(out)["action"] == "failed"
    assert "no server answers" in json.loads(out)["error"]


def test_a_reader_that_has_seen_enough_ends_the_command_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lambent.cli.main", "doctor", "--json"],
            stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.stderr == ""


def test_a_python_that_is_too_old_gets_one_line() -> None:
    program = "import sys; sys.version_info = (3, 10, 0); import lambent.cli.main"
    done = python("-c", program)
    assert done.returncode != 0
    assert done.stderr.startswith("lambent: Python 3.11 or newer is needed; this is ")
    assert done.stderr.count("\n") == 1


def test_the_variables_of_the_server_also_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAMBENT_ENDPOINT", "AWS_ENDPOINT_URL", "LAMBENT_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAMBENT_PORT", "4601")
    assert client.endpoint(None) == "http://127.0.0.1:4601"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4602")
    assert client.endpoint(None) == "http://127.0.0.1:4602"
