"""Every member of the requests that make and change functions is kept and shown, or has its reason not to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.services.lambda_.calls import MANAGED_RUNTIME, managed, new, own_client, settle
from tests.services.lambda_.packages import archive, package
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

    from tests.conftest import Server

MODEL = boto3.session.Session(region_name="us-east-1").client("lambda").meta.service_model
FILES = f"arn:aws:s3files:us-east-1:000000000000:file-system/fs-{'0' * 17}/access-point/fsap-{'0' * 17}"
KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/mine:latest"
PROVIDER = "CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig"

CODE = ["Code.S3Bucket", "Code.S3Key", "Code.S3ObjectVersion", "Code.S3ObjectStorageMode"]
TESTED_ELSEWHERE = {
    "CreateFunction": {
        **dict.fromkeys(CODE, "test_objects, which has an S3"),
        "Code.ZipFile": "test_code: it is what runs",
        "CodeSigningConfigArn": "test_signing: an operation of its own shows it",
        "FunctionName": "the name of what is shown",
        "Publish": "test_versions: a version is there",
        "PublishTo": "test_capacity_providers: where the version is",
    },
    "UpdateFunctionCode": {
        **dict.fromkeys([member.removeprefix("Code.") for member in CODE], "test_objects, which has an S3"),
        "DryRun": "test_code: nothing changes",
        "FunctionName": "the name of what is shown",
        "Publish": "test_versions: a version is there",
        "PublishTo": "test_capacity_providers: where the version is",
        "RevisionId": "test_code: a guard",
        "ZipFile": "test_code: it is what runs",
    },
    "UpdateFunctionConfiguration": {
        "FunctionName": "the name of what is shown",
        "RevisionId": "test_configuration: a guard",
    },
    "PublishVersion": {
        "CodeSha256": "test_versions: a guard",
        "FunctionName": "the name of what is shown",
        "PublishTo": "test_capacity_providers: where the version is",
        "RevisionId": "test_versions: a guard",
    },
}
"""Members that the function itself does not show."""

PLACES = {
    "Code.ImageUri": "Code.ImageUri",
    "Code.SourceKMSKeyArn": "Code.SourceKMSKeyArn",
    "ImageUri": "Code.ImageUri",
    "SourceKMSKeyArn": "Code.SourceKMSKeyArn",
    "ImageConfig.Command": "Configuration.ImageConfigResponse.ImageConfig.Command",
    "ImageConfig.EntryPoint": "Configuration.ImageConfigResponse.ImageConfig.EntryPoint",
    "ImageConfig.WorkingDirectory": "Configuration.ImageConfigResponse.ImageConfig.WorkingDirectory",
    "Tags": "Tags",
}
"""Where GetFunction shows a member; elsewhere it is the same in `Configuration`."""

ZIP = {
    "Runtime": RUNTIME,
    "Role": f"{ROLE}-other",
    "Handler": "handler.handler",
    "Description": "what it does",
    "Timeout": 33,
    "MemorySize": 333,
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True},
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"},
    "Environment": {"Variables": {"NAME": "value"}},
    "KMSKeyArn": KEY,
    "TracingConfig": {"Mode": "Active"},
    "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
    "FileSystemConfigs": [{"Arn": FILES, "LocalMountPath": "/mnt/data", "S3FilesConfig": {"DirectS3Read": "DISABLED"}}],
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "mine",
    },
}
IMAGED = {
    "Role": f"{ROLE}-other",
    "ImageConfig": {"EntryPoint": ["/run"], "Command": ["a.b"], "WorkingDirectory": "/work"},
    "AcceleratorConfig": {"AcceleratorMemorySize": 24},
    "MemorySize": 4096,
}
DURABLE = {"DurableConfig": {"KMSKeyArn": KEY, "RetentionPeriodInDays": 5, "ExecutionTimeout": 55}}
CUSTOM = {
    "Runtime": "custom",
    "RuntimeConfig": {"RuntimeArn": "arn:aws:lambda:us-east-1:000000000000:runtime/mine", "RuntimeAlias": "prod"},
}
SNAPSHOTS = {"Runtime": MANAGED_RUNTIME, "SnapStart": {"ApplyOn": "PublishedVersions"}}
CREATIONS: dict[str, dict[str, Any]] = {
    "zip": {
        **ZIP,
        "PackageType": "Zip",
        "Code": {"ZipFile": package("echo"), "SourceKMSKeyArn": KEY},
        "Architectures": ["arm64"],
        "Tags": {"a": "b"},
        "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
    },
    "image": {**IMAGED, "PackageType": "Image", "Code": {"ImageUri": IMAGE}, "CapacityProviderConfig": None},
    "durable": DURABLE,
    "custom": CUSTOM,
    "snapshots": SNAPSHOTS,
}
UPDATES = {"zip": ZIP, "image": {**IMAGED, "CapacityProviderConfig": None}, "durable": DURABLE, "custom": CUSTOM}
UPDATES["snapshots"] = SNAPSHOTS
BEFORE: dict[str, dict[str, Any]] = {
    "image": {"PackageType": "Image", "Code": {"ImageUri": IMAGE}, "CapacityProviderConfig": None, "MemorySize": 2048},
    "durable": {"DurableConfig": {"ExecutionTimeout": 5}},
}
CODES = {"zip": {"ZipFile": package("other"), "Architectures": ["arm64"], "SourceKMSKeyArn": KEY}}
CODES["image"] = {"ImageUri": "mine:other"}


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    """A client of an account that has the layer `l`."""
    made = own_client(shared_lambent)
    made.publish_layer_version(LayerName="l", Content={"ZipFile": archive({"python/l.py": b""})})
    return made


def leaves(shape: Shape, path: str = "") -> Iterator[str]:
    """The members of a structure, and of those within it, as paths."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif shape.type_name == "list" and shape.member.type_name == "structure":
        yield from leaves(shape.member, path)
    else:
        yield path


def given(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a request with their values."""
    if isinstance(value, dict) and path not in ("Tags", "Environment.Variables"):
        for name, member in value.items():
            yield from given(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and isinstance(value[0], dict):
        yield from given(value[0], path)
    else:
        yield path, value


def shown(answer: dict[str, Any], path: str) -> Any:
    """What GetFunction shows of a member of a request."""
    found: Any = answer
    for name in PLACES.get(path, f"Configuration.{path}").split("."):
        found = found[0] if isinstance(found, list) else found
        found = found.get(name) if isinstance(found, dict) else None
    if path == "Layers":
        return [layer["Arn"] for layer in found]
    return found


def whole(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    """`request` with what only the account knows."""
    filled = dict(request)
    if "CapacityProviderConfig" in filled:
        own = {"PerExecutionEnvironmentMaxConcurrency": 7, "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0}
        filled["CapacityProviderConfig"] = managed(client, **own)
    if "Layers" in filled:
        filled["Layers"] = [client.list_layers()["Layers"][0]["LatestMatchingVersion"]["LayerVersionArn"]]
    return filled


def made(client: Any, request: dict[str, Any]) -> None:
    """Create the function `f`; skips where this machine has no such runtime."""
    zipped = {} if request.get("PackageType") == "Image" else new("f")
    try:
        client.create_function(**{"FunctionName": "f", "Role": ROLE, **zipped, **request})
    except client.exceptions.InvalidParameterValueException as refusal:
        if "install" not in str(refusal):
            raise
        pytest.skip(str(refusal))
    settle(client, "f")


def assert_shown(client: Any, operation: str, request: dict[str, Any]) -> None:
    answer = client.get_function(FunctionName="f")
    elsewhere = TESTED_ELSEWHERE[operation]
    expected = {path: value for path, value in given(request) if path not in elsewhere}
    assert {path: shown(answer, path) for path in expected} == expected


@pytest.mark.parametrize("kind", CREATIONS)
def test_what_a_function_is_created_with_is_shown(client: Any, kind: str) -> None:
    request = whole(client, CREATIONS[kind])
    made(client, request)
    assert_shown(client, "CreateFunction", request)


@pytest.mark.parametrize("kind", UPDATES)
def test_what_a_function_is_updated_with_is_shown(client: Any, kind: str) -> None:
    made(client, whole(client, BEFORE.get(kind, {})))
    request = whole(client, UPDATES[kind])
    try:
        client.update_function_configuration(FunctionName="f", **request)
    except client.exceptions.InvalidParameterValueException as refusal:
        if "install" not in str(refusal):
            raise
        pytest.skip(str(refusal))
    settle(client, "f")
    assert_shown(client, "UpdateFunctionConfiguration", request)


@pytest.mark.parametrize("kind", CODES)
def test_what_code_is_updated_with_is_shown(client: Any, kind: str) -> None:
    made(client, whole(client, {"PackageType": "Image", "Code": {"ImageUri": IMAGE}} if kind == "image" else {}))
    client.update_function_code(FunctionName="f", **CODES[kind])
    settle(client, "f")
    assert_shown(client, "UpdateFunctionCode", CODES[kind])


def test_what_a_version_is_published_with_is_shown(client: Any) -> None:
    made(client, {})
    assert client.publish_version(FunctionName="f", Description="first")["Description"] == "first"


@pytest.mark.parametrize(
    ("operation", "requests"),
    [
        ("CreateFunction", CREATIONS),
        ("UpdateFunctionConfiguration", UPDATES),
        ("UpdateFunctionCode", CODES),
        ("PublishVersion", {"version": {"Description": "first"}}),
    ],
    ids=["CreateFunction", "UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion"],
)
def test_every_member_of_the_model_is_tried_or_has_its_reason(operation: str, requests: dict[str, Any]) -> None:
    tried = {path for request in requests.values() for path, value in given(request) if value is not None}
    if any("CapacityProviderConfig" in request for request in requests.values()):
        tried |= {path for path in leaves(MODEL.operation_model(operation).input_shape) if path.startswith(PROVIDER)}
    known = set(leaves(MODEL.operation_model(operation).input_shape))
    assert known - tried == set(TESTED_ELSEWHERE[operation]) - tried
    assert tried <= known


NEVER_SENT = {
    "Code.Error": "packages and images that cannot be had are refused at once",
    "Code.ResolvedImageUri": "an image that is named by its tag is not fetched, so nobody knows its digest",
    "Code.ResolvedS3Object": "test_objects, which has an S3",
    "Configuration.Environment.Error": "KMS encrypts nothing here, so everything can be decrypted",
    "Configuration.ImageConfigResponse.Error": "no image is fetched",
    "Configuration.LastUpdateStatusReason": "test_recorded: only while a function is updated",
    "Configuration.LastUpdateStatusReasonCode": "test_recorded: only while a function is updated",
    "Configuration.Layers.SigningJobArn": "nothing is signed without AWS Signer",
    "Configuration.Layers.SigningProfileVersionArn": "nothing is signed without AWS Signer",
    "Configuration.MasterArn": "there are no functions at the edge",
    "Configuration.RuntimeVersionConfig.Error": "the version of a runtime is that of this machine",
    "Configuration.SigningJobArn": "nothing is signed without AWS Signer",
    "Configuration.SigningProfileVersionArn": "nothing is signed without AWS Signer",
    "Configuration.StateReason": "test_recorded: only while a function is created",
    "Configuration.StateReasonCode": "test_recorded: only while a function is created",
    "TagsError": "tags can be read whenever the function can",
}
"""Members of GetFunction's answer that the functions of these tests do not have, by how they begin."""


def sent(answer: Any, path: str = "") -> Iterator[str]:
    """The leaves of an answer."""
    if isinstance(answer, dict) and path not in ("Tags", "Configuration.Environment.Variables"):
        for name, member in answer.items():
            yield from sent(member, f"{path}.{name}" if path else name)
    elif isinstance(answer, list) and answer and isinstance(answer[0], dict):
        yield from sent(answer[0], path)
    else:
        yield path


def test_every_member_of_the_answer_is_sent_or_has_its_reason(client: Any) -> None:
    found: set[str] = set()
    for kind, request in CREATIONS.items():
        if kind != "snapshots":
            made(client, whole(client, request))
            client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
            answer = client.get_function(FunctionName="f")
            found |= {path for path in sent(answer) if not path.startswith("ResponseMetadata")}
            client.delete_function(FunctionName="f")
    unsent = set(leaves(MODEL.operation_model("GetFunction").output_shape)) - found
    assert {path for path in unsent if not path.startswith(tuple(NEVER_SENT))} == set()
    assert {begin for begin in NEVER_SENT if not any(path.startswith(begin) for path in unsent)} == set()
