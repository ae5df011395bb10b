"""Layers: published, found, listed, deleted, and named by functions."""

from __future__ import annotations

import hashlib
import urllib.request
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.rules import runtimes
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import account, create, new, overtaken, own_client, publish, refused, settle
from tests.services.lambda_.packages import archive, package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
GONE = "The resource you requested does not exist."
ZIP = archive({"python/inside.py": b"x = 1\n"})


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def layer(client: Any, name: str = "l", content: bytes = ZIP, **members: Any) -> str:
    """Publish a layer version; returns its ARN."""
    arn: str = client.publish_layer_version(LayerName=name, Content={"ZipFile": content}, **members)["LayerVersionArn"]
    return arn


def numbers(client: Any, **members: Any) -> list[int]:
    pages = client.get_paginator("list_layer_versions").paginate(LayerName="l", **members)
    return [version["Version"] for page in pages for version in page["LayerVersions"]]


def newest(client: Any, **members: Any) -> dict[str, int]:
    pages = client.get_paginator("list_layers").paginate(**members)
    return {one["LayerName"]: one["LatestMatchingVersion"]["Version"] for page in pages for one in page["Layers"]}


def used(configuration: dict[str, Any]) -> list[str]:
    return [one["Arn"] for one in configuration.get("Layers", [])]


def test_a_layer_version_has_what_it_was_given(client: Any) -> None:
    members = {
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.12", "python3.11"],
        "CompatibleArchitectures": ["arm64"],
    }
    made = client.publish_layer_version(LayerName="l", Content={"ZipFile": ZIP}, **members)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    content = made.pop("Content")
    with urllib.request.urlopen(content.pop("Location")) as answer:
        assert answer.read() == ZIP
    assert content == {"CodeSize": len(ZIP), "CodeSha256": b64encode(hashlib.sha256(ZIP).digest()).decode()}
    assert made.pop("CreatedDate").endswith("+0000")
    arn = made.pop("LayerArn")
    assert arn.startswith("arn:aws:lambda:us-east-1:")
    assert arn.endswith(":layer:l")
    assert made == {"LayerVersionArn": f"{arn}:1", "Version": 1, **members}
    for held in (
        client.get_layer_version(LayerName="l", VersionNumber=1),
        client.get_layer_version(LayerName=arn, VersionNumber=1),
        client.get_layer_version_by_arn(Arn=f"{arn}:1"),
    ):
        assert {**made, "LayerArn": arn}.items() <= held.items()
        assert content.items() <= held["Content"].items()


def test_what_is_not_given_is_left_out(client: Any) -> None:
    made = client.publish_layer_version(LayerName="l", Content={"ZipFile": ZIP})
    assert made["Description"] == ""
    assert not {"LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"} & made.keys()
    listed = client.list_layer_versions(LayerName="l")["LayerVersions"]
    assert [sorted(one) for one in listed] == [["CreatedDate", "Description", "LayerVersionArn", "Version"]]


def test_numbers_go_on_after_deletions(client: Any) -> None:
    for _ in range(2):
        layer(client)
    for _ in range(2):
        answer = client.delete_layer_version(LayerName="l", VersionNumber=2)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert layer(client).endswith(":l:3")
    assert numbers(client) == [3, 1]
    for number in (1, 3):
        client.delete_layer_version(LayerName="l", VersionNumber=number)
    assert numbers(client) == []
    assert newest(client) == {}


def test_a_layer_that_is_not_there_is_not_found(client: Any) -> None:
    layer(client)
    arn = layer(client, "other")
    assert client.list_layer_versions(LayerName="gone")["LayerVersions"] == []
    for name, number in (("l", 2), ("gone", 1), ("l", (1 << 63) - 1)):
        text = refused(
            client, "ResourceNotFoundException", client.get_layer_version, LayerName=name, VersionNumber=number
        )
        assert text == GONE
    for wrong in (f"{arn[:-1]}9", arn.replace("us-east-1", "eu-west-1"), f"{arn[:-1]}{'9' * 100}"):
        assert refused(client, "ResourceNotFoundException", client.get_layer_version_by_arn, Arn=wrong) == GONE


@pytest.mark.parametrize("number", [0, -1])
def test_versions_count_from_one(client: Any, number: int) -> None:
    layer(client)
    for call in (client.get_layer_version, client.delete_layer_version):
        text = refused(client, INVALID, call, LayerName="l", VersionNumber=number)
        assert text == "Layer Version Cannot be less than 1"


def test_an_arn_without_a_version_is_refused(client: Any) -> None:
    arn = layer(client).removesuffix(":1")
    text = refused(client, "ValidationException", client.get_layer_version_by_arn, Arn=arn)
    assert "at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern" in text
    text = refused(client, "ValidationException", client.create_function, **new("f", Layers=[arn]))
    assert "at 'layers' failed to satisfy constraint" in text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"ZipFile": package("not a zip")}, "Could not unzip uploaded file."),
        ({"ZipFile": archive({})}, "Uploaded file must be a non-empty zip"),
        ({}, "Please provide a source"),
    ],
    ids=["not a zip", "empty", "nothing"],
)
def test_what_is_no_layer_is_refused(client: Any, content: dict[str, bytes], text: str) -> None:
    assert refused(client, INVALID, client.publish_layer_version, LayerName="l", Content=content).startswith(text)
    assert newest(client) == {}


def test_another_accounts_layers_are_its_own(client: Any, shared_lambent: Server) -> None:
    arn = layer(client)
    other = own_client(shared_lambent)
    text = refused(other, "AccessDeniedException", other.get_layer_version_by_arn, Arn=arn)
    assert text.endswith("because no resource-based policy allows the lambda:GetLayerVersion action")
    text = refused(other, "AccessDeniedException", other.create_function, **new("f", Layers=[arn]))
    assert "is not authorized to perform: lambda:GetLayerVersion on resource: " + arn in text
    assert newest(other) == {}


def test_layers_are_listed_in_pages_newest_first(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LAYERS_READ", 2)
    for name in "abl":
        for _ in range(5):
            layer(client, name)
    assert numbers(client) == [5, 4, 3, 2, 1]
    assert numbers(client, PaginationConfig={"PageSize": 2}) == [5, 4, 3, 2, 1]
    assert newest(client) == newest(client, PaginationConfig={"PageSize": 1}) == {"a": 5, "b": 5, "l": 5}
    listed = client.list_layers()["Layers"][0]
    assert listed["LayerArn"].endswith(":layer:a")
    assert listed["LatestMatchingVersion"]["LayerVersionArn"].endswith(":layer:a:5")


def test_lists_show_what_fits(client: Any) -> None:
    layer(client, CompatibleRuntimes=["python3.11"], CompatibleArchitectures=["x86_64", "arm64"])
    layer(client, CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])
    layer(client)
    layer(client, "other", CompatibleRuntimes=["ruby3.4"])
    assert numbers(client, CompatibleRuntime="python3.11") == [1]
    assert numbers(client, CompatibleArchitecture="x86_64") == [2, 1]
    assert numbers(client, CompatibleArchitecture="arm64", CompatibleRuntime="python3.12") == []
    assert newest(client, CompatibleArchitecture="arm64") == {"l": 1}
    assert newest(client, CompatibleRuntime="ruby3.4") == {"other": 1}


def test_a_function_keeps_its_layers_in_order(client: Any) -> None:
    arns = [layer(client, name) for name in ("b", "a")]
    made = create(client, "f", Layers=arns)
    assert made["Layers"] == [{"Arn": arn, "CodeSize": len(ZIP)} for arn in arns]
    client.update_function_configuration(FunctionName="f", Timeout=9)
    assert used(settle(client, "f")) == arns
    client.delete_layer_version(LayerName="a", VersionNumber=1)
    publish(client, "f")
    client.update_function_configuration(FunctionName="f", Layers=arns[:1])
    assert used(settle(client, "f")) == arns[:1]
    client.update_function_configuration(FunctionName="f", Layers=[])
    assert "Layers" not in settle(client, "f")
    assert used(client.get_function_configuration(FunctionName="f", Qualifier="1")) == arns


def test_a_function_names_layers_that_are_there_and_fit_together(client: Any, shared_lambent: Server) -> None:
    first, second = layer(client), layer(client)
    elsewhere = first.replace("us-east-1", "eu-west-1")
    wrong = {
        "Cannot reference more than 5 layers.": [layer(client, f"l{number}") for number in range(6)],
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{first} and {second} are versions of the same layer.": [first, second],
        f"Layer version {first[:-1]}9 does not exist.": [f"{first[:-1]}9"],
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.": [
            elsewhere
        ],
        "Layer version arn:aws:lambda:::awslayer:Gone does not exist.": ["arn:aws:lambda:::awslayer:Gone"],
    }
    create(client, "f")
    for text, arns in wrong.items():
        assert refused(client, INVALID, client.create_function, **new("g", Layers=arns)) == text
        told = refused(client, INVALID, client.update_function_configuration, FunctionName="f", Layers=arns)
        assert told == text


def test_a_layer_says_so_much_of_itself_and_no_more(client: Any) -> None:
    names = [f"python3.{minor}" for minor in range(8, 15)] * 2
    layer(client, CompatibleRuntimes=["python3.7", *names], CompatibleArchitectures=["arm64", "x86_64"])
    told = refused(
        client,
        "ValidationException",
        client.publish_layer_version,
        LayerName="l",
        Content={"ZipFile": ZIP},
        CompatibleRuntimes=[*names, *names[:2]],
        CompatibleArchitectures=["arm64"] * 3,
    )
    assert told == (
        f"2 validation errors detected: Value '[{', '.join([*names, *names[:2]])}]' at 'compatibleRuntimes' failed to "
        "satisfy constraint: Member must have length less than or equal to 15; Value '[arm64, arm64, arm64]' at "
        "'compatibleArchitectures' failed to satisfy constraint: Member must have length less than or equal to 2"
    )


def test_the_layer_of_another_region_is_not_there(client: Any, shared_lambent: Server) -> None:
    elsewhere = shared_lambent.client("lambda", aws_access_key_id=account(client), region_name="eu-west-1")
    name = layer(elsewhere).rpartition(":")[0]
    content = {"ZipFile": ZIP}
    assert refused(client, "ResourceNotFoundException", client.list_layer_versions, LayerName=name) == GONE
    gone = refused(client, "ResourceNotFoundException", client.publish_layer_version, LayerName=name, Content=content)
    assert gone == GONE
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    assert [one["Version"] for one in elsewhere.list_layer_versions(LayerName="l")["LayerVersions"]] == [1]


def test_code_and_layers_have_a_size_together(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    large = archive({"large": bytes(200_000)})
    arn = layer(client, content=archive({"data": bytes(100_000)}))
    create(client, "f")
    monkeypatch.setattr(limits, "FUNCTION_UNZIPPED_BYTES", 250_000)
    text = refused(client, INVALID, client.create_function, **new("g", Layers=[arn], Code={"ZipFile": large}))
    assert text == (
        "Function code combined with layers exceeds the maximum allowed size of 250000 bytes. "
        "The actual size is 300000 bytes."
    )
    client.update_function_configuration(FunctionName="f", Layers=[arn])
    settle(client, "f")
    refused(client, INVALID, client.update_function_code, FunctionName="f", ZipFile=large)
    client.update_function_configuration(FunctionName="f", Layers=[])
    settle(client, "f")
    client.update_function_code(FunctionName="f", ZipFile=large)
    settle(client, "f")
    refused(client, INVALID, client.update_function_configuration, FunctionName="f", Layers=[arn])


def test_code_and_layers_have_a_size_together_also_where_two_updates_meet(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = archive({"large": bytes(200_000)})
    arn = layer(client, content=archive({"data": bytes(100_000)}))
    create(client, "f")
    monkeypatch.setattr(limits, "FUNCTION_UNZIPPED_BYTES", 250_000)

    def between() -> None:
        client.update_function_code(FunctionName="f", ZipFile=large)
        settle(client, "f")

    update = overtaken(client, monkeypatch, between, FunctionName="f", Layers=[arn])
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="The actual size is 300000 bytes"):
        update.result()
    assert "Layers" not in settle(client, "f")


@pytest.mark.parametrize("marker", ["nothing of ours", "WyJhIiwxXQ"])
def test_a_marker_of_somebody_else_is_refused(client: Any, marker: str) -> None:
    refused(client, INVALID, client.list_layers, Marker=marker)
    refused(client, INVALID, client.list_layer_versions, LayerName="l", Marker=marker)


def test_layers_survive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        arn = layer(server.client("lambda"))
    with serving(settings_for(tmp_path)) as server:
        assert create(server.client("lambda"), "f", Layers=[arn])["Layers"][0]["Arn"] == arn


def test_every_runtime_of_the_model_is_known(client: Any) -> None:
    assert set(client.meta.service_model.shape_for("Runtime").enum) == runtimes.KNOWN
