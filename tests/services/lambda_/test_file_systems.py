"""File systems: folders of this machine that functions find in /mnt, and share with each other."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import (
    MANAGED_RUNTIME,
    create,
    invoke,
    managed,
    new,
    own_client,
    publish,
    refused,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Server

NAME = "fsap-0123456789abcdef0"
ARN = f"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/{NAME}"
S3_ARN = f"arn:aws:s3files:us-east-1:000000000000:file-system/fs-0123456789abcdef0/access-point/{NAME}"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
FILE = "/mnt/data/file"
USER = 54_321
INVALID = "InvalidParameterValueException"


def files(arn: str = ARN, path: str = "/mnt/data", **members: Any) -> dict[str, Any]:
    """The members of a function that has a file system."""
    return {"VpcConfig": VPC, "FileSystemConfigs": [{"Arn": arn, "LocalMountPath": path, **members}]}


def write(client: Any, name: str, text: str, **members: Any) -> None:
    """Have a function append to its file, which it then keeps to its own user."""
    invoke(client, name, {"write": {FILE: text}}, **members)


def read(client: Any, name: str, path: str = FILE, **members: Any) -> str:
    """What a function finds in its file, which belongs to the function's own user."""
    found = invoke(client, name, {"read": [path]}, **members)
    assert found["owned"] == [True]
    text: str = found["read"][path]
    return text


@pytest.fixture
def walled(lambent: Server) -> Iterator[Any]:
    """A client of a server whose functions live behind walls."""
    if lambent.app.sandbox == "process":
        pytest.skip("file systems need walls")
    return lambent.client("lambda")


def test_functions_of_one_access_point_share_their_files(walled: Any) -> None:
    create(walled, "writer", "files", **files())
    create(walled, "reader", "files", **files(path="/mnt/else.where_1"))
    write(walled, "writer", "one")
    assert read(walled, "reader", "/mnt/else.where_1/file") == "one"
    number = publish(walled, "writer")
    write(walled, "writer", " two", Qualifier=number)
    assert read(walled, "writer") == "one two"


def test_another_access_point_is_another_file_system(walled: Any) -> None:
    create(walled, "writer", "files", **files())
    create(walled, "other", "files", **files(f"{ARN[:-1]}1"))
    write(walled, "writer", "own")
    answer = walled.invoke(FunctionName="other", Payload=json.dumps({"read": [FILE]}))
    assert json.loads(answer["Payload"].read())["errorType"] == "FileNotFoundError"


def test_a_file_system_is_there_as_soon_as_it_is_configured_and_gone_with_that(walled: Any) -> None:
    create(walled, "f", "files")
    walled.update_function_configuration(FunctionName="f", **files())
    settle(walled, "f")
    write(walled, "f", "text")
    walled.update_function_configuration(FunctionName="f", FileSystemConfigs=[])
    settle(walled, "f")
    answer = walled.invoke(FunctionName="f", Payload=json.dumps({"read": [FILE]}))
    assert json.loads(answer["Payload"].read())["errorType"] == "FileNotFoundError"


def test_files_outlive_functions_and_servers(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        if server.app.sandbox == "process":
            pytest.skip("file systems need walls")
        client = server.client("lambda")
        create(client, "first", "files", **files())
        write(client, "first", "kept")
        client.delete_function(FunctionName="first")
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create(client, "second", "files", **files(S3_ARN))
        assert read(client, "second") == "kept"


def test_functions_on_managed_instances_have_none(shared_lambent: Server) -> None:
    client = own_client(shared_lambent)
    wanted = new("f", Runtime=MANAGED_RUNTIME, CapacityProviderConfig=managed(client), MemorySize=2048, **files())
    text = "You can't use Lambda Managed Instance functions with VPC configurations."
    assert refused(client, INVALID, client.create_function, **wanted) == text
    wanted.pop("VpcConfig")
    assert "configured to execute in a VPC" in refused(client, INVALID, client.create_function, **wanted)


@pytest.fixture
def operators(tmp_path: Path) -> Path:
    """A folder of the operator's."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "file").write_text("model")
    if os.geteuid() == 0:
        for path in (folder, folder / "file"):
            os.chown(path, USER, USER)
    return folder


def test_a_folder_of_the_operators_can_be_one(tmp_path: Path, operators: Path) -> None:
    with serving(settings_for(tmp_path, file_systems={NAME: str(operators)})) as server:
        if server.app.sandbox == "process":
            pytest.skip("file systems need walls")
        client = server.client("lambda")
        create(client, "f", "files", **files())
        write(client, "f", " seen")
        assert read(client, "f") == "model seen"
    owner = operators.stat()
    assert (owner.st_uid, owner.st_gid) == ((operators / "file").stat().st_uid, (operators / "file").stat().st_gid)
    assert (operators / "file").read_text() == "model seen"


def test_a_folder_that_is_gone_fails_the_functions_that_want_it_and_no_others(tmp_path: Path, operators: Path) -> None:
    with serving(settings_for(tmp_path, file_systems={NAME: str(operators)})) as server:
        client = server.client("lambda")
        create(client, "f", "files", **files())
        create(client, "without", "echo")
        shutil.rmtree(operators)
        text = f"The function could not mount the EFS file system with access point {ARN}."
        assert refused(client, "EFSMountFailureException", client.invoke, FunctionName="f") == text
        assert invoke(client, "without", 1) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server can make files of root's")
@pytest.mark.parametrize("owner", [(0, USER), (USER, 0)], ids=["user", "group"])
def test_a_folder_of_roots_is_none(tmp_path: Path, operators: Path, owner: tuple[int, int]) -> None:
    os.chown(operators, *owner)
    with serving(settings_for(tmp_path, sandbox="jail", file_systems={NAME: str(operators)})) as server:
        client = server.client("lambda")
        create(client, "f", "files", **files())
        refused(client, "EFSMountFailureException", client.invoke, FunctionName="f")
        os.chown(operators, USER, USER)
        assert read(client, "f") == "model"


@pytest.mark.parametrize(
    ("arn", "error", "kind"),
    [(ARN, "EFSMountFailureException", "EFS"), (S3_ARN, "S3FilesMountFailureException", "S3")],
    ids=["EFS", "S3 Files"],
)
def test_without_walls_there_are_none(tmp_path: Path, arn: str, error: str, kind: str) -> None:
    with serving(settings_for(tmp_path, sandbox="process")) as server:
        client = server.client("lambda")
        create(client, "f", "files", **files(arn))
        text = f"The function could not mount the {kind} file system with access point {arn}."
        assert refused(client, error, client.invoke, FunctionName="f") == text


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (files(path="/mnt/.."), "The local mount path /mnt/.. is not a path below /mnt."),
        (files(path="/mnt/."), "The local mount path /mnt/. is not a path below /mnt."),
        (
            files(S3_ARN.replace("us-east-1:000000000000", "us-east-1")),
            f"Access point ARN {S3_ARN.replace('us-east-1:000000000000', 'us-east-1')} is invalid.",
        ),
        (
            files(S3FilesConfig={"DirectS3Read": "AUTO"}),
            "S3FilesConfig is valid only with an Amazon S3 Files access point.",
        ),
    ],
    ids=["climbs", "stays", "no account", "settings of S3 Files"],
)
def test_what_is_no_file_system_is_refused(shared_lambent: Server, members: dict[str, Any], text: str) -> None:
    client = shared_lambent.client("lambda")
    assert refused(client, INVALID, client.create_function, **new("f", **members)) == text


def test_the_settings_of_s3_files_are_kept(shared_lambent: Server) -> None:
    client = shared_lambent.client("lambda")
    wanted = files(S3_ARN, S3FilesConfig={"DirectS3Read": "ENABLED"})
    assert create(client, "s3", **wanted)["FileSystemConfigs"] == wanted["FileSystemConfigs"]


def test_one_is_all_that_a_function_has(shared_lambent: Server) -> None:
    client = shared_lambent.client("lambda")
    two = files() | {"FileSystemConfigs": files()["FileSystemConfigs"] * 2}
    told = refused(client, "ValidationException", client.create_function, **new("f", **two))
    assert "less than or equal to 1" in told
