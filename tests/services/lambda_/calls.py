"""What most tests of this service do first: create a function, wait until it is settled, invoke it."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from lambent.services.lambda_ import roles
from tests.services.lambda_.packages import package
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tests.conftest import Server

_accounts = itertools.count(100_000_000_000)
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
MANAGED_RUNTIME = "python3.13"
"""One that takes several events at a time."""


def own_client(server: Server, **options: Any) -> Any:
    """A client for an account that nobody else on this server uses."""
    return server.client("lambda", aws_access_key_id=str(next(_accounts)), **options)


def account(client: Any) -> str:
    """The account of a client that `own_client` has made."""
    identity: str = client._request_signer._credentials.access_key
    return identity


def arn(client: Any, name: str) -> str:
    """The ARN of the function `name` in the account of such a client; a qualifier may follow the name."""
    return f"arn:aws:lambda:us-east-1:{account(client)}:function:{name}"


def new(name: str, code: str = "echo", **members: Any) -> dict[str, Any]:
    """The parameters of CreateFunction for the package called `code`."""
    return {
        "FunctionName": name,
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": "index.handler",
        "Code": {"ZipFile": package(code)},
        **members,
    }


def create(client: Any, name: str, code: str = "echo", **members: Any) -> dict[str, Any]:
    """Create a function and wait until it is active; returns its configuration."""
    client.create_function(**new(name, code, **members))
    return settle(client, name)


def settle(client: Any, name: str) -> dict[str, Any]:
    """Wait until neither the creation nor an update of the function is under way; returns its configuration."""
    for _ in range(10_000):
        held: dict[str, Any] = client.get_function_configuration(FunctionName=name)
        if held["State"] in ("Active", "ActiveNonInvocable") and held["LastUpdateStatus"] == "Successful":
            return held
    raise AssertionError(f"{name} does not settle")


def managed(client: Any, **members: Any) -> dict[str, Any]:
    """A CapacityProviderConfig that names the capacity provider `mine` of the client's account, which exists then."""
    with suppress(client.exceptions.ResourceConflictException):
        client.create_capacity_provider(
            CapacityProviderName="mine",
            VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
            PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
        )
    arn = settle_provider(client, "mine")["CapacityProviderArn"]
    return {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn, **members}}


def create_managed(client: Any, name: str, code: str = "echo", **members: Any) -> dict[str, Any]:
    """Create a function on managed instances and wait until it is settled; skips where no such runtime is here."""
    config = managed(client, PerExecutionEnvironmentMaxConcurrency=2)
    try:
        return create(client, name, code, **{"Runtime": MANAGED_RUNTIME, "CapacityProviderConfig": config, **members})
    except client.exceptions.InvalidParameterValueException as refusal:
        if "install" not in str(refusal):
            raise
        pytest.skip(str(refusal))


def settle_version(client: Any, name: str, qualifier: str) -> dict[str, Any]:
    """Wait until a version is not pending any more; returns its configuration."""
    for _ in range(10_000):
        held: dict[str, Any] = client.get_function_configuration(FunctionName=name, Qualifier=qualifier)
        if held["State"] != "Pending":
            return held
    raise AssertionError(f"{name}:{qualifier} stays pending")


def settle_provider(client: Any, name: str) -> dict[str, Any]:
    """Wait until the capacity provider is active; returns it."""
    for _ in range(10_000):
        held: dict[str, Any] = client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]
        if held["State"] == "Active":
            return held
    raise AssertionError(f"{name} does not become active")


def invoke(client: Any, name: str, event: Any = None, **members: Any) -> Any:
    """What the function returns for `event`; a failure of the function fails the test."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **members)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def publish(client: Any, name: str, code: str | None = None, **members: Any) -> str:
    """Publish the function, with another package first where one is named; returns the version's number."""
    if code is not None:
        client.update_function_code(FunctionName=name, ZipFile=package(code))
        settle(client, name)
    number: str = client.publish_version(FunctionName=name, **members)["Version"]
    return number


def refused(client: Any, code: str, call: Any, **members: Any) -> str:
    """The message with which AWS's error `code` refuses the call."""
    with pytest.raises(client.exceptions.ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == code
    message: str = caught.value.response["Error"]["Message"]
    return message


def overtaken(client: Any, monkeypatch: pytest.MonkeyPatch, between: Callable[[], Any], **members: Any) -> Future[Any]:
    """Update the configuration of a function, with `between` done after the update has been checked and before it is
    accepted; what came of it."""
    reached, go_on = threading.Event(), threading.Event()
    check = roles.check

    async def late(*arguments: Any) -> None:
        reached.set()
        await asyncio.to_thread(go_on.wait, 10)
        await check(*arguments)

    monkeypatch.setattr(roles, "check", late)
    with ThreadPoolExecutor(1) as thread:
        update = thread.submit(client.update_function_configuration, Role=ROLE, **members)
        assert reached.wait(10)
        between()
        go_on.set()
    return update
