"""A server for each level with walls, a function that attacks, one that is attacked, and what must not be found."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

import lambent
from lambent.compute.sandbox.killing import opened
from tests.support import READY_LINE, ServerProcess, archive, create, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-f3b1c7"
"""Part of everything that no function may ever see."""
PROBES = {path.name: path.read_text() for path in (Path(__file__).parent / "probes").glob("*.py")}
SOURCES = str(Path(lambent.__file__).parents[1])
"""The server under attack is the one that these tests stand beside."""
COMPANION = """#!/var/lang/bin/python3
import os, urllib.request

def ask(path, data=None, **headers):
    url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension/{path}"
    return urllib.request.urlopen(urllib.request.Request(url, data, headers))

registration = ask("register", b'{"events": ["INVOKE"]}', **{"Lambda-Extension-Name": "companion"})
identifier = registration.headers["Lambda-Extension-Identifier"]
while True:
    ask("event/next", **{"Lambda-Extension-Identifier": identifier}).read()
"""
PLAIN_USER = 54_321
PLAIN_PYTHON = "/usr/bin/python3"
LEVELS = ("jail", "userns")
PATIENCE_MS = 20_000
READ_TIMEOUT_S = 100


class Host:
    """What there is to steal and to break on this machine: files, variables, sockets, all made for the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.data = folder / "data"
        self.secrets = [self.home / ".ssh" / "id_ed25519", self.home / ".aws" / "credentials", folder / "secret"]
        for path in self.secrets:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{CANARY}-file")
        self.before = self.state()

    def state(self) -> dict[str, object]:
        """What a function could have changed."""
        return {
            "secrets": [path.read_text() for path in self.secrets],
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "name": os.uname().nodename,
            "core": Path("/proc/sys/kernel/core_pattern").read_text(),
            "folder": sorted(path.name for path in self.folder.iterdir() if path != self.data),
        }

    def inhabitants(self) -> list[int]:
        """The processes that see a part of the data folder as their root."""
        return [pid for pid in processes() if str(self.data) in read(f"/proc/{pid}/mountinfo")]


class Attacker:
    """A function that runs probes."""

    def __init__(self, functions: Any, name: str) -> None:
        self._functions = functions
        self._name = name

    @classmethod
    def deployed(cls, server: ServerProcess, name: str, **options: Any) -> Attacker:
        """A new function of this kind; `files` are more files of its package, the rest goes to CreateFunction."""
        functions = server.client("lambda", config=Config(read_timeout=READ_TIMEOUT_S))
        create(functions, name, PROBES | options.pop("files", {}), "probe.handler", **{"Timeout": 60} | options)
        return cls(functions, name)

    def __call__(self, probe: str, **arguments: Any) -> Any:
        """What a probe tells."""
        answer = self.answer(probe, **arguments)
        assert "FunctionError" not in answer, answer["Payload"]
        return answer["Payload"]

    def answer(self, probe: str, **arguments: Any) -> dict[str, Any]:
        """The answer of Invoke, its payload and the end of its log read."""
        event = json.dumps({"probe": probe, "with": arguments})
        answer = self._functions.invoke(FunctionName=self._name, Payload=event, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        return answer | {"Payload": json.loads(answer["Payload"].read()), "LogResult": log}

    def delete(self) -> None:
        """Delete the function, which ends its environments."""
        self._functions.delete_function(FunctionName=self._name)


def processes() -> list[int]:
    """All process ids that can be seen."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def read(path: str) -> str:
    """A file of a process; empty where that is gone or somebody else's."""
    try:
        return Path(path).read_bytes().decode("latin-1")
    except (OSError, ValueError):
        return ""


def marked(token: str) -> list[int]:
    """The processes that have `token` among their arguments or variables."""
    return [
        pid for pid in processes() if token in read(f"/proc/{pid}/cmdline") or token in read(f"/proc/{pid}/environ")
    ]


def wait_for_end(pids: list[int]) -> None:
    """Wait until processes are gone."""
    for pid in pids:
        if (descriptor := opened(pid)) is None:
            continue
        try:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            assert waiting.poll(PATIENCE_MS), f"process {pid} lives on: {read(f'/proc/{pid}/cmdline')}"
        finally:
            os.close(descriptor)


def plain_user(folder: Path) -> tuple[list[str], dict[str, str]]:
    """How to run the server's Python as somebody who is not root: the command's beginning, and variables. Skips where
    nobody else can read the program."""
    if os.geteuid() != 0:
        return [sys.executable], {"PYTHONPATH": SOURCES}
    paths = [SOURCES, *(entry for entry in sys.path if entry.endswith("site-packages"))]
    variables = {"PYTHONPATH": ":".join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups", PLAIN_PYTHON]
    trial = subprocess.run(
        [*command, "-c", "import lambent.app"], env=variables, cwd=folder, capture_output=True, text=True, check=False
    )
    if trial.returncode:
        pytest.skip(f"another user cannot run the server here: {trial.stderr.strip().splitlines()[-1:]}")
    return command, variables


@contextmanager
def serve(level: str, host: Host) -> Iterator[ServerProcess]:
    """Run a server at `level` until the block ends, as root or as somebody else."""
    if level == "jail" and os.geteuid() != 0:
        pytest.skip("the jail level needs root")
    command, variables = plain_user(host.folder) if level == "userns" else ([sys.executable], {"PYTHONPATH": SOURCES})
    variables |= {"PATH": os.environ["PATH"], "HOME": str(host.home), "LAMBENT_SANDBOX": level, "STOLEN": CANARY}
    port = free_port()
    command += ["-m", "lambent.cli.main", "up", "--port", str(port), "--data", str(host.data)]
    child = subprocess.Popen(
        command,
        env=variables,
        cwd=host.folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        printed = until_ready(child)
        yield ServerProcess(child, port, printed)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()


def until_ready(child: subprocess.Popen[str]) -> list[str]:
    """What a server prints until it can be used."""
    assert child.stdout is not None
    printed: list[str] = []
    for line in child.stdout:
        printed.append(line)
        if READY_LINE in line:
            return printed
    raise AssertionError(f"the server did not start:\n{''.join(printed)}")


@contextmanager
def prepared(level: str) -> Iterator[Host]:
    """A host to attack. Nothing of it is left when the block ends, and nothing of it has changed."""
    folder = Path(tempfile.mkdtemp(prefix="escape-"))
    folder.chmod(0o755)
    host = Host(folder)
    if level == "userns" and os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, PLAIN_USER, PLAIN_USER)
    try:
        yield host
        assert host.state() == host.before
    finally:
        wait_for_end(host.inhabitants())
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o700)  # noqa: PTH101 the folders of packages are read-only
        shutil.rmtree(folder)


@pytest.fixture(scope="session", params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    """The level of isolation under attack."""
    return str(request.param)


@pytest.fixture(scope="session")
def host(level: str) -> Iterator[Host]:
    with prepared(level) as host:
        yield host


@pytest.fixture(scope="session")
def server(level: str, host: Host) -> Iterator[ServerProcess]:
    """A server that must have noticed nothing in the end: it stops as one does, and leaves nothing."""
    with serve(level, host) as server:
        yield server
        assert server.stop() == 0
    assert host.inhabitants() == []


@pytest.fixture(scope="session")
def attacker(server: ServerProcess) -> Attacker:
    """A function with plenty of memory, so that what stops it is the limit that is looked at."""
    return Attacker.deployed(server, "attacker", MemorySize=2048)


@pytest.fixture(scope="session")
def accompanied(server: ServerProcess) -> Attacker:
    """One with an extension: its cell is built by another process, and it is not alone there."""
    functions = server.client("lambda")
    content = {"ZipFile": archive({"extensions/companion": COMPANION}, mode=0o755)}
    layer = functions.publish_layer_version(LayerName="companion", Content=content)["LayerVersionArn"]
    return Attacker.deployed(server, "accompanied", MemorySize=2048, Layers=[layer])


@pytest.fixture(params=["attacker", "accompanied"])
def anybody(level: str, request: pytest.FixtureRequest) -> Attacker:
    """Each of these, at each level."""
    attacker: Attacker = request.getfixturevalue(request.param)
    return attacker


@pytest.fixture(scope="session")
def neighbour(server: ServerProcess) -> Attacker:
    """A function with secrets everywhere: in its code, its variables, its memory and its /tmp."""
    neighbour = Attacker.deployed(
        server,
        "neighbour",
        files={"secret.txt": f"{CANARY}-code"},
        Environment={"Variables": {"SECRET": f"{CANARY}-variable"}},
    )
    assert neighbour("remember", text=f"{CANARY}-memory")
    return neighbour


@pytest.fixture(scope="session")
def small(server: ServerProcess) -> Attacker:
    """A function with the least memory."""
    return Attacker.deployed(server, "small", MemorySize=128)
