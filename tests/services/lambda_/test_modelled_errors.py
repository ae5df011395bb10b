"""The errors that the model gives to most operations: for what is not there, for bad input, for a server's fault."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

import lambent
from lambent.services.lambda_.directory import Directory
from lambent.services.lambda_.rules.durable_ids import CallbackId, written
from lambent.store.errors import StoreError
from lambent.store.sqlite import SqliteStore
from tests.services.lambda_.calls import create, new
from tests.services.lambda_.packages import package
from tests.services.lambda_.requests import ACCOUNT, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambent.services.lambda_.records import Function
    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
CLIENT = boto3.session.Session(region_name="us-east-1").client("lambda")
MODEL = CLIENT.meta.service_model
METHODS = {operation: method for method, operation in CLIENT.meta.method_to_api_mapping.items()}

OPERATIONS = sorted(MODEL.operation_names)


def modelled(operation: str) -> set[str]:
    """The errors that the model gives the operation."""
    return {shape.name for shape in MODEL.operation_model(operation).error_shapes}


def members(operation: str) -> dict[str, Any]:
    """The members of the operation's request."""
    return dict(MODEL.operation_model(operation).input_shape.members)


def text(client: Any, error: str, operation: str, **request: Any) -> str:
    """What the operation is refused with, which is `error` as boto3's own class and with the status of the model."""
    with pytest.raises(getattr(client.exceptions, error)) as caught:
        getattr(client, METHODS[operation])(**{**REQUESTS[operation], **request})
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == MODEL.shape_for(error).metadata["error"]["httpStatusCode"]
    return str(answer["Error"]["Message"])


@pytest.fixture(scope="module")
def client(shared_lambent: Server) -> Any:
    """A client of the account of REQUESTS, which has the function `here` and nothing else."""
    client = shared_lambent.client("lambda", aws_access_key_id=ACCOUNT, config=Config(parameter_validation=False))
    create(client, "here")
    return client


def test_every_operation_has_its_request_here() -> None:
    assert sorted(REQUESTS) == OPERATIONS


ABSENT = {
    "CreateEventSourceMapping": "InvalidParameterValueException",
    "PutFunctionCodeSigningConfig": "CodeSigningConfigNotFoundException",
    "SendDurableExecutionCallbackFailure": "InvalidParameterValueException",
    "SendDurableExecutionCallbackHeartbeat": "InvalidParameterValueException",
    "SendDurableExecutionCallbackSuccess": "InvalidParameterValueException",
}
"""What AWS answers in place of ResourceNotFoundException where a mapping's function, a signing configuration to use or
a callback is not there."""
TOLERANT = {"DeleteLayerVersion", "ListEventSourceMappings", "ListLayerVersions"}
"""Operations that succeed on AWS where there is nothing."""
NEW = {"CreateFunction", "PublishLayerVersion"}
"""Operations that make what they name."""
SEEKING = [one for one in OPERATIONS if "ResourceNotFoundException" in modelled(one) and one not in NEW | TOLERANT]


@pytest.mark.parametrize("operation", SEEKING)
def test_what_is_not_there_is_not_found(client: Any, operation: str) -> None:
    assert text(client, ABSENT.get(operation, "ResourceNotFoundException"), operation)


@pytest.mark.parametrize("operation", sorted(TOLERANT))
def test_nothing_is_found_or_deleted_where_there_is_nothing(client: Any, operation: str) -> None:
    answer = getattr(client, METHODS[operation])(**REQUESTS[operation])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
    assert not any(answer.get(member) for member in ("EventSourceMappings", "LayerVersions"))


def broken(operation: str) -> dict[str, Any]:
    """One member of the operation's request with a value that the model does not allow; empty where it allows any."""
    for name, shape in members(operation).items():
        pattern, least = shape.metadata.get("pattern"), shape.metadata.get("min")
        if shape.type_name == "string" and (shape.enum or (pattern and not re.fullmatch(pattern, "not valid!"))):
            return {name: "not valid!"}
        if shape.type_name in ("integer", "long") and least is not None:
            return {name: least - 1}
        if shape.type_name == "string" and "max" in shape.metadata:
            return {name: "a" * (shape.metadata["max"] + 1)}
    return {}


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if broken(one)])
def test_what_the_model_forbids_is_told_by_the_member(client: Any, operation: str) -> None:
    member, value = next(iter(broken(operation).items()))
    with pytest.raises(client.exceptions.ClientError) as caught:
        getattr(client, METHODS[operation])(**{**REQUESTS[operation], member: value})
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationException", 400)
    told = f"Value '{value}' at '{member[0].lower()}{member[1:]}' failed to satisfy constraint: Member must "
    assert answer["Error"]["Message"].startswith(f"1 validation error detected: {told}")


def test_only_the_operation_without_members_has_nothing_that_the_model_bounds() -> None:
    assert [one for one in OPERATIONS if not broken(one)] == ["GetAccountSettings"]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "Marker" in members(one)])
def test_a_marker_that_no_page_gave_is_refused(client: Any, operation: str) -> None:
    here = {"FunctionName": "here"} if "FunctionName" in members(operation) else {}
    told = text(client, INVALID, operation, Marker="nonsense", **here)
    assert told == f"The Marker is not one that {operation} gave."


NAMESPACED = [
    one
    for one in OPERATIONS
    if "Qualifier" in members(one) and re.fullmatch(members(one)["FunctionName"].metadata["pattern"], "here:1")
]


@pytest.mark.parametrize("operation", NAMESPACED)
def test_a_name_and_a_qualifier_that_differ_are_refused(client: Any, operation: str) -> None:
    told = text(client, INVALID, operation, FunctionName="here:1", Qualifier="2")
    assert told == "The derived qualifier from the function name does not match the specified qualifier."


CALLBACK = {"CallbackId": written(CallbackId("0", "0", "0"))}


@pytest.fixture
def failing(client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client while no transaction of the server's store succeeds."""

    async def fail(_: SqliteStore, __: Any) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(SqliteStore, "read", fail)
    monkeypatch.setattr(SqliteStore, "write", fail)
    return client


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_of_the_server_is_a_service_exception_that_does_not_say_more(failing: Any, operation: str) -> None:
    callback = CALLBACK if "CallbackId" in members(operation) else {}
    assert "disk" not in text(failing, "ServiceException", operation, **callback)


UPDATING = (
    "PublishVersion",
    "PutRuntimeManagementConfig",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
)
"""The operations that are refused while a function is being created or updated."""


@pytest.fixture
def unsettled(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client while no creation or update of a function is completed, which goes on afterwards."""
    released = threading.Event()
    settle = Directory.settle

    async def wait(directory: Directory, *how: Any) -> list[Function]:
        await asyncio.to_thread(released.wait)
        return await settle(directory, *how)

    monkeypatch.setattr(Directory, "settle", wait)
    yield client
    released.set()


def test_a_function_that_is_being_created_or_updated_is_not_changed(unsettled: Any) -> None:
    unsettled.create_function(**new("coming"))
    unsettled.update_function_code(FunctionName="here", ZipFile=package("other"))
    for operation in UPDATING:
        created = text(unsettled, "ResourceConflictException", operation, FunctionName="coming")
        assert created.startswith("The operation cannot be performed at this time. "), operation
        updated = text(unsettled, "ResourceConflictException", operation, FunctionName="here")
        assert "An update is in progress for resource: " in updated, operation


NEVER = {
    "the function's network, which is stored and shown, and not attached, and file systems that are reached by one": (
        "EC2AccessDeniedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "EFSIOException",
        "EFSMountConnectivityException",
        "EFSMountTimeoutException",
        "ENILimitReachedException",
        "ENINotReadyException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "S3FilesMountConnectivityException",
        "S3FilesMountTimeoutException",
        "SubnetIPAddressLimitReachedException",
    ),
    "KMS, which encrypts nothing here": (
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    ),
    "AWS Signer, without which no package has a signature that could be broken": ("InvalidCodeSignatureException",),
    "the block on public access, for which the model has no operation": ("PublicPolicyException",),
    "AWS's own stock of runtimes, users and snapshots: a version keeps what it was published with": (
        "CodeArtifactUserDeletedException",
        "CodeArtifactUserFailedException",
        "CodeArtifactUserPendingException",
        "RuntimeAliasDeletedException",
        "RuntimeVersionDeletedException",
        "SnapStartRegenerationFailureException",
    ),
    "packages that are first opened when they are invoked: here an upload is, and refused": (
        "InvalidZipFileException",
    ),
    "functions of a kind that nobody can make with the model's operations": ("ModeNotSupportedException",),
    "events over the limit, which AWS refuses with a RequestEntityTooLargeException": (
        "RequestTooLargeException",
        "SerializedRequestEntityTooLargeException",
    ),
    "a quota of AWS's that this server does not have": ("ServiceQuotaExceededException",),
}
"""The errors of the model that no operation answers with, by what they tell of."""


HERE = Path(__file__)
TESTS = "".join(
    path.read_text() for form in ("test_*.py", "recorded/*.json") for path in HERE.parent.glob(form) if path != HERE
)
"""What this module's neighbours test, and the recordings."""


def test_every_error_of_the_model_is_tested_or_cannot_happen() -> None:
    answered = {error for operation in OPERATIONS for error in modelled(operation)}
    possible = answered.difference(*NEVER.values())
    assert sorted(error for error in possible if error not in TESTS) == []


def test_no_error_is_answered_that_cannot_happen() -> None:
    source = "".join(path.read_text() for path in Path(lambent.__file__).parent.rglob("*.py"))
    answered = set(re.findall(r'AwsError\(\s*"(\w+)"', source))
    assert answered.isdisjoint(error for errors in NEVER.values() for error in errors)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_called_by_name_in_the_tests_of_its_noun(operation: str) -> None:
    assert re.search(rf'[."]{METHODS[operation]}\b', TESTS)
