"""Deployment packages: what is taken, what is refused, and which one runs."""

from __future__ import annotations

import io
import json
import os
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import ARN, create, invoke, new, settle
from tests.services.lambda_.packages import archive, package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def client(lambent: Server) -> Any:
    return lambent.client("lambda")


def blobs(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "data" / "blobs").glob("??/*")}


def linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        link = zipfile.ZipInfo("index.py")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip", package("echo")[:-10], b"\0" * 100, archive({"../outside.py": b""})],
    ids=["empty", "a beginning", "text", "cut off", "zeros", "a way out"],
)
def test_what_is_not_a_good_zip_is_refused_and_leaves_nothing(client: Any, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.create_function(**new("f", Code={"ZipFile": data}))
    assert client.list_functions()["Functions"] == []
    assert not (tmp_path / "outside.py").exists()
    client.create_function(**new("f"))
    assert invoke(client, "f", 1) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ({}, "Please provide a source for function code."),
        ({"ZipFile": b"x", "S3Bucket": "bucket"}, "Please do not provide other FunctionCode parameters"),
    ],
)
def test_code_has_one_source(client: Any, code: dict[str, Any], words: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException, match=words):
        client.create_function(**new("f", Code=code))


def test_code_on_s3_needs_to_be_told_of_one(client: Any) -> None:
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.create_function(**new("f", Code={"S3Bucket": "bucket", "S3Key": "key"}))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "s3_endpoint" in caught.value.response["Error"]["Message"]


def test_after_an_update_the_next_invocation_runs_the_new_code(client: Any) -> None:
    create(client, "f", "version_one")
    assert invoke(client, "f") == "one"
    client.update_function_code(FunctionName="f", ZipFile=package("version_two"))
    settle(client, "f")
    assert [invoke(client, "f") for _ in range(5)] == ["two"] * 5


def test_a_refused_update_changes_nothing(client: Any) -> None:
    before = create(client, "f", "version_one")
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.update_function_code(FunctionName="f", ZipFile=b"not a zip")
    after = settle(client, "f")
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert invoke(client, "f") == "one"


def test_a_dry_run_shows_the_package_and_changes_nothing(client: Any) -> None:
    before = create(client, "f", "version_one")
    trial = client.update_function_code(FunctionName="f", ZipFile=package("version_two"), DryRun=True)
    assert trial["CodeSha256"] != before["CodeSha256"]
    assert trial["RevisionId"] == before["RevisionId"]
    assert settle(client, "f")["CodeSha256"] == before["CodeSha256"]
    assert invoke(client, "f") == "one"


def test_of_updates_at_once_each_is_taken_whole_or_refused(client: Any) -> None:
    create(client, "f", "version_one")
    codes = ["version_one", "version_two"] * 10

    def attempt(code: str) -> bool:
        try:
            client.update_function_code(FunctionName="f", ZipFile=package(code))
        except client.exceptions.ResourceConflictException as error:
            assert "An update is in progress for resource: " + ARN + "f" in str(error)
            return False
        return True

    with ThreadPoolExecutor(10) as threads:
        assert any(threads.map(attempt, codes))
    held = settle(client, "f")
    sizes = {len(package("version_one")): "one", len(package("version_two")): "two"}
    assert invoke(client, "f") == sizes[held["CodeSize"]]


def test_an_invocation_that_runs_during_an_update_ends_on_the_old_code(tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "open"
    for pipe in (begun, gate):
        os.mkfifo(pipe)
    # A function without walls sees the pipes by which it and the test wait for each other.
    with serving(settings_for(tmp_path, sandbox="process")) as server, ThreadPoolExecutor(1) as threads:
        client = server.client("lambda")
        create(client, "f", "gate", Timeout=30)
        running = threads.submit(invoke, client, "f", {"begun": str(begun), "open": str(gate)})
        assert begun.read_text() == "begun"
        client.update_function_code(FunctionName="f", ZipFile=package("version_two"))
        settle(client, "f")
        assert invoke(client, "f") == "two"
        gate.write_text("")
        assert running.result() == "one"
        assert invoke(client, "f") == "two"


def test_invocations_during_updates_see_the_old_code_or_the_new_never_none(client: Any) -> None:
    create(client, "f", "version_one")
    done = threading.Event()
    seen: list[str] = []

    def caller() -> None:
        while not done.is_set():
            seen.append(invoke(client, "f"))

    with ThreadPoolExecutor(4) as threads:
        callers = [threads.submit(caller) for _ in range(4)]
        try:
            for code in ("version_two", "version_one") * 5:
                client.update_function_code(FunctionName="f", ZipFile=package(code))
                settle(client, "f")
                assert invoke(client, "f") == code.removeprefix("version_")
        finally:
            done.set()
        for one in callers:
            one.result()
    assert set(seen) <= {"one", "two"}


def test_equal_packages_are_stored_once(client: Any, tmp_path: Path) -> None:
    create(client, "f")
    create(client, "g")
    assert len(blobs(tmp_path)) == 1


def test_a_package_with_a_link_out_of_it_shows_nothing_of_the_machine(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.create_function(**new("f", Code={"ZipFile": linked()}))


def test_a_large_package_passes(client: Any) -> None:
    noise = bytes(range(256)) * 4 * 1024 * 20
    create(client, "f", Code={"ZipFile": archive({"index.py": b"def handler(e, c):\n    return e\n", "noise": noise})})
    assert invoke(client, "f", json.dumps({})) == "{}"
