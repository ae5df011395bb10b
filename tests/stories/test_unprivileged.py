"""A stranger without root copies Lambent, types `make run`, and has every example in a sandbox with walls."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from lambent.compute import folders
from tests.support import client, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
USER: Final = 61_234 if os.geteuid() == 0 else os.geteuid()
"""Nobody's, or whoever runs the tests without root."""
GROUP: Final = 61_234 if os.geteuid() == 0 else os.getegid()
PATH: Final = "/usr/local/bin:/usr/bin:/bin"
KEPT: Final = ("PIP_", "SSL_", "HTTP_", "HTTPS_", "NO_PROXY")
"""How the variables begin by which pip reaches its index."""
LIMIT_S: Final = 500
EXAMPLES: Final = ROOT / "examples"


class Stranger:
    """A user with a home of their own and nothing else."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.checkout = home / "lambent"
        kept = {name: value for name, value in os.environ.items() if name.upper().startswith(KEPT)}
        self.environment = kept | {"PATH": PATH, "HOME": str(home), "LANG": "C.UTF-8"}

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """Run a command in the checkout, in a session of its own."""
        root = os.geteuid() == 0
        return subprocess.Popen(
            command,
            cwd=self.checkout if self.checkout.exists() else self.home,
            env=self.environment | variables,
            user=USER if root else None, group=GROUP if root else None, extra_groups=[] if root else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *command: str, **variables: str) -> tuple[int, str]:
        """The exit code of a command and what it prints."""
        with self.start(*command, **variables) as child:
            printed, _ = child.communicate(timeout=60)
        return child.returncode, printed


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Who has a copy of the source as it is, with what is not committed yet."""
    home = Path(tempfile.mkdtemp(prefix="lambent-stranger-"))  # pytest's own folders are closed to others
    try:
        found = Stranger(home)
        _copy(home / "lambent")
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, USER, GROUP, follow_symlinks=False)
        yield found
    finally:
        folders.remove(home)


def _copy(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _check_machine(stranger: Stranger) -> None:
    """Skip where a stranger has not what the README asks for."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the levels with walls need Linux")
    if stranger.run("python3", "-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)")[0] != 0:
        pytest.skip("there is no Python 3.11 with venv that everybody may execute")
    if stranger.run("unshare", "--user", "--map-root-user", "true")[0] != 0:
        pytest.skip("this machine gives user namespaces to root only")


@contextmanager
def running(stranger: Stranger, port: int) -> Iterator[list[str]]:
    """`make run` until the block ends, from the moment that it has deployed everything: what it has printed."""
    child = stranger.start("make", "run", LAMBENT_PORT=str(port))
    limit = threading.Timer(LIMIT_S, os.killpg, (child.pid, signal.SIGKILL))
    limit.start()
    printed: list[str] = []
    try:
        assert child.stdout is not None
        for line in child.stdout:
            printed.append(line)
            if "--follow" in line:
                break
        else:
            raise AssertionError("".join(printed))
        yield printed
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        printed += child.stdout
        child.wait(60)
    finally:
        limit.cancel()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _processes() -> set[int]:
    """Everything that runs as the stranger."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == USER:
                found.add(int(entry.name))
        except FileNotFoundError:  # it has ended
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 100)
def test_make_run_without_root_ends_with_every_example_within_walls(stranger: Stranger) -> None:
    _check_machine(stranger)
    port = free_port()
    before = _processes()
    with running(stranger, port) as printed:
        shown = "".join(printed)
        assert re.search(r"^  sandbox +userns: ", shown, re.MULTILINE), shown
        assert "NO WALLS" not in shown
        functions = client(f"http://127.0.0.1:{port}", "lambda")
        found = {function["FunctionName"]: function for function in functions.list_functions()["Functions"]}
        assert found.keys() == {path.parent.name for path in EXAMPLES.glob("*/function.toml")}
        for name, function in sorted(found.items()):
            # What is durable may take days, and is called by version.
            begun = {"Qualifier": "$LATEST", "InvocationType": "Event"} if "DurableConfig" in function else {}
            answer = functions.invoke(FunctionName=name, Payload=(EXAMPLES / name / "event.json").read_bytes(), **begun)
            assert "FunctionError" not in answer, answer["Payload"].read()
            assert ("DurableExecutionArn" in answer) == bool(begun)
        seen = functions.invoke(FunctionName="shell-runtime")["Payload"].read().decode()
        assert "host:      sandbox\n" in seen
        code, greeting = stranger.run(
            ".venv/bin/lambent", "invoke", "hello", LAMBENT_ENDPOINT=f"http://127.0.0.1:{port}"
        )
        assert (code, "Hello, world!" in greeting) == (0, True), greeting
    assert printed[-1] == "Stopped.\n", "".join(printed)
    if os.geteuid() == 0:
        assert _processes() <= before
