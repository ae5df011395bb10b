"""Who is measured beside Lambent: how each is installed, started and asked. All of them listen on loopback only."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import lambent
from benchmarks import functions, packages
from benchmarks.client import request_bytes
from benchmarks.packages import Unavailable

CACHE = Path(__file__).parent.parent / ".cache" / "rivals"
FUNCTIONS = 13
NODE_PACKAGES = ("osls@4.3.1", "serverless-offline@14.8.2")
CONFIGURATION = """service: bench
frameworkVersion: '*'
provider: {name: aws, runtime: RUNTIME, stage: dev, region: us-east-1}
plugins: [serverless-offline]
functions:
"""


class Contender:
    """Somebody who runs the handler, installed and ready to be started. Raises Unavailable where that cannot be."""

    name: ClassVar[str]
    many: ClassVar[bool] = True
    """Whether it serves many functions at once."""

    target: ClassVar[str] = "/2015-03-31/functions/{}/invocations"
    """Where a function is called by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name.replace(" ", "-")
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.names = [f"f{number}" for number in range(FUNCTIONS)]
        self.variables = {"PATH": f"{Path(packages.interpreter()).parent}:{os.defpath}", "HOME": str(self.folder)}
        self.command: list[str] = []
        self.prepare()

    def prepare(self) -> None:
        """Install it, write what it serves into its folder, and set its command."""
        raise NotImplementedError

    def deploy(self) -> None:
        """Give it its functions, when it has started."""

    def request(self, name: str) -> bytes:
        """A call as this server wants it."""
        url = self.endpoint + self.target.format(name)
        return request_bytes(url, functions.PAYLOAD, {"Content-Type": "application/json"})


class Aws(Contender):
    """Who speaks the AWS API: its functions are created by boto3, and its calls are signed."""

    def deploy(self) -> None:
        client = functions.client(self.endpoint)
        kept = {function["FunctionName"] for function in client.list_functions()["Functions"]}
        for name in self.names:
            if name not in kept:
                functions.create(client, name)

    def request(self, name: str) -> bytes:
        return request_bytes(self.endpoint + self.target.format(name), functions.PAYLOAD, signed_for="lambda")


class Lambent(Aws):
    """We ourselves."""

    name = "lambent"

    def prepare(self) -> None:
        program = "from lambent.cli.main import main; main()"
        options = ["--port", str(self.port), "--data", str(self.folder / "data")]
        self.command = [sys.executable, "-c", program, "up", *options]
        self.variables["PATH"] = os.environ["PATH"]
        self.variables["PYTHONPATH"] = str(Path(lambent.__file__).parents[1])


class Ministack(Aws):
    """MiniStack, an emulator of AWS; its functions run in processes that it keeps."""

    name = "ministack"

    def prepare(self) -> None:
        self.command = [str(_python("ministack", "ministack") / "ministack")]
        self.variables |= {"GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "SERVICES": "lambda,iam,logs"}


class ServerlessOffline(Contender):
    """serverless-offline, on the free fork of the framework that it is a plugin of."""

    name = "serverless-offline"
    target = "/2015-03-31/functions/bench-dev-{}/invocations"

    def prepare(self) -> None:
        modules = _node()
        (self.folder / "node_modules").symlink_to(modules)
        (self.folder / "app.py").write_text(functions.HELLO)
        lines = [f"  {name}: {{handler: app.handler}}" for name in self.names]
        configuration = CONFIGURATION.replace("RUNTIME", functions.RUNTIME) + "\n".join(lines) + "\n"
        (self.folder / "serverless.yml").write_text(configuration)
        ports = {"lambdaPort": self.port, "httpPort": 0, "websocketPort": 0, "albPort": 0}
        options = [part for name, port in ports.items() for part in (f"--{name}", str(port or free_port()))]
        program = str(modules / ".bin" / "osls")
        self.command = [_program("node"), program, "offline", "start", "--host", "127.0.0.1", *options]
        self.variables["SLS_NOTIFICATIONS_MODE"] = "off"
        self.variables["PATH"] += f":{Path(_program('node')).parent}"


class FunctionsFramework(Contender):
    """Google's functions-framework: one function in a web server."""

    name = "functions-framework"
    many = False
    target = "/"

    def prepare(self) -> None:
        program = _python("functions", "functions-framework") / "functions-framework"
        code = "def handler(request):\n    return {'hello': request.get_json()['name']}\n"
        (self.folder / "main.py").write_text(code)
        options = ["--target", "handler", "--host", "127.0.0.1", "--port", str(self.port)]
        self.command = [str(program), *options]


class Emulator(Contender):
    """AWS's runtime interface emulator with AWS's runtime client: one function, one call at a time."""

    name = "runtime interface emulator"
    many = False
    target = "/2015-03-31/functions/function/invocations"

    def prepare(self) -> None:
        programs = _python("rie", "awslambdaric", "aws-sam-cli")
        machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        found = list(programs.parent.glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
        if not found:
            raise Unavailable(f"aws-sam-cli brings no emulator for {machine}")
        (self.folder / "app.py").write_text(functions.HELLO)
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
        self.command = [str(found[0]), *addresses, str(programs / "python"), "-m", "awslambdaric", "app.handler"]


ALL: tuple[type[Contender], ...] = (Lambent, ServerlessOffline, Ministack, FunctionsFramework, Emulator)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not here")
    return found


def _python(folder: str, *names: str) -> Path:
    """The programs of a virtual environment of its own that holds the packages `names`."""
    made = CACHE / folder
    if not (made / "installed").exists():
        _run(sys.executable, "-m", "venv", "--clear", str(made))
        _run(str(made / "bin" / "pip"), "install", "-q", *names)
        (made / "installed").touch()
    return made / "bin"


def _node() -> Path:
    """The folder of the Node packages."""
    made = CACHE / "node"
    if not (made / "installed").exists():
        made.mkdir(parents=True, exist_ok=True)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps"]
        _run(_program("npm"), "install", "--silent", "--prefix", str(made), *options, *NODE_PACKAGES)
        (made / "installed").touch()
    return made / "node_modules"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-200:]}")
