"""Clients in crowds, and functions that wait at a turnstile until the test lets them go on."""

from __future__ import annotations

import base64
import json
import os
import queue
import select
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.stories.leaks import PATIENCE_S
from tests.support import create

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.leaks import Premises

CONNECTIONS = 256
ANSWER_S = 120
"""How long a client waits for an answer."""
LOST = "the server is gone"

SOURCE = """
import os
ROOT = os.environ["LAMBDA_TASK_ROOT"]

def tell():
    begun = os.open(ROOT + "/begun", os.O_WRONLY)
    os.write(begun, b".")
    os.close(begun)

def wait():
    gate = os.open(ROOT + "/gate", os.O_RDONLY)
    assert os.read(gate, 1)
    os.close(gate)

def explode():
    lit, fuse = os.pipe()
    try:
        while os.fork():
            pass
        os.close(fuse)
        os.read(lit, 1)
    except OSError:  # there may be no more of them
        tell()
        os.close(fuse)
    while True:
        try:
            os.fork()
        except OSError:
            pass

def handler(event, context):
    if event.get("waits"):
        tell()
        wait()
    if event.get("bomb"):
        explode()
    return [context.function_name, context.log_stream_name]
"""


class Answer(NamedTuple):
    """What a client got."""

    value: Any
    """What the function has answered."""
    trouble: str | None = None
    """Why it has not: the reason of a refusal, the message of an error, or LOST."""


class Turnstile:
    """Where invocations wait until the test lets them go on: two named pipes in the function's package."""

    def __init__(self, site: Premises, digest: str) -> None:
        (folder,) = site.data.glob(f"code/*/{base64.b64decode(digest).hex()}")
        folder.chmod(0o755)  # unpacked code is read-only
        self._begun, self._gate = self._pipe(folder / "begun"), self._pipe(folder / "gate")

    def wait_for(self, count: int) -> None:
        """Return once `count` more invocations have come."""
        while count > 0:
            assert select.select([self._begun], [], [], PATIENCE_S)[0], f"{count} more should have begun"
            count -= len(os.read(self._begun, count))

    def check_nobody_came(self) -> None:
        """No invocation has begun that was not waited for."""
        assert not select.select([self._begun], [], [], 0)[0], "more run than may"

    def let(self, count: int) -> None:
        """Let so many go on."""
        os.write(self._gate, b"." * count)

    def close(self) -> None:
        """Close the pipes."""
        os.close(self._begun)
        os.close(self._gate)

    def _pipe(self, path: Path) -> int:
        os.mkfifo(path)
        path.chmod(0o666)  # other users than the server's run functions
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)


class Crowd:
    """Clients on threads of their own; their answers arrive as they come."""

    def __init__(self, site: Premises) -> None:
        config = Config(max_pool_connections=CONNECTIONS, read_timeout=ANSWER_S)
        self.functions = site.server.client("lambda", config=config)
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def call(self, *names: str, **event: bool) -> None:
        """Call these functions at the same moment; each waits at the turnstile."""
        begin = threading.Barrier(len(names))

        def client(name: str) -> None:
            begin.wait()
            self.answers.put(invoke(self.functions, name, waits=True, **event))

        threads = [threading.Thread(target=client, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        self._threads += threads

    def take(self, count: int) -> list[Answer]:
        """The next answers."""
        return [self.answers.get(timeout=PATIENCE_S) for _ in range(count)]

    def close(self) -> None:
        """Wait for all clients."""
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self.functions.close()


def invoke(functions: Any, name: str, **event: bool) -> Answer:
    """Call a function, whatever becomes of it."""
    try:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        value = json.loads(answer["Payload"].read())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "TooManyRequestsException", error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        return Answer(None, error.response["Reason"])
    except BotoCoreError:
        return Answer(None, LOST)
    return Answer(None, value["errorMessage"]) if "FunctionError" in answer else Answer(value)


def made(site: Premises, names: list[str], **settings: Any) -> Turnstile:
    """Functions of one package, and the turnstile in it."""
    functions = site.server.client("lambda")
    settings = {"Timeout": 300, **settings}
    digests = {create(functions, name, {"app.py": SOURCE}, "app.handler", **settings)["CodeSha256"] for name in names}
    functions.close()
    (digest,) = digests
    return Turnstile(site, digest)
