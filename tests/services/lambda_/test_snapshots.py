"""SnapStart: a published version is pending until its snapshot is taken, and then active or failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel.errors import AwsError
from tests.services.lambda_.calls import create, new, own_client, publish, refused, settle
from tests.services.lambda_.engines import SNAPSHOT_RUNTIME, Recording, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INVALID = "InvalidParameterValueException"
ON = {"Runtime": SNAPSHOT_RUNTIME, "SnapStart": {"ApplyOn": "PublishedVersions"}}


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    with recording(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def client(recorded: Recording) -> Any:
    return own_client(recorded.server)


def version(client: Any) -> Any:
    return client.get_function_configuration(FunctionName="f", Qualifier="1")


def wait(client: Any, name: str = "published_version_active") -> None:
    client.get_waiter(name).wait(FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.01, "MaxAttempts": 1_000})


def test_a_version_is_active_once_it_has_its_snapshot(client: Any, recorded: Recording) -> None:
    recorded.hold("f")
    assert create(client, "f", **ON)["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    made = client.publish_version(FunctionName="f")
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    assert made["StateReason"] == "The function is being created."
    assert made["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert "LastUpdateStatus" not in made
    text = refused(client, "SnapStartNotReadyException", client.invoke, FunctionName="f", Qualifier="1")
    assert "initializing" in text
    recorded.let("f")
    wait(client)
    held = version(client)
    assert (held["State"], held["LastUpdateStatus"]) == ("Active", "Successful")
    assert held["RevisionId"] != made["RevisionId"]
    (snapshot,) = recorded.engine.snapshots
    assert (snapshot.version, snapshot.snap_start) == ("1", True)
    assert client.invoke(FunctionName="f", Qualifier="1", InvocationType="DryRun")["StatusCode"] == 204


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("FunctionError.InitTimeout", "FunctionError.InitTimeout"),
        ("InvalidRuntimeException", "InvalidRuntime"),
        ("ServiceException", "InternalError"),
    ],
)
def test_a_version_without_a_snapshot_has_failed(client: Any, recorded: Recording, code: str, shown: str) -> None:
    recorded.engine.failure = AwsError(code, "it did not initialise")
    create(client, "f", **ON)
    publish(client, "f")
    with pytest.raises(Exception, match="terminal failure state"):
        wait(client)
    held = version(client)
    assert (held["State"], held["StateReasonCode"], held["StateReason"]) == ("Failed", shown, "it did not initialise")
    text = refused(client, "ResourceConflictException", client.invoke, FunctionName="f", Qualifier="1")
    assert text.endswith("The function is currently in the following state: Failed")


def test_a_version_published_with_the_creation_gets_its_snapshot(client: Any, recorded: Recording) -> None:
    client.create_function(**new("f", Publish=True, **ON))
    wait(client)
    assert [one.version for one in recorded.engine.snapshots] == ["1"]
    assert settle(client, "f")["SnapStart"]["OptimizationStatus"] == "Off"


def test_other_versions_take_none(client: Any, recorded: Recording) -> None:
    create(client, "f")
    publish(client, "f")
    assert version(client)["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert recorded.engine.snapshots == []


def test_a_snapshot_that_takes_long_holds_up_nobody_else(client: Any, recorded: Recording) -> None:
    recorded.hold("slow")
    create(client, "slow", **ON)
    publish(client, "slow")
    create(client, "f", **ON)
    publish(client, "f")
    wait(client)
    recorded.let("slow")


def test_what_was_under_way_is_done_again_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(tmp_path, monkeypatch) as server:
        client = server.server.client("lambda")
        server.hold("f")
        create(client, "f", **ON)
        publish(client, "f")
    with recording(tmp_path, monkeypatch) as server:
        client = server.server.client("lambda")
        wait(client)
        assert [one.version for one in server.engine.snapshots] == ["1"]


def test_a_version_that_is_deleted_meanwhile_stays_deleted(client: Any, recorded: Recording) -> None:
    recorded.hold("f")
    create(client, "f", **ON)
    publish(client, "f")
    client.delete_function(FunctionName="f", Qualifier="1")
    recorded.let("f")
    assert publish(client, "f") == "2"
    client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="2", WaiterConfig={"Delay": 0.01, "MaxAttempts": 1_000}
    )
    refused(client, "ResourceNotFoundException", client.get_function, FunctionName="f", Qualifier="1")


def test_not_every_function_can_start_from_snapshots(client: Any) -> None:
    text = "python3.11 is not supported for SnapStart enabled functions."
    members = new("f", Runtime="python3.11", SnapStart=ON["SnapStart"])
    assert refused(client, INVALID, client.create_function, **members) == text
    create(client, "f", **ON)
    told = refused(client, INVALID, client.update_function_configuration, FunctionName="f", Runtime="python3.11")
    assert told == text
    large = {"EphemeralStorage": {"Size": 513}}
    for call, members in (
        (client.create_function, new("g", **ON, **large)),
        (client.update_function_configuration, {"FunctionName": "f", **large}),
    ):
        assert "ephemeral storage" in refused(client, INVALID, call, **members)
    client.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"}, **large)
    settle(client, "f")
    assert "ephemeral storage" in refused(
        client, INVALID, client.update_function_configuration, FunctionName="f", SnapStart=ON["SnapStart"]
    )


def test_a_custom_runtime_is_taken_as_others_are(client: Any) -> None:
    held = create(client, "f", Runtime="provided.al2023", Handler="whatever")
    assert (held["Runtime"], held["Handler"]) == ("provided.al2023", "whatever")
    members = new("g", Runtime="provided.al2023")
    del members["Handler"]
    assert refused(client, INVALID, client.create_function, **members).startswith("Runtime and Handler are mandatory")
