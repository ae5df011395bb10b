"""`deploy`, `invoke`, `logs`, `ls`, `rm` and `status` against a real server."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lambent.cli import deployment, main, presence
from lambent.cli.failure import Exit
from tests.services.lambda_.visits import visit
from tests.support import aws_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

CODE = """
import os
def handler(event, context):
    print("called with", event)
    if event.get("fail"):
        raise ValueError("as asked")
    return {"name": event.get("name", "nobody"), "stage": os.environ.get("STAGE")}
"""


class Cli:
    """Commands in this process, against one server."""

    def __init__(self, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main.run([*arguments, "--endpoint", self.server.endpoint])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def json(self, *arguments: str) -> list[dict[str, object]]:
        """The JSON lines of a command that must not fail."""
        code, out, err = self(*arguments, "--json")
        assert code == Exit.OK, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def cli(lambent: Server, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(lambent, capsys)


@pytest.fixture
def greet(tmp_path: Path) -> Path:
    folder = tmp_path / "greet"
    folder.mkdir()
    (folder / "app.py").write_text(CODE)
    return folder


def test_deploy_creates_then_leaves_alone_then_updates(cli: Cli, greet: Path) -> None:
    code, out, err = cli("deploy", str(greet))
    assert (code, out.split()[:2]) == (Exit.OK, ["created", "greet"])
    assert "greet: creating\n" in err
    first = cli.server.client("lambda").get_function_configuration(FunctionName="greet")
    assert (first["State"], first["Handler"], first["Runtime"]) == (
        "Active",
        "app.handler",
        deployment.running_runtime(),
    )

    assert cli.json("deploy", str(greet))[0]["action"] == "unchanged"
    again = cli.server.client("lambda").get_function_configuration(FunctionName="greet")
    assert again["RevisionId"] == first["RevisionId"]

    (greet / "app.py").write_text(CODE.replace("nobody", "somebody"))
    assert cli.json("deploy", str(greet))[0]["action"] == "updated"
    assert json.loads(cli("invoke", "greet")[1])["name"] == "somebody"


def test_deploy_sets_what_it_is_told_and_leaves_the_rest(cli: Cli, greet: Path) -> None:
    (greet / "function.toml").write_text('memory = 256\ndescription = "first"\n[variables]\nSTAGE = "dev"\n')
    cli("deploy", str(greet), "--timeout", "7", "--env", "EXTRA=a=b")
    functions = cli.server.client("lambda")
    now = functions.get_function_configuration(FunctionName="greet")
    assert (now["MemorySize"], now["Timeout"], now["Description"]) == (256, 7, "first")
    assert now["Environment"]["Variables"] == {"STAGE": "dev", "EXTRA": "a=b"}

    (greet / "function.toml").write_text('description = "second"\n')
    assert cli.json("deploy", str(greet))[0]["action"] == "updated"
    now = functions.get_function_configuration(FunctionName="greet")
    assert (now["MemorySize"], now["Timeout"], now["Description"]) == (256, 7, "second")
    assert now["Environment"]["Variables"] == {"STAGE": "dev", "EXTRA": "a=b"}


def test_deploy_of_a_program_makes_a_function_with_its_own_runtime_and_back(cli: Cli, greet: Path) -> None:
    program = greet / "bootstrap"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert cli.json("deploy", str(greet))[0]["runtime"] == deployment.running_runtime()

    (greet / "app.py").rename(greet / "unused.txt")
    done = cli.json("deploy", str(greet))[0]
    assert (done["action"], done["runtime"], done["handler"]) == ("updated", "provided.al2023", "bootstrap")
    assert cli.json("deploy", str(greet), "--runtime", "provided.al2")[0]["runtime"] == "provided.al2"
    assert cli.json("deploy", str(greet))[0]["runtime"] == "provided.al2"

    (greet / "unused.txt").rename(greet / "app.py")
    assert cli.json("deploy", str(greet))[0]["handler"] == "app.handler"
    assert json.loads(cli("invoke", "greet", "--payload", '{"name": "Ada"}')[1])["name"] == "Ada"


def test_deploy_makes_a_durable_function_and_changes_its_terms(cli: Cli, greet: Path) -> None:
    (greet / "function.toml").write_text("durable = 600\n")
    assert cli.json("deploy", str(greet))[0]["action"] == "created"
    functions = cli.server.client("lambda")
    assert functions.get_function_configuration(FunctionName="greet")["DurableConfig"]["ExecutionTimeout"] == 600
    assert cli.json("deploy", str(greet))[0]["action"] == "unchanged"
    assert cli.json("deploy", str(greet), "--durable", "700")[0]["action"] == "updated"
    assert functions.get_function_configuration(FunctionName="greet")["DurableConfig"]["ExecutionTimeout"] == 700


def test_deploy_gives_a_url_and_keeps_it(cli: Cli, greet: Path) -> None:
    assert cli.json("deploy", str(greet))[0]["url"] is None
    (greet / "function.toml").write_text('url = "public"\n')
    done = cli.json("deploy", str(greet))[0]
    url = str(done["url"])
    assert done["action"] == "updated"
    assert visit(cli.server, url).json() == {"name": "nobody", "stage": None}
    code, out, _ = cli("deploy", str(greet))
    assert (code, out.split()[0], out.split()[-1]) == (Exit.OK, "unchanged", url)

    done = cli.json("deploy", str(greet), "--url", "signed")[0]
    assert (done["action"], done["url"]) == ("updated", url)
    assert visit(cli.server, url).status == 403
    assert cli.json("deploy", str(greet))[0]["url"] == url
    assert visit(cli.server, url).status == 200


def test_deploy_takes_two_kinds_of_url(cli: Cli, greet: Path) -> None:
    code, _, err = cli("deploy", str(greet), "--url", "secret")
    assert (code, err) == (Exit.USAGE, "lambent: --url: 'secret' is not allowed; it takes public or signed\n")


def test_deploy_makes_a_role_once(cli: Cli, greet: Path) -> None:
    for name in ("one", "two"):
        assert cli.json("deploy", str(greet), "--name", name)[0]["action"] == "created"
    iam = cli.server.client("iam")
    role = iam.get_role(RoleName=deployment.ROLE)["Role"]
    attached = iam.list_attached_role_policies(RoleName=deployment.ROLE)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AWSLambdaBasicExecutionRole"]
    functions = cli.server.client("lambda")
    assert {f["Role"] for f in functions.list_functions()["Functions"]} == {role["Arn"]}


def test_deploy_of_a_runtime_that_is_not_here_says_what_to_do(cli: Cli, greet: Path) -> None:
    code, _, err = cli("deploy", str(greet), "--runtime", "python2.7")
    assert code == Exit.REFUSED
    assert err.splitlines()[-1].startswith("lambent: InvalidParameterValueException: ")


def test_deploy_goes_on_after_a_failure_and_ends_with_its_code(cli: Cli, greet: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "app.py").write_text("def handler(:")
    code, out, err = cli("deploy", str(tmp_path))
    assert code == Exit.USAGE
    assert out.startswith("created   greet")
    assert "broken/app.py: not valid Python" in err


def test_invoke_prints_the_answer(cli: Cli, greet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("deploy", str(greet))
    assert cli("invoke", "greet", "--payload", '{"name": "Ada"}') == (Exit.OK, '{"name": "Ada", "stage": null}\n', "")
    event = tmp_path / "event.json"
    event.write_text('{"name": "Zoë"}', "utf-8")
    assert json.loads(cli("invoke", "greet", "--payload-file", str(event))[1])["name"] == "Zoë"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"name": "stdin"}')))
    assert json.loads(cli("invoke", "greet", "--payload-file", "-")[1])["name"] == "stdin"


def test_invoke_of_a_failing_function_prints_its_error_and_ends_with_1(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    code, out, err = cli("invoke", "greet", "--payload", '{"fail": true}', "--log")
    assert code == Exit.REFUSED
    assert json.loads(out)["errorType"] == "ValueError"
    assert "called with {'fail': True}" in err
    assert err.splitlines()[-1] == "lambent: greet failed: ValueError: as asked"


def test_invoke_for_programs_is_one_object(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    (answer,) = cli.json("invoke", "greet", "--payload", '{"name": 1}', "--log")
    assert answer["StatusCode"] == 200
    assert answer["Payload"] == {"name": 1, "stage": None}
    assert "REPORT RequestId" in str(answer["Log"])
    assert "FunctionError" not in answer


def test_invoke_may_queue_an_event(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    code, out, err = cli("invoke", "greet", "--payload", '{"name": 1}', "--async")
    assert (code, err) == (Exit.OK, "")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n", out)
    (answer,) = cli.json("invoke", "greet", "--async")
    assert answer["StatusCode"] == 202
    assert answer.keys() == {"StatusCode", "RequestId"}
    code, out, err = cli("invoke", "greet", "--async", "--log")
    assert (code, out) == (Exit.USAGE, "")
    assert "--log" in err


def test_a_function_that_is_not_there_is_awss_error_in_one_line(cli: Cli) -> None:
    for command in (["invoke", "none"], ["rm", "none"]):
        code, out, err = cli(*command)
        assert (code, out) == (Exit.REFUSED, "")
        assert err.startswith("lambent: ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:")
        assert err.count("\n") == 1


def test_logs_prints_what_a_function_printed(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    assert cli("logs", "greet")[0] == Exit.REFUSED
    cli("invoke", "greet", "--payload", '{"name": "first"}')
    _logged(cli, "greet", "REPORT")
    code, out, _ = cli("logs", "greet")
    assert code == Exit.OK
    assert [word for word in ("START", "called", "END", "REPORT") if word in out] == [
        "START",
        "called",
        "END",
        "REPORT",
    ]
    matching = cli.json("logs", "greet", "--filter", "called")
    assert [event["message"] for event in matching] == ["called with {'name': 'first'}\n"]
    assert cli.json("logs", "greet", "--since", "2000-01-01T00:00") == cli.json("logs", "greet")


def test_logs_follow_prints_new_lines_once_and_ctrl_c_ends_it_quietly(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    follower = subprocess.Popen(
        [sys.executable, "-m", "lambent.cli.main", "logs", "greet", "--follow", "--json"],
        env=aws_environment(cli.server.endpoint),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert follower.stdout is not None
        assert follower.stderr is not None
        seen: list[str] = []
        for name in ("one", "two"):
            cli("invoke", "greet", "--payload", json.dumps({"name": name}))
            while not seen or f"'{name}'" not in seen[-1]:
                seen.append(json.loads(follower.stdout.readline())["message"])
        follower.send_signal(signal.SIGINT)
        rest = follower.stdout.read()
        assert follower.wait(30) == Exit.INTERRUPTED
        assert follower.stderr.read() == ""
        called = [message for message in seen if message.startswith("called")]
        assert called == ["called with {'name': 'one'}\n", "called with {'name': 'two'}\n"]
        assert "called" not in rest
    finally:
        follower.kill()
        follower.wait()
        for stream in (follower.stdout, follower.stderr):
            if stream is not None:
                stream.close()


def test_ls_lists_by_name(cli: Cli, greet: Path) -> None:
    assert cli("ls") == (Exit.OK, "", "")
    for name in ("b", "a"):
        cli("deploy", str(greet), "--name", name)
    code, out, _ = cli("ls")
    assert code == Exit.OK
    assert [line.split("\t")[:3] for line in out.splitlines()] == [
        ["a", deployment.running_runtime(), "128 MB"],
        ["b", deployment.running_runtime(), "128 MB"],
    ]
    ((first, second),) = cli.json("ls")
    assert [first["FunctionName"], second["FunctionName"]] == ["a", "b"]


def test_rm_deletes_functions_and_if_asked_their_logs(cli: Cli, greet: Path) -> None:
    for name in ("a", "b"):
        cli("deploy", str(greet), "--name", name)
        cli("invoke", name)
        _logged(cli, name, "REPORT")
    assert cli("rm", "a")[1] == "deleted a\n"
    assert cli.json("rm", "b", "--logs") == [{"function": "b", "action": "deleted", "logs_deleted": True}]
    assert cli("ls")[1] == ""
    groups = cli.server.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/lambda/a"]
    assert "called with" in cli("logs", "a")[1]


def test_status_tells_what_is_on_the_server(cli: Cli, greet: Path) -> None:
    cli("deploy", str(greet))
    (facts,) = cli.json("status")
    assert facts["endpoint"] == cli.server.endpoint
    assert facts["account"] == "000000000000"
    assert facts["functions"] == ["greet"]
    code, out, _ = cli("status")
    assert code == Exit.OK
    assert "functions\t1: greet\n" in out


def test_status_tells_which_limits_do_not_hold(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBENT_DATA", str(tmp_path))
    for unlimited in ("", "nothing limits memory"):
        with presence.announced(tmp_path, cli.server.endpoint, "1.0", "userns", "key", unlimited):
            (facts,) = cli.json("status")
        assert facts["sandbox"] == "userns"
        assert facts.get("unlimited", "") == unlimited


def test_status_tells_of_fronts_where_there_are_any(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBENT_DATA", str(tmp_path))
    for fronts in (0, 2):
        with presence.announced(tmp_path, cli.server.endpoint, "1.0", "userns", "key", fronts=fronts):
            (facts,) = cli.json("status")
        assert facts.get("fronts", 0) == fronts
        assert ("fronts" in facts) == bool(fronts)


def test_own_credentials_are_used_where_the_environment_has_them(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert cli.json("status")[0]["account"] == "123456789012"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    code, _, err = cli("status")
    assert code == Exit.REFUSED
    assert err.startswith("lambent: SignatureDoesNotMatch: ")


def _logged(cli: Cli, name: str, word: str) -> None:
    """Wait until the log of `name` holds `word`: it is written off the answer's path."""
    while word not in cli("logs", name)[1]:
        pass
