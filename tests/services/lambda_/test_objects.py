"""Packages that lie on S3: how they come in, and what is said where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.buckets import KEY, buckets
from tests.services.lambda_.calls import create, invoke, new, own_client, refused, settle
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server
    from tests.services.lambda_.buckets import Buckets

WRONG = "InvalidParameterValueException"
KEPT = "code/v 1/ü+&=.zip"
DOTTED = "../bucket/./x/../one.zip"
STRANGE = {
    "entities": b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",
    "encoding": b"<?xml version='1.0' encoding='nobodys'?><Error><Code>NoSuchKey</Code></Error>",
    "page": b"<html>",
    "flood": b"<Error><Code>" + b"a" * 2 * limits.OBJECT_ERROR_BYTES,
    "silence": b"",
}


@pytest.fixture(scope="module")
def held() -> Iterator[Buckets]:
    with buckets() as found:
        found.objects["bucket"] = {
            "one.zip": package("version_one"),
            "two.zip": package("version_two"),
            "two.zip?7/a b": package("version_one"),
            "broken.zip": package("version_one"),
            "text": b"not a zip",
            KEPT: package("echo"),
            DOTTED: package("version_two"),
            "coded.zip": package("version_one"),
        }
        found.slow.add("slow.zip")
        found.encoded.add("coded.zip")
        found.answers |= STRANGE
        found.broken.add("broken.zip")
        found.forbidden.add("closed")
        found.elsewhere["abroad"] = "eu-central-1"
        yield found


@pytest.fixture(scope="module")
def server(held: Buckets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = settings_for(tmp_path_factory.mktemp("server"), s3_endpoint=held.endpoint, s3_key=KEY)
    with serving(settings) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Any:
    return own_client(server)


def on_s3(key: str, bucket: str = "bucket", **members: str) -> dict[str, str]:
    return {"S3Bucket": bucket, "S3Key": key, **members}


def test_a_package_on_s3_runs_and_so_does_the_next(client: Any) -> None:
    held = create(client, "f", Code=on_s3("one.zip"))
    assert held["CodeSize"] == len(package("version_one"))
    assert held["CodeSha256"] == create(client, "g", "version_one")["CodeSha256"]
    assert invoke(client, "f") == "one"
    client.update_function_code(FunctionName="f", **on_s3("two.zip"), Publish=True)
    settle(client, "f")
    assert invoke(client, "f", Qualifier="1") == "two"


def test_a_key_of_any_characters_is_asked_for_as_it_is(client: Any) -> None:
    create(client, "f", Code=on_s3(KEPT))
    assert invoke(client, "f", 1) == 1


def test_dots_in_a_key_lead_to_no_other_object(client: Any) -> None:
    create(client, "f", Code=on_s3(DOTTED))
    assert invoke(client, "f") == "two"


def test_an_object_is_taken_as_it_was_stored(client: Any) -> None:
    held = create(client, "f", Code=on_s3("coded.zip"))
    assert held["CodeSize"] == len(package("version_one"))


def test_a_version_of_an_object_is_asked_for(client: Any) -> None:
    create(client, "f", Code=on_s3("two.zip", S3ObjectVersion="7/a b"))
    assert invoke(client, "f") == "one"


def test_a_layer_comes_from_s3_as_well(client: Any) -> None:
    layer = client.publish_layer_version(LayerName="l", Content=on_s3("one.zip"))
    assert layer["Content"]["CodeSize"] == len(package("version_one"))


def test_an_object_that_is_referred_to_is_named(client: Any) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/k"
    create(client, "f", Code=on_s3("one.zip", S3ObjectStorageMode="REFERENCE", SourceKMSKeyArn=key))
    code = client.get_function(FunctionName="f")["Code"]
    assert code["ResolvedS3Object"] == on_s3("one.zip")
    assert code["SourceKMSKeyArn"] == key
    client.update_function_code(FunctionName="f", **on_s3("two.zip", S3ObjectStorageMode="COPY"))
    settle(client, "f")
    code = client.get_function(FunctionName="f")["Code"]
    assert code.keys() == {"Location", "RepositoryType"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (on_s3("none.zip"), "S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."),
        (on_s3("a", "nowhere"), "S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"),
        (
            on_s3("two.zip", S3ObjectVersion="8"),
            "S3 Error Code: NoSuchVersion. S3 Error Message: The specified version does not exist.",
        ),
        (
            on_s3("a", "abroad"),
            (
                "S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: eu-central-1. "
                "Please use this region to retry the request"
            ),
        ),
    ],
    ids=["key", "bucket", "version", "region"],
)
def test_what_s3_refuses_is_said_in_its_words(client: Any, code: dict[str, str], told: str) -> None:
    create(client, "g")
    for call, members in (
        (client.create_function, new("f", Code=code)),
        (client.update_function_code, {"FunctionName": "g", **code}),
    ):
        assert refused(client, WRONG, call, **members) == f"Error occurred while GetObject. {told}"
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == ["g"]


def test_a_bucket_that_is_closed_denies_access(client: Any) -> None:
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.create_function(**new("f", Code=on_s3("a", "closed")))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert caught.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": "Your access has been denied by S3, please make sure your request credentials have permission to "
        "GetObject for closed/a. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
    }


def test_an_object_that_is_no_zip_is_refused(client: Any) -> None:
    assert "Could not unzip" in refused(client, WRONG, client.create_function, **new("f", Code=on_s3("text")))


def test_an_object_larger_than_a_package_may_be_is_refused(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FUNCTION_UNZIPPED_BYTES", len(package("version_one")) - 1)
    text = refused(client, WRONG, client.create_function, **new("f", Code=on_s3("one.zip")))
    assert text == f"Unzipped size must be smaller than {len(package('version_one')) - 1} bytes"


def test_a_transfer_that_breaks_off_leaves_nothing(client: Any) -> None:
    refused(client, "ServiceException", client.create_function, **new("f", Code=on_s3("broken.zip")))
    assert client.list_functions()["Functions"] == []


def test_a_transfer_without_an_end_is_given_up(client: Any, held: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OBJECT_READ_S", 0.2)
    refused(client, "ServiceException", client.create_function, **new("f", Code=on_s3("slow.zip")))
    assert held.given_up.wait(2)


@pytest.mark.parametrize("bucket", STRANGE)
def test_what_is_no_answer_of_an_s3_is_the_services_fault(client: Any, bucket: str) -> None:
    text = refused(client, "ServiceException", client.create_function, **new("f", Code=on_s3("a", bucket)))
    assert text == "An error occurred while GetObject: S3 could not be reached."


def test_bucket_and_key_go_together(client: Any) -> None:
    for code in ({"S3Bucket": "bucket"}, {"S3Key": "one.zip"}):
        text = refused(client, WRONG, client.create_function, **new("f", Code=code))
        assert text == "Please provide a source for function code."


@pytest.mark.parametrize("bucket", ["../bucket", "bucket/a", "a b c", "bucket."])
def test_what_is_no_name_of_a_bucket_is_not_asked_for(client: Any, held: Buckets, bucket: str) -> None:
    before = list(held.asked)
    code = on_s3("one.zip", bucket)
    create(client, "g")
    for call, members, path in (
        (client.create_function, new("f", Code=code), "code.s3Bucket"),
        (client.update_function_code, {"FunctionName": "g", **code}, "s3Bucket"),
        (client.publish_layer_version, {"LayerName": "l", "Content": code}, "content.s3Bucket"),
    ):
        text = refused(client, "ValidationException", call, **members)
        assert text.startswith(f"1 validation error detected: Value '{bucket}' at '{path}' failed to satisfy")
    assert held.asked == before


def test_what_is_refused_otherwise_is_not_fetched(client: Any, held: Buckets) -> None:
    refused(client, WRONG, client.create_function, **new("f", Runtime="python2.7", Code=on_s3("unasked.zip")))
    assert "bucket/unasked.zip" not in held.asked


def test_without_a_key_nothing_is_signed(tmp_path: Any) -> None:
    with buckets(signed=False) as held, serving(settings_for(tmp_path, s3_endpoint=held.endpoint)) as server:
        held.objects["bucket"] = {"one.zip": package("version_one")}
        client = server.client("lambda")
        create(client, "f", Code=on_s3("one.zip"))
        assert invoke(client, "f") == "one"


def test_an_s3_that_is_not_there_is_the_services_fault(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    with buckets() as gone:
        endpoint = gone.endpoint
    with serving(settings_for(tmp_path, s3_endpoint=endpoint, s3_key=KEY)) as server:
        client = server.client("lambda")
        with pytest.raises(client.exceptions.ServiceException):
            client.create_function(**new("f", Code=on_s3("one.zip")))
    assert "no package could be read from S3" in caplog.text
    assert KEY.access_key_id not in caplog.text
