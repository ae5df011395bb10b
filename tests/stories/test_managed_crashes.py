"""Capacity providers and the versions on them come through SIGKILL: what was on its way arrives at the next start."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.services.lambda_.calls import MANAGED_RUNTIME, invoke, managed, new, settle, settle_provider, settle_version
from tests.support import ROLE, ServerProcess, server_process

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = 3
PATIENCE_S = 120
VERSION = "1"


class Builders:
    """Threads that let capacity providers and functions on them come and go until the server dies. They remember the
    last state that each of these was answered to have, and which of them they were changing."""

    def __init__(self, server: ServerProcess, prefix: str) -> None:
        self.held: dict[str, str] = {}
        self._server = server
        self._changed = threading.Condition()
        self._count = 0
        self._threads = [threading.Thread(target=self._build, args=(f"{prefix}-{n}",)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Return once `count` changes of this round were answered."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, PATIENCE_S), self.held

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _build(self, prefix: str) -> None:
        client = self._server.client("lambda")
        step = 0
        try:
            while True:
                self._life(client, f"{prefix}-{step}")
                step += 1
        except (BotoCoreError, ClientError):
            return

    def _life(self, client: Any, name: str) -> None:
        self._do(f"provider {name}", "is there", create_provider, client, name)
        self._do(f"function {name}", "is there", create_function, client, name)
        self._do(f"function {name}", "is published", client.publish_version, FunctionName=name)
        settle_version(client, name, VERSION)
        self._do(f"function {name}", "is gone", client.delete_function, FunctionName=name)
        self._do(f"provider {name}", "is gone", client.delete_capacity_provider, CapacityProviderName=name)

    def _do(self, what: str, becomes: str, change: Any, *arguments: Any, **members: Any) -> None:
        with self._changed:
            self.held[what] = "is changing"
        change(*arguments, **members)
        with self._changed:
            self.held[what] = becomes
            self._count += 1
            self._changed.notify_all()


def create_provider(client: Any, name: str) -> None:
    client.create_capacity_provider(
        CapacityProviderName=name,
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
    )


def create_function(client: Any, name: str) -> None:
    arn = settle_provider(client, name)["CapacityProviderArn"]
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}}
    client.create_function(**new(name, "echo", Runtime=MANAGED_RUNTIME, CapacityProviderConfig=config))
    settle(client, name)


def check_function(client: Any, name: str, state: str) -> None:
    """What was answered holds; what was never answered has happened as a whole, or not at all. It goes at the end."""
    try:
        settle(client, name)
    except client.exceptions.ResourceNotFoundException:
        assert state in ("is gone", "is changing"), name
        return
    assert state != "is gone", name
    versions = [held["Version"] for held in client.list_versions_by_function(FunctionName=name)["Versions"]]
    assert VERSION in versions or state != "is published", name
    if VERSION in versions:
        assert settle_version(client, name, VERSION)["State"] == "Active", name
        assert invoke(client, name, name, Qualifier=VERSION) == name
    client.delete_function(FunctionName=name)


def check_provider(client: Any, name: str, state: str) -> None:
    """As for functions. One that goes is still seen for a moment."""
    try:
        held = client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]
        while held["State"] in ("Pending", "Deleting"):
            held = client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]
    except client.exceptions.ResourceNotFoundException:
        assert state in ("is gone", "is changing"), name
        return
    assert (held["State"], state != "is gone") == ("Active", True), name
    client.delete_capacity_provider(CapacityProviderName=name)


def killed_while_building(folder: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    left: dict[str, str] = {}
    for number in range(rounds):
        with server_process(folder) as server:
            client = server.client("lambda")
            check(client, left)
            builders = Builders(server, f"r{number}")
            builders.wait_for(chance.randint(1, 5 * CLIENTS))
            server.kill()
            builders.join()
            left = builders.held
    with server_process(folder) as server:
        client = server.client("lambda")
        check(client, left)
        while client.list_capacity_providers()["CapacityProviders"]:
            continue


def check(client: Any, left: dict[str, str]) -> None:
    for kind, does in (("function", check_function), ("provider", check_provider)):
        for what, state in left.items():
            if what.startswith(f"{kind} "):
                does(client, what.split()[1], state)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a server on which functions can be on managed instances; skips where no such runtime is here."""
    with server_process(tmp_path) as server:
        client = server.client("lambda")
        try:
            client.create_function(**new("f", Runtime=MANAGED_RUNTIME, CapacityProviderConfig=managed(client)))
        except client.exceptions.InvalidParameterValueException as refusal:
            if "install" not in str(refusal):
                raise
            pytest.skip(str(refusal))
        settle(client, "f")
        client.delete_function(FunctionName="f")
        client.delete_capacity_provider(CapacityProviderName="mine")
    return tmp_path


def test_what_was_on_its_way_arrives_after_a_kill(folder: Path) -> None:
    killed_while_building(folder, rounds=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_was_on_its_way_arrives_after_many_kills(folder: Path) -> None:
    killed_while_building(folder, rounds=12, seed=2)
