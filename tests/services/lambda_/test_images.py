"""Functions that are container images: what is taken as one, what is refused, and what cannot be done with it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.errors import AwsError
from lambent.services.lambda_.rules import images
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, new, own_client, refused, settle
from tests.services.lambda_.packages import package
from tests.support import ROLE, RUNTIME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/mine:latest"
DIGEST = "ab" * 32
WRONG = "InvalidParameterValueException"


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def imaged(name: str, uri: str = URI, **members: Any) -> dict[str, Any]:
    """The parameters of CreateFunction for an image."""
    return {"FunctionName": name, "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": uri}, **members}


def made(client: Any, name: str, **members: Any) -> dict[str, Any]:
    client.create_function(**imaged(name, **members))
    return settle(client, name)


@pytest.mark.parametrize(
    "uri",
    ["mine", "mine:latest", "localhost:5000/a/b:v1", f"mine@sha256:{DIGEST}", f"registry.example/a:1@sha256:{DIGEST}"],
)
def test_references_of_images_are_taken(uri: str) -> None:
    images.check(uri)


@pytest.mark.parametrize(
    "uri", ["", "Mine", "mine:", "a b", "mine@sha256:ab", "mine@md5:00", "http://mine", "/mine", "a" * 1025]
)
def test_what_is_no_reference_is_refused(client: Any, uri: str) -> None:
    text = refused(client, WRONG, client.create_function, **imaged("f", uri))
    assert text == f"Source image {uri} is not valid. Provide a valid source image."
    assert client.list_functions()["Functions"] == []


@given(some.text(max_size=60))
def test_every_text_is_a_reference_or_is_refused(text: str) -> None:
    try:
        assert len(images.digest(text)) == 64
    except AwsError as refusal:
        assert refusal.code == WRONG


def test_the_code_of_an_image_is_its_digest_or_changes_with_its_tag(client: Any) -> None:
    assert made(client, "f", uri=f"mine@sha256:{DIGEST}")["CodeSha256"] == DIGEST
    first = made(client, "g")["CodeSha256"]
    client.update_function_code(FunctionName="g", ImageUri="mine:other")
    assert settle(client, "g")["CodeSha256"] != first
    assert "ResolvedImageUri" not in client.get_function(FunctionName="g")["Code"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"Runtime": RUNTIME, "Handler": "a.b"}, "Please don't provide [Runtime, Handler]"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}, "Please don't provide [Layers]"),
        ({"Code": {"ZipFile": b"x"}}, "Please provide ImageUri when creating"),
        ({"Code": {"S3Bucket": "bucket", "S3Key": "key"}}, "Please provide ImageUri when creating"),
        ({"Code": {"ImageUri": URI, "S3Key": "key"}}, "Please provide ImageUri when creating"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "ContainerImage is not supported for SnapStart"),
    ],
    ids=["runtime", "layers", "zip", "s3", "both", "snapshots"],
)
def test_an_image_brings_what_a_zip_is_given(client: Any, members: dict[str, Any], words: str) -> None:
    assert words in refused(client, WRONG, client.create_function, **imaged("f") | members)


def test_a_zip_is_not_configured_as_an_image(client: Any) -> None:
    words = "Please don't provide [ImageConfig]"
    assert words in refused(client, WRONG, client.create_function, **new("f", ImageConfig={"Command": ["a"]}))
    create(client, "f")
    given = {"FunctionName": "f", "ImageConfig": {"Command": ["a"]}}
    assert words in refused(client, WRONG, client.update_function_configuration, **given)
    assert "ImageUri" in refused(client, WRONG, client.create_function, **new("g", Code={"ImageUri": URI}))


def test_an_image_cannot_be_run_yet(client: Any) -> None:
    made(client, "f")
    client.publish_version(FunctionName="f")
    for qualifier in ("$LATEST", "1"):
        text = refused(client, "NotImplemented", client.invoke, FunctionName="f", Qualifier=qualifier)
        assert "Image" in text
    wanted = {"FunctionName": "f", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    refused(client, "NotImplemented", client.put_provisioned_concurrency_config, **wanted)


def test_a_dry_run_of_an_image_changes_nothing(client: Any) -> None:
    before = made(client, "f")
    trial = client.update_function_code(FunctionName="f", ImageUri=f"mine@sha256:{DIGEST}", DryRun=True)
    assert trial["CodeSha256"] == DIGEST
    assert client.get_function_configuration(FunctionName="f")["RevisionId"] == before["RevisionId"]


def test_images_and_zips_survive_a_restart_beside_one_another(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        made(client, "f", ImageConfig={"Command": ["a"], "WorkingDirectory": "/b"})
        create(client, "g")
        before = client.get_function(FunctionName="f")
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        after = client.get_function(FunctionName="f")
        assert after["Configuration"] == before["Configuration"]
        assert after["Code"] == before["Code"]
        client.update_function_code(FunctionName="g", ZipFile=package("version_two"))
        settle(client, "g")
