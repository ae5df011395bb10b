"""A call with what comes before it and what can be seen of it, as data, and the actor who plays that on a server."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60
OK = "ok"

_UNDER_WAY = re.compile(r'"(State|LastUpdateStatus|Status)": "(Pending|InProgress|IN_PROGRESS|[A-Z][a-z]+ing)"')
_UNSTEADY = re.compile(
    r"(?<=\"FunctionUrl\": \")[^\"]+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|csc-[0-9a-f]{17}"
    r"|(?<=\"Location\": \")[^\"]+|\b1[5-9]\d{11}\b|\b\d{56}\b|A(ROA|NPA)[A-Z0-9]+|\d{4}-\d\d-\d\dT[\d:.]+(\+0000|Z)?"
)
"""Ids, links and times, which are others each time the same is done."""
_UNTOLD = {"CheckpointToken", "ResponseMetadata", "nextBackwardToken", "nextForwardToken"}
"""Members that say nothing of what is stored."""


class Step(NamedTuple):
    """An operation with its request. `<name>` within it stands for what an earlier step has kept under that name."""

    operation: str
    request: dict[str, Any]
    keep: tuple[tuple[str, str], ...] = ()
    """Under which names members of the answer are kept, each with its path."""


@dataclass(frozen=True)
class Scenario:
    """A call of `operation`, after the steps in `given`; the steps in `seen` show all that it changes."""

    operation: str
    request: dict[str, Any]
    given: tuple[Step, ...] = ()
    seen: tuple[Step, ...] = ()
    service: str = "lambda"
    ends: str = ""
    """What can be seen in the end and not before, where states do not tell."""
    once: bool = False
    """Whether it belongs to an invocation, so that nobody can repeat it after a crash."""
    waits: bool = False
    """Whether it is answered only once workers have done what it asks for."""
    runs: tuple[str, ...] = ()
    """The functions that run because of it, some time after it is answered."""
    case: str = ""
    """What is special about it, where the operation has several scenarios."""

    @property
    def name(self) -> str:
        """Its name among all."""
        return f"{self.service}.{self.operation}" + (f".{self.case}" if self.case else "")

    @property
    def call(self) -> Step:
        """The call itself."""
        return Step(self.operation, self.request)


@dataclass
class Actor:
    """Plays a scenario in an account of its own."""

    scenario: Scenario
    account: str
    kept: dict[str, str] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    """What is seen without the call."""
    after: list[str] = field(default_factory=list)
    """What is seen once it is complete."""
    outcome: str = ""
    """How the call was answered: OK, or the code of an error."""
    again: str = ""
    """How it is answered when it is made once more."""

    @property
    def runs(self) -> set[str]:
        """The ARNs of the functions that run because of the call."""
        return {f"arn:aws:lambda:us-east-1:{self.account}:function:{name}" for name in self.scenario.runs}

    def on(self, endpoint: str) -> Play:
        """The actor on the server at `endpoint`."""
        return Play(self, endpoint)


class Play:
    """An actor on one server."""

    def __init__(self, actor: Actor, endpoint: str) -> None:
        self.actor = actor
        self._endpoint = endpoint

    def client(self, service: str) -> Any:
        """A boto3 client of the actor's account."""
        return CLIENTS.get(self._endpoint, service, self.actor.account)

    def answer(self, step: Step) -> dict[str, Any]:
        """Take one step; returns its answer and keeps what is to be kept of it. Raises ClientError."""
        client = self.client(self.actor.scenario.service)
        names = {"account": self.actor.account, **self.actor.kept}
        answer: dict[str, Any] = getattr(client, _method(client, step.operation))(**_filled(step.request, names))
        if "Payload" in answer:
            answer["Payload"] = answer["Payload"].read().decode()
        if "EventStream" in answer:
            answer["EventStream"] = [next(iter(event)) for event in answer["EventStream"]]
        for name, path in step.keep:
            value: Any = answer
            for member in path.split("."):
                value = value[int(member) if member.isdigit() else member]
            self.actor.kept[name] = value
        return answer

    def attempt(self, step: Step) -> tuple[str, str]:
        """Take one step; returns how it was answered, and what without all that is another each time."""
        try:
            answer = self.answer(step)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert status < 500 or status == 501, f"{self.actor.scenario.name}: {step.operation} answers {error}"
            return error.response["Error"]["Code"], ""
        return OK, _steady(step.operation, answer)

    def look(self) -> list[str]:
        """What can be seen now."""
        return [f"{step.operation}: {' '.join(self.attempt(step))}" for step in self.actor.scenario.seen]

    def settled(self) -> list[str]:
        """What can be seen once nothing is under way any more, and the call complete if it has been made."""
        ends = self.actor.scenario.ends if self.actor.outcome else ""
        return self.until(lambda seen: not _UNDER_WAY.search("".join(seen)) and ends in "".join(seen))

    def quiet(self, step: Step) -> None:
        """Return once the step tells of nothing that is under way."""
        end = time.monotonic() + PATIENCE_S
        while _UNDER_WAY.search(told := self.attempt(step)[1]):
            assert time.monotonic() < end, f"{self.actor.scenario.name}: it stays at {told}"

    def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """What can be seen as soon as that is enough."""
        end = time.monotonic() + PATIENCE_S
        while not enough(seen := self.look()):
            assert time.monotonic() < end, f"{self.actor.scenario.name}: it stays at {seen}"
        return seen


class Clients:
    """The boto3 clients of all actors. One session makes them, for it reads each model once."""

    def __init__(self) -> None:
        self._session = boto3.session.Session(region_name="us-east-1")
        self._made: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def get(self, endpoint: str, service: str, account: str) -> Any:
        """The one for that server, service and account."""
        with self._lock:  # a session is no work for two threads
            key = endpoint, service, account
            if key not in self._made:
                self._made[key] = self._session.client(
                    service,
                    endpoint_url=endpoint,
                    aws_access_key_id=account,
                    aws_secret_access_key="test",
                    config=Config(retries={"total_max_attempts": 1}),
                )
            return self._made[key]

    def close(self, endpoint: str) -> None:
        """The server is gone."""
        with self._lock:
            for key in [key for key in self._made if key[0] == endpoint]:
                self._made.pop(key).close()


CLIENTS = Clients()


def _method(client: Any, operation: str) -> str:
    names: dict[str, str] = client.meta.method_to_api_mapping
    return next(method for method, named in names.items() if named == operation)


def _filled(request: Any, names: dict[str, str]) -> Any:
    if isinstance(request, dict):
        return {member: _filled(value, names) for member, value in request.items()}
    if isinstance(request, list):
        return [_filled(value, names) for value in request]
    return re.sub(r"<(\w+)>", lambda match: names[match[1]], request) if isinstance(request, str) else request


def _steady(operation: str, answer: dict[str, Any]) -> str:
    if operation == "GetDurableExecutionState":
        return ""  # it goes with an invocation, and a crash is the end of that
    if operation == "GetDurableExecutionHistory":
        # A crash breaks off an invocation, and another one begins: that is told, too.
        kinds = [(event["EventType"], event.get("Name")) for event in answer["Events"]]
        answer = {"Events": [kind for kind in kinds if not kind[0].startswith("Invocation")]}
    told = {member: value for member, value in answer.items() if member not in _UNTOLD}
    # What is paused waits for its invocation first, which a crash brings to its end.
    return _UNSTEADY.sub("*", json.dumps(told, default=_text, sort_keys=True)).replace("PAUSING", "PAUSED")


def _text(value: Any) -> str:
    return "*" if hasattr(value, "isoformat") else str(value)
