"""When functions and versions get a newer runtime: what is taken, kept and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.store import functions
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, own_client, publish, refused, settle
from tests.support import ROLE

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.store.api import Transaction
    from tests.conftest import Server

WRONG = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def put(client: Any, mode: str, version: str | None = None, **members: Any) -> dict[str, Any]:
    given = {} if version is None else {"RuntimeVersionArn": version}
    answer = client.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn=mode, **given, **members)
    return {key: part for key, part in answer.items() if key != "ResponseMetadata"}


def got(client: Any, **members: Any) -> dict[str, Any]:
    answer = client.get_runtime_management_config(FunctionName="f", **members)
    return {key: part for key, part in answer.items() if key != "ResponseMetadata"}


def running(client: Any) -> str:
    version: str = settle(client, "f")["RuntimeVersionConfig"]["RuntimeVersionArn"]
    return version


def test_runtimes_are_updated_by_lambda_unless_something_else_is_said(client: Any) -> None:
    arn = create(client, "f")["FunctionArn"]
    assert got(client) == {"FunctionArn": arn, "UpdateRuntimeOn": "Auto"}
    assert put(client, "FunctionUpdate") == {"FunctionArn": arn, "UpdateRuntimeOn": "FunctionUpdate"}
    assert got(client) == {"FunctionArn": arn, "UpdateRuntimeOn": "FunctionUpdate"}


def test_a_function_keeps_the_runtime_that_it_is_told_to(client: Any) -> None:
    arn = create(client, "f")["FunctionArn"]
    version = running(client)
    expected = {"FunctionArn": arn, "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": version}
    assert put(client, "Manual", version) == expected
    assert got(client) == expected
    assert running(client) == version
    assert put(client, "Auto") == {"FunctionArn": arn, "UpdateRuntimeOn": "Auto"}


def test_a_version_takes_it_along_and_has_its_own_from_then_on(client: Any) -> None:
    create(client, "f")
    put(client, "FunctionUpdate")
    number = publish(client, "f")
    put(client, "Auto")
    assert got(client, Qualifier=number)["UpdateRuntimeOn"] == "FunctionUpdate"
    assert put(client, "Manual", running(client), Qualifier=number)["FunctionArn"].endswith(f":f:{number}")
    assert got(client, Qualifier="$LATEST")["UpdateRuntimeOn"] == "Auto"
    assert client.publish_version(FunctionName="f")["Version"] == number


@pytest.mark.parametrize(
    ("mode", "version"),
    [("Manual", None), ("Auto", "own"), ("Manual", f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}")],
    ids=["none named", "not by hand", "another"],
)
def test_a_version_of_the_runtime_is_named_for_updates_by_hand_alone(
    client: Any, mode: str, version: str | None
) -> None:
    create(client, "f")
    given = {"RuntimeVersionArn": running(client) if version == "own" else version} if version else {}
    wanted = {"FunctionName": "f", "UpdateRuntimeOn": mode, **given}
    refused(client, WRONG, client.put_runtime_management_config, **wanted)
    assert got(client)["UpdateRuntimeOn"] == "Auto"


def test_what_is_not_there_has_no_runtime(client: Any) -> None:
    for call, members in (
        (client.get_runtime_management_config, {}),
        (client.put_runtime_management_config, {"UpdateRuntimeOn": "Auto"}),
    ):
        refused(client, MISSING, call, FunctionName="missing", **members)
    create(client, "f")
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier in ("7", "live"):
        refused(client, MISSING, client.get_runtime_management_config, FunctionName="f", Qualifier=qualifier)


def test_a_function_that_is_being_changed_is_left_alone(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f")
    key = FunctionKey("000000000000", "us-east-1", "f")

    def begin(tx: Transaction) -> None:
        function = functions.find(tx, key)
        assert function is not None
        functions.update(tx, msgspec.structs.replace(function, update="InProgress"))

    lambent.run(lambda: lambent.app.store.write(begin))  # the settler is not told, so it stays so
    wanted = {"FunctionName": "f", "UpdateRuntimeOn": "FunctionUpdate"}
    refused(client, "ResourceConflictException", client.put_runtime_management_config, **wanted)
    assert got(client)["UpdateRuntimeOn"] == "Auto"


def test_an_image_brings_its_own_runtime(client: Any) -> None:
    client.create_function(FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": "mine"})
    settle(client, "f")
    refused(client, WRONG, client.put_runtime_management_config, FunctionName="f", UpdateRuntimeOn="Auto")


def test_another_runtime_begins_anew(client: Any) -> None:
    create(client, "f", "echo", Runtime="provided.al2023")
    put(client, "FunctionUpdate")
    client.update_function_configuration(FunctionName="f", Timeout=9)
    settle(client, "f")
    assert got(client)["UpdateRuntimeOn"] == "FunctionUpdate"
    client.update_function_configuration(FunctionName="f", Runtime="provided.al2")
    settle(client, "f")
    assert got(client)["UpdateRuntimeOn"] == "Auto"


def test_it_survives_a_restart_and_not_the_function(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create(client, "f")
        put(client, "FunctionUpdate")
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        assert got(client)["UpdateRuntimeOn"] == "FunctionUpdate"
        client.delete_function(FunctionName="f")
        create(client, "f")
        assert got(client)["UpdateRuntimeOn"] == "Auto"
