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
from botocore.exceptions import ClientError

from tests.stories.leaks import PATIENCE_S
from tests.support import create

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.leaks import Premises

CONNECTIONS = 256
ANSWER_S = 120
"""How long a client waits for an answer."""

SOURCE = """
import os
ROOT = os.environ["LAMBDA_TASK_ROOT"]

def handler(event, context):
    if event.get("waits"):
        begun = os.open(ROOT + "/begun", os.O_WRONLY)
        os.write(begun, b".")
        os.close(begun)
        gate = os.open(ROOT + "/gate", os.O_RDONLY)
        assert os.read(gate, 1)
        os.close(gate)
    if event.get("bomb"):
        while True:
            try:
                os.fork()
            except OSError:
                pass
    return [context.function_name, context.log_stream_name]
"""


class Answer(NamedTuple):
    """What a client got: what the function said, or why it was refused."""

    value: Any
    refusal: str | None


class Turnstile:
    """Where invocations wait until the test lets them go on: two named pipes in the function's package."""

    def __init__(self, site: Premises, digest: str) -> None:
        (folder,) = site.data.glob(f"code/*/{base64.b64decode(digest).hex()}")
        self._begun, self._gate = self._pipe(folder / "begun"), self._pipe(folder / "gate")

    def wait_for(self, count: int) -> None:
        """Return once `count` more invocations have come, and no further one."""
        while count > 0:
            assert select.select([self._begun], [], [], PATIENCE_S)[0], f"{count} more should have begun"
            count -= len(os.read(self._begun, count))
        self.check_nobody_came()

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
        self.functions = site.server.client("lambda", config=Config(max_pool_connections=CONNECTIONS, read_timeout=ANSWER_S))
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def call(self, *names: str) -> None:
        """Call these functions at the same moment; each waits at the turnstile."""
        begin = threading.Barrier(len(names))

        def client(name: str) -> None:
            begin.wait()
            self.answers.put(invoke(self.functions, name, waits=True))

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


def invoke(functions: Any, name: str, *, waits: bool = False) -> Answer:
    """Call a function, which may be refused but must not fail."""
    try:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"waits": waits}))
    except ClientError as error:
        assert error.response["Error"]["Code"] == "TooManyRequestsException", error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        return Answer(None, error.response["Reason"])
    assert "FunctionError" not in answer
    return Answer(json.loads(answer["Payload"].read()), None)


def made(site: Premises, names: list[str]) -> Turnstile:
    """Functions of one package, and the turnstile in it."""
    functions = site.server.client("lambda")
    digests = {create(functions, name, {"app.py": SOURCE}, "app.handler", Timeout=300)["CodeSha256"] for name in names}
    functions.close()
    (digest,) = digests
    return Turnstile(site, digest)


