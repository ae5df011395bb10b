"""Durable functions on a clock that a test moves, with functions that the test plays itself, or with real ones."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import queue
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_durable_execution_sdk_python as sdk
import boto3
import pytest
from botocore.config import Config

from lambent.compute.engine import Engine
from lambent.compute.function import Outcome
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.services import lambda_
from lambent.services.lambda_.durable.driving import Driver
from lambent.services.lambda_.store import durable
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import new
from tests.services.lambda_.calls import settle as settled
from tests.services.lambda_.packages import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.services.lambda_.records.durable import Execution, Operation
    from lambent.store.api import Transaction
    from tests.conftest import Server

PATIENCE_S = 30
DAY_S = 24 * 3600
_session = boto3.session.Session()
_names = itertools.count(1)
_accounts = itertools.count(300_000_000_000)


class Turn:
    """An invocation of a durable function, which the test answers in the function's place."""

    def __init__(self, function: FunctionVersion, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        self.function = function
        self.invocation = invocation
        self.event: dict[str, Any] = json.loads(invocation.payload)
        self.arn: str = self.event["DurableExecutionArn"]
        self.token: str = self.event["CheckpointToken"]
        self.over = threading.Event()
        """Set when the server has stored what came of it."""
        self._answer = answer

    @property
    def operations(self) -> list[dict[str, Any]]:
        """What the function is told of its operations."""
        operations: list[dict[str, Any]] = self.event["InitialExecutionState"]["Operations"]
        return operations

    def returns(self, status: str | None, **members: Any) -> None:
        """Answer as the SDKs do."""
        self.answers(Outcome(payload=json.dumps({"Status": status, **members}).encode()))

    def suspends(self) -> None:
        """Wait for whatever was checkpointed."""
        self.returns("PENDING")

    def raises(self, message: str) -> None:
        """Fail without an answer."""
        payload = json.dumps({"errorMessage": message, "errorType": "Broken", "stackTrace": ["line"]}).encode()
        self.answers(Outcome(payload=payload, error="Unhandled"))

    def answers(self, outcome: Outcome | Exception) -> None:
        """Answer with whatever an engine may, or with a bug of it."""
        give = self._answer.set_exception if isinstance(outcome, Exception) else self._answer.set_result
        self._answer.get_loop().call_soon_threadsafe(give, outcome)
        assert self.over.wait(PATIENCE_S)


class PuppetEngine(Engine):
    """Hands invocations of durable functions to the test; runs all others."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._turns: dict[str, queue.Queue[Turn]] = {}
        self._lock = threading.Lock()
        self._taken: dict[str, Turn] = {}

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        if not function.durable:
            return await super().invoke(function, invocation)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        turn = Turn(function, invocation, answer)
        self._taken[turn.token] = turn
        self.turns(function.account).put(turn)
        return await answer

    def turns(self, account: str) -> queue.Queue[Turn]:
        """The invocations of the account's functions."""
        with self._lock:
            return self._turns.setdefault(account, queue.Queue())

    def over(self, token: str) -> None:
        """The invocation that began with this token is over, and what came of it is stored."""
        if token in self._taken:
            self._taken.pop(token).over.set()


class WatchedDriver(Driver):
    """Tells a turn when what came of it is stored."""

    async def _run(self, execution: Execution, invocation: str, event: bytes) -> None:
        engine: Any = self._parts.engine
        try:
            await super()._run(execution, invocation, event)
        finally:
            engine.over(json.loads(event)["CheckpointToken"])


class Stage:
    """A server whose Lambda service lives by a clock that stands still, as one account sees it."""

    def __init__(self, server: Server, clock: VirtualClock, account: str = "000000000000") -> None:
        self.server = server
        self.client = _client(server.endpoint, account)
        self.account = account
        self.functions = f"arn:aws:lambda:us-east-1:{account}:function:"
        """What the ARNs of its functions begin with."""
        self.parts: Any = next(service.parts for service in server.app.services if service.name == "lambda")
        self._clock = clock

    def other(self) -> Stage:
        """The same server, as another account sees it."""
        return Stage(self.server, self._clock, str(next(_accounts)))

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, and let happen what is due by then."""
        self.server.run(lambda: self._pass(seconds))

    async def _pass(self, seconds: float) -> None:
        await self._clock.advance(seconds)
        while (due_ms := await self.parts.store.read(durable.next_due)) is not None and due_ms <= self.parts.now_ms():
            await settle()

    def turn(self) -> Turn:
        """The next invocation of a durable function; for stages with a PuppetEngine."""
        turn: Turn = self.parts.engine.turns(self.account).get(timeout=PATIENCE_S)
        return turn

    def create(self, timeout_s: int = 600, **members: Any) -> str:
        """A durable function; returns its name."""
        name = f"durable{next(_names)}"
        self.create_again(name, timeout_s, **members)
        return name

    def create_again(self, name: str, timeout_s: int = 600, **members: Any) -> None:
        """A durable function of that name."""
        self.client.create_function(**new(name, DurableConfig={"ExecutionTimeout": timeout_s}, **members))
        settled(self.client, name)

    def rows(self) -> int:
        """How many rows there are of all durable executions."""

        def count(tx: Transaction) -> int:
            tables = ("execution", "operation", "event", "remains")
            found = [tx.one(f"SELECT COUNT(*) FROM lambda_durable_{table}") for table in tables]
            return sum(row[0] for row in found if row is not None)

        rows: int = self.server.run(lambda: self.parts.store.read(count))
        return rows

    def gone(self, arn: str) -> bool:
        """Whether the execution goes away; the driver does that on its own time."""
        for _ in range(1000):
            try:
                self.execution(arn)
            except self.client.exceptions.ResourceNotFoundException:
                return True
        return False

    def swept(self) -> None:
        """Return when nothing is left of what nobody sees."""

        async def until() -> None:
            while await self.parts.store.read(_left):
                await settle()

        self.server.run(until)

    def begin(self, function: str, event: Any = None, **members: Any) -> str:
        """Begin an execution; returns its ARN."""
        answer = self.client.invoke(
            FunctionName=function,
            Qualifier=members.pop("Qualifier", "$LATEST"),
            InvocationType="Event",
            Payload=json.dumps(event),
            **members,
        )
        assert answer["StatusCode"] == 202
        arn: str = answer["DurableExecutionArn"]
        return arn

    def checkpoint(self, turn: Turn, *updates: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Checkpoint in the function's place; returns what has happened, by the ids of the operations."""
        answer = self.client.checkpoint_durable_execution(
            DurableExecutionArn=turn.arn, CheckpointToken=turn.token, Updates=list(updates), **members
        )
        turn.token = answer.get("CheckpointToken", "")
        return {operation["Id"]: operation for operation in answer["NewExecutionState"]["Operations"]}

    def suspended(self, arn: str, name: str | None) -> None:
        """Return when no invocation is under way, and something waits whose name begins so (None: has no name)."""

        def waits(tx: Transaction) -> bool:
            held = durable.find(tx, arn.rpartition("/")[2])
            assert held is not None
            names = [operation.name for operation in _all(tx, held.id) if operation.waiting]
            found = [one for one in names if one is name or (one and name and one.startswith(name))]
            return held.invocation is None and not held.wanted and bool(found)

        async def until() -> None:
            while not await self.parts.store.read(waits):
                await settle()

        self.server.run(until)

    def rests(self, arn: str) -> None:
        """Return when no invocation and no call is under way, and none is owed before time passes."""

        def until_later(tx: Transaction) -> bool:
            held = durable.find(tx, arn.rpartition("/")[2])
            assert held is not None
            owed = held.wanted and (held.retry_ms or 0) <= self.parts.now_ms()
            calls = any(operation.type == "CHAINED_INVOKE" and operation.open for operation in _all(tx, held.id))
            return held.invocation is None and not owed and not calls

        async def until() -> None:
            while not await self.parts.store.read(until_later):
                await settle()

        self.server.run(until)

    def recovered(self, arn: str) -> None:
        """Return when the driver has let go of the invocation that the execution had."""

        async def until() -> None:
            while (await self.parts.store.read(lambda tx: durable.find(tx, arn.rpartition("/")[2]))).invocation:
                await settle()

        self.server.run(until)

    def callback(self, arn: str, number: int) -> str:
        """The id of the callback that is the execution's first, second, third, once it is asked for."""

        def asked(tx: Transaction) -> list[str | None]:
            operations = _all(tx, arn.rpartition("/")[2])
            return [operation.callback_id for operation in operations if operation.type == "CALLBACK"]

        async def until() -> str | None:
            while len(found := await self.parts.store.read(asked)) < number:
                await settle()
            return found[number - 1]

        found: str = self.server.run(until)
        return found

    def execution(self, arn: str, **members: Any) -> dict[str, Any]:
        """What GetDurableExecution says."""
        answer: dict[str, Any] = self.client.get_durable_execution(DurableExecutionArn=arn, **members)
        del answer["ResponseMetadata"]
        return answer

    def ended(self, arn: str) -> dict[str, Any]:
        """The execution, once it has ended."""
        self.server.run(lambda: self.parts.executions.ended(arn.rpartition("/")[2]))
        return self.execution(arn)

    def history(self, arn: str, **members: Any) -> list[dict[str, Any]]:
        """The events of an execution."""
        events: list[dict[str, Any]] = self.client.get_durable_execution_history(DurableExecutionArn=arn, **members)[
            "Events"
        ]
        return events

    def kinds(self, arn: str) -> list[str]:
        """What has happened, in a word each."""
        return [event["EventType"] for event in self.history(arn)]


@contextmanager
def stage(folder: Path, clock: VirtualClock, *, puppets: bool) -> Iterator[Stage]:
    """A server in `folder`; a second one there goes on where the first one was. With puppets, the test plays the
    durable functions."""
    build = lambda_.build
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(lambda_, "build", lambda parts: build(dataclasses.replace(parts, clock=clock)))
            if puppets:
                patched.setattr(lambda_, "Driver", WatchedDriver)
                patched.setattr("lambent.app.Engine", PuppetEngine)
            server = stack.enter_context(serving(settings_for(folder)))
        yield Stage(server, clock)


def _left(tx: Transaction) -> bool:
    """Whether there is a row that belongs to no function."""
    living = "SELECT e.id FROM lambda_durable_execution e JOIN lambda_durable_owner o ON o.id = e.owner"
    there = "f.account = o.account AND f.region = o.region AND f.name = o.function"
    owners = f"SELECT o.id FROM lambda_durable_owner o JOIN lambda_function f ON {there}"
    wanted = (
        "SELECT 1 FROM lambda_durable_remains LIMIT 1",
        f"SELECT 1 FROM lambda_durable_execution WHERE id NOT IN ({living}) LIMIT 1",
        f"SELECT 1 FROM lambda_durable_operation WHERE execution NOT IN ({living}) LIMIT 1",
        f"SELECT 1 FROM lambda_durable_event WHERE execution NOT IN ({living}) LIMIT 1",
        f"SELECT 1 FROM lambda_durable_owner WHERE id NOT IN ({owners}) LIMIT 1",
    )
    return any(tx.one(sql) is not None for sql in wanted)


def _all(tx: Transaction, execution_id: str) -> list[Operation]:
    size = limits.DURABLE_WRITTEN_BYTES
    return durable.operations(tx, execution_id, 0, limits.DURABLE_OPERATIONS, size, seen=0)[0]


def _client(endpoint: str, account: str) -> Any:
    """A boto3 client that does not retry. One session makes them all, for it reads the model once."""
    return _session.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def real_now() -> VirtualClock:
    """A clock that stands still at this moment: the SDKs compare what they are told with their own clocks."""
    return VirtualClock(time.time())


def with_sdk(text: str) -> bytes:
    """A package whose module `index` is `text`, with the official SDK."""
    folder = Path(sdk.__file__).parent
    modules = {str(path.relative_to(folder.parent)): path.read_bytes() for path in folder.rglob("*.py")}
    return archive({"index.py": text.encode(), **modules})
